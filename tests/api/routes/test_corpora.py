"""Corpora over HTTP: made, filled, read, erased; one tenant's alone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.support.api import Api, error_of

URL = "/v1/corpora"
NDJSON = {"content-type": "application/x-ndjson; charset=utf-8"}


@pytest.fixture
def filled(api: Api) -> Api:
    assert api.call("POST", URL, json={"name": "手册"}).status_code == 201
    documents = [{"id": "a/1", "text": "第一条", "metadata": {"页": 1}}, {"text": "second"}]
    answer = api.call("POST", f"{URL}/手册/documents", json={"documents": documents})
    assert answer.status_code == 200, answer.text
    return api


def test_a_corpus_is_made_filled_read_and_erased(api: Api) -> None:
    made = api.call("POST", URL, json={"name": "handbook"})
    corpus = made.json()
    assert (made.status_code, made.headers["location"]) == (201, f"{URL}/{corpus['id']}")
    assert (corpus["object"], corpus["documents"], corpus["version"]) == ("corpus", 0, 0)
    documents = [{"id": "a/1", "text": "第一条", "metadata": {"页": 1}}, {"text": "second"}]
    added = api.call("POST", f"{URL}/handbook/documents", json={"documents": documents}).json()
    assert added.items() >= {"added": 2, "replaced": 0, "unchanged": 0, "version": 1}.items()
    assert added["ids"][0] == "a/1"
    again = api.call("POST", f"{URL}/{corpus['id']}/documents", json={"documents": documents[:1]})
    assert (again.json()["unchanged"], again.json()["version"]) == (1, 1)

    shown = api.call("GET", f"{URL}/handbook").json()
    assert (shown["documents"], shown["characters"]) == (2, 9)
    assert [one["name"] for one in api.call("GET", URL).json()["data"]] == ["handbook"]
    page = api.call("GET", f"{URL}/handbook/documents?limit=1").json()
    assert (page["data"][0]["text"], page["has_more"]) == ("second", True)
    rest = api.call("GET", f"{URL}/handbook/documents?after={page['last_id']}").json()
    assert (rest["data"][0]["id"], rest["has_more"]) == ("a/1", False)
    document = api.call("GET", f"{URL}/handbook/documents/a/1").json()
    assert (document["text"], document["metadata"]) == ("第一条", {"页": 1})
    assert api.call("GET", f"{URL}/handbook/documents/a%2F1").json() == document

    gone = api.call("DELETE", f"{URL}/handbook/documents/a/1").json()
    assert gone == {"id": "a/1", "object": "document", "deleted": True}
    error_of(api.call("GET", f"{URL}/handbook/documents/a/1"), 404)
    assert api.call("GET", f"{URL}/handbook").json()["documents"] == 1
    gone = api.call("DELETE", f"{URL}/handbook").json()
    assert gone == {"id": corpus["id"], "object": "corpus", "deleted": True}
    error_of(api.call("GET", f"{URL}/handbook"), 404)
    assert api.call("GET", URL).json()["data"] == []


def test_many_documents_come_as_lines(filled: Api) -> None:
    lines = [
        orjson.dumps({"id": f"n{number % 700}", "text": f"第{number}行"}) for number in range(800)
    ]
    body = b"\n".join([*lines, b"", orjson.dumps("a bare text")])
    answer = filled.call("POST", f"{URL}/手册/documents", content=body, headers=NDJSON).json()
    assert (answer["added"], answer["replaced"], answer["ids"]) == (701, 100, None)
    assert filled.call("GET", f"{URL}/手册/documents/n3").json()["text"] == "第703行"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (b'"ok"\n{"text": 7}\n', "line 2.text", "invalid_type"),
        (b'"ok"\n\nnot json', "line 3", "invalid_json"),
        (b" \n", "documents", "empty_documents"),
        (b'"' + b"x" * (1 << 20) + b'"', "line 1", "line_too_long"),
    ],
)
def test_a_wrong_line_is_named(filled: Api, body: bytes, param: str, code: str) -> None:
    answer = filled.call("POST", f"{URL}/手册/documents", content=body, headers=NDJSON)
    error = error_of(answer, 422)
    assert (error["param"], error["code"]) == (param, code)


def test_wrong_fields_are_named(filled: Api) -> None:
    refused: list[tuple[str, Any, str, str]] = [
        (URL, {"name": "a b"}, "name", "invalid_name"),
        (URL, {"name": "a", "x": 1}, "x", "unknown_field"),
        (f"{URL}/手册/documents", {"documents": [{"text": ""}]}, "documents[0].text", "empty_text"),
        (f"{URL}/手册/documents", {"document": []}, "document", "unknown_field"),
    ]
    for url, body, param, code in refused:
        error = error_of(filled.call("POST", url, json=body), 422)
        assert (error["param"], error["code"]) == (param, code)
    assert error_of(filled.call("POST", URL, json={"name": "手册"}), 409)["code"] == "corpus_exists"
    large = {"documents": [{"text": "x" * 90_000}] * 3}
    error_of(filled.call("POST", f"{URL}/手册/documents", json=large), 413)


OWNED = (
    ("GET", f"{URL}/{{corpus}}"),
    ("POST", f"{URL}/{{corpus}}/documents"),
    ("GET", f"{URL}/{{corpus}}/documents"),
    ("GET", f"{URL}/{{corpus}}/documents/{{document}}"),
    ("DELETE", f"{URL}/{{corpus}}/documents/{{document}}"),
    ("DELETE", f"{URL}/{{corpus}}"),
)


def test_another_tenants_corpus_is_not_found(filled: Api) -> None:
    paths = filled.client.get("/openapi.json").json()["paths"]
    ours = {
        (method.upper(), path)
        for path, methods in paths.items()
        if path.startswith(f"{URL}/")
        for method in methods
    }
    assert ours == set(OWNED)
    [corpus] = filled.call("GET", URL).json()["data"]
    body = {"documents": [{"text": "theirs"}]}
    for method, template in OWNED:
        for name in ("手册", corpus["id"]):
            url = template.format(corpus=name, document="a/1")
            more: dict[str, Any] = {"json": body} if method == "POST" else {}
            assert error_of(filled.call(method, url, "other", **more), 404)["code"] == "not_found"
    lines = filled.call(
        "POST", f"{URL}/手册/documents", "other", content=b'"theirs"', headers=NDJSON
    )
    error_of(lines, 404)
    error_of(filled.call("GET", f"{URL}?after={corpus['id']}", "other"), 404)
    assert filled.call("GET", URL, "other").json()["data"] == []
    assert filled.call("GET", f"{URL}/手册").json() == corpus
    for method, template in OWNED:
        url = template.format(corpus="手册", document="a/1")
        sent: dict[str, Any] = {"json": body} if method == "POST" else {}
        assert filled.call(method, url, **sent).status_code == 200


def test_a_job_that_names_no_corpus_of_its_tenant_is_refused(filled: Api) -> None:
    [corpus] = filled.call("GET", URL).json()["data"]
    job: dict[str, Any] = {"task": "similarity", "input": {"text": "a"}}
    for name in ("手册", corpus["id"]):
        body = job | {"options": {"corpus": name}}
        assert filled.call("POST", "/v1/jobs", json=body).status_code == 202
        error = error_of(filled.call("POST", "/v1/jobs", "other", json=body), 422)
        assert (error["param"], error["code"]) == ("options.corpus", "corpus_not_found")
    assert filled.call("GET", "/v1/jobs", "other").json()["data"] == []
    body = job | {"input": {"text": "a", "other": "b"}, "options": {"corpus": "手册"}}
    assert error_of(filled.call("POST", "/v1/jobs", json=body), 422)["param"] == "input.other"
