"""The OpenAPI document is whole: all that it refers to is in it, and every answer is declared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from api.app import create_app
from api.document import complete
from lepton_tasks.settings import Settings
from tests.support.api import Api


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(Settings(home=tmp_path_factory.mktemp("home"))).openapi()


def references(node: object) -> Iterator[str]:
    """All references within a part of the document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def test_all_that_is_referred_to_is_there(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    named = {reference.removeprefix("#/components/schemas/") for reference in references(document)}
    assert named <= set(schemas)
    assert {"JobCreate", "DocumentCreate", "ErrorBody", "ErrorDetail"} <= named
    assert "HTTPValidationError" not in schemas


def test_every_schema_is_one_and_every_operation_has_a_name_of_its_own(
    document: dict[str, Any],
) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    names = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(set(names)) == len(names) > 50


def test_it_is_made_once(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path))
    assert app.openapi() is app.openapi()


def test_every_operation_declares_its_errors_and_its_id(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, one in item.items():
            responses = one["responses"]
            assert "400" in responses, (method, path)
            assert ("401" in responses) == bool(one.get("security")), (method, path)
            assert ("404" in responses) or "{" not in path, (method, path)
            assert ("413" in responses) == ("requestBody" in one), (method, path)
            for status, response in responses.items():
                assert "X-Request-Id" in response["headers"], (method, path, status)
                if status >= "4" and (path, status) != ("/readyz", "503"):
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (method, path)


def test_what_is_wrong_with_a_field_is_422_or_400_as_on_openai(document: dict[str, Any]) -> None:
    ours = operation(document, "post", "/v1/jobs")["responses"]
    assert {"400", "409", "410", "422"} <= set(ours)
    theirs = operation(document, "get", "/v1/batches")["responses"]
    assert "422" not in theirs
    assert "a parameter is wrong" in theirs["400"]["description"]


def test_what_is_made_links_to_what_takes_its_id(document: dict[str, Any]) -> None:
    links = operation(document, "post", "/v1/jobs")["responses"]["202"]["links"]
    read = operation(document, "get", "/v1/jobs/{job_id}")["operationId"]
    assert links[read] == {"operationId": read, "parameters": {"job_id": "$response.body#/id"}}


def test_an_optional_field_may_be_null(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    webhook = schemas["JobCreate"]["properties"]["webhook"]
    assert {"type": "null"} in webhook["anyOf"]
    assert "anyOf" not in schemas["JobCreate"]["properties"]["task"]
    assert "anyOf" not in schemas["EndpointChange"]["properties"]["url"]


def test_two_schemas_of_one_name_are_refused() -> None:
    def body(kind: str) -> dict[str, Any]:
        schema = {"title": "Thing", "properties": {"a": {"type": kind}}}
        content = {"application/json": {"schema": schema}}
        return {"requestBody": {"content": content}, "responses": {"200": {"description": ""}}}

    paths = {"/a": {"get": body("string")}, "/b": {"get": body("string")}}
    complete({"paths": paths})
    paths = {"/a": {"get": body("string")}, "/b": {"get": body("number")}}
    with pytest.raises(ValueError, match="called Thing"):
        complete({"paths": paths})


def test_a_wrong_method_is_told_all_that_the_url_takes(api: Api) -> None:
    for url, allowed in (
        ("/v1/jobs", "GET, POST"),
        ("/v1/jobs/job_1", "DELETE, GET"),
        ("/v1/webhook_endpoints/ep_1", "DELETE, GET, PATCH, POST"),
        ("/healthz", "GET"),
    ):
        answer = api.call("PUT", url)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
