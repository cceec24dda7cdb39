"""Files over HTTP: what is kept is whole, what is refused is not, nobody sees another's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from lepton_tasks.errors import StorageFull, StoreUnavailable
from lepton_tasks.files.drafts import Draft
from lepton_tasks.ids import new_id
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.file_tables import FileRow
from lepton_tasks.store.files import FileStore
from tests.support.api import Answer, Api, error_of

CONTENT = '{"custom_id": "第一行"}\n'.encode() * 3
files = FileRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]


@pytest.fixture
def api(file_api: Api) -> Api:
    return file_api


@pytest.fixture
def api_settings(file_settings: Settings) -> Settings:
    return file_settings


def upload(
    api: Api,
    content: bytes = CONTENT,
    tenant: str = "acme",
    name: str = "评论.jsonl",
    fields: Mapping[str, str] | None = None,
) -> Answer:
    data = {"purpose": "batch", **(fields or {})}
    return api.call("POST", "/v1/files", tenant, files={"file": (name, content)}, data=data)


def uploaded(api: Api, content: bytes = CONTENT, **more: Any) -> dict[str, Any]:
    answer = upload(api, content, **more)
    assert answer.status_code == 200, answer.text
    file: dict[str, Any] = answer.json()
    return file


def kept(settings: Settings) -> list[Path]:
    return [path for path in settings.files.rglob("*") if path.is_file()]


def test_a_file_is_uploaded_read_and_deleted(api: Api, api_settings: Settings) -> None:
    keep = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    file = uploaded(api, fields=keep)
    assert file | {"id": "", "created_at": 0, "expires_at": 0} == {
        "id": "",
        "object": "file",
        "bytes": len(CONTENT),
        "created_at": 0,
        "expires_at": 0,
        "filename": "评论.jsonl",
        "purpose": "batch",
        "status": "processed",
    }
    assert file["expires_at"] == pytest.approx(file["created_at"] + 3600, abs=1)
    url = f"/v1/files/{file['id']}"
    assert api.call("GET", url).json() == file
    [path] = kept(api_settings)
    assert path.name == file["id"]
    answer = api.call("DELETE", url)
    assert answer.json() == {"id": file["id"], "object": "file", "deleted": True}
    for method, end in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert error_of(api.call(method, url + end), 404)["code"] == "not_found"
    assert kept(api_settings) == []


def test_content_is_given_as_bytes_that_no_browser_runs(api: Api) -> None:
    file = uploaded(api, b"<script>", name="a b.html")
    answer = api.call("GET", f"/v1/files/{file['id']}/content")
    assert answer.text == "<script>"
    headers = answer.headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-length"] == "8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == "attachment; filename*=utf-8''a%20b.html"
    assert headers["cache-control"] == "private, no-store"


def test_a_part_of_the_content_is_given(api: Api) -> None:
    file = uploaded(api, b"0123456789")
    url = f"/v1/files/{file['id']}/content"
    whole = api.call("GET", url)
    part = api.call("GET", url, headers={"range": "bytes=2-4"})
    assert (part.status_code, part.text) == (206, "234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    both = {"range": "bytes=2-4", "if-range": whole.headers["etag"]}
    assert api.call("GET", url, headers=both).status_code == 206
    assert api.call("GET", url, headers=both | {"if-range": '"other"'}).text == "0123456789"
    none = api.call("GET", url, headers={"range": "bytes=10-"})
    assert error_of(none, 416)["code"] == "range_not_satisfiable"


def test_files_are_listed_in_both_orders(api: Api) -> None:
    ids = [uploaded(api, name=f"{number}")["id"] for number in range(3)]
    other = uploaded(api, tenant="other")

    def listed(query: str = "", tenant: str = "acme") -> dict[str, Any]:
        found: dict[str, Any] = api.call("GET", f"/v1/files{query}", tenant).json()
        return found

    assert [one["id"] for one in listed()["data"]] == ids[::-1]
    page = listed("?limit=2&order=asc")
    assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[0], ids[1], True)
    rest = listed(f"?limit=2&order=asc&after={ids[1]}")
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([ids[2]], False)
    assert listed("?purpose=batch_output")["data"] == []
    assert [one["id"] for one in listed(tenant="other")["data"]] == [other["id"]]
    for query in ("?limit=0", "?limit=10001", "?order=best"):
        assert error_of(api.call("GET", f"/v1/files{query}"), 400)["param"] == query[1:6].rstrip(
            "="
        )
    assert error_of(api.call("GET", f"/v1/files?after={other['id']}"), 404)["code"] == "not_found"


def test_nobody_sees_anothers_file(api: Api, api_settings: Settings) -> None:
    url = f"/v1/files/{uploaded(api)['id']}"
    for method, end in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert error_of(api.call(method, url + end, "other"), 404)["code"] == "not_found"
    assert len(kept(api_settings)) == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "nope"}, "purpose"),
        ({"purpose": "batch_output"}, "purpose"),
        ({"metadata": "{}"}, "metadata"),
        ({"expires_after[seconds]": "3600"}, "expires_after[anchor]"),
        (
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "10"},
            "expires_after[seconds]",
        ),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_kept(
    api: Api, api_settings: Settings, fields: dict[str, str], param: str
) -> None:
    assert error_of(upload(api, fields=fields), 400)["param"] == param
    assert kept(api_settings) == []


@pytest.mark.parametrize(
    ("sent", "status", "code", "names"),
    [
        ({"files": {"file": ("a", b"")}, "data": {"purpose": "batch"}}, 400, "empty_file", "file"),
        (
            {"files": {"files": ("a", b"x")}, "data": {"purpose": "batch"}},
            400,
            "unknown_field",
            "file",
        ),
        ({"files": {"file": ("a", b"x")}}, 400, "missing_purpose", "batch"),
        ({"json": {"purpose": "batch"}}, 400, "invalid_multipart", "multipart/form-data"),
        (
            {"files": {"file": ("a", bytes(2_001))}, "data": {"purpose": "batch"}},
            413,
            "file_too_large",
            "LEPTON_FILE_BYTES",
        ),
        (
            {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            400,
            "truncated_body",
            "send it again",
        ),
        (
            {
                "content": b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
                b"--x--\r\n",
                "headers": {"content-type": "multipart/form-data; boundary=x"},
            },
            400,
            "no_file",
            "file",
        ),
    ],
)
def test_a_body_that_is_refused_leaves_nothing(
    api: Api, api_settings: Settings, sent: dict[str, Any], status: int, code: str, names: str
) -> None:
    error = error_of(api.call("POST", "/v1/files", **sent), status)
    assert error["code"] == code
    assert names in error["message"]
    assert kept(api_settings) == []
    assert api.call("GET", "/v1/files").json()["data"] == []


def test_a_tenant_that_keeps_enough_is_told_the_setting(api: Api, api_settings: Settings) -> None:
    first = uploaded(api, bytes(2_000))
    error = error_of(upload(api, bytes(1_001)), 400)
    assert error["code"] == "files_full"
    assert "LEPTON_TENANT_FILE_BYTES" in error["message"]
    assert len(kept(api_settings)) == 1
    uploaded(api, bytes(1_001), tenant="other")
    api.call("DELETE", f"/v1/files/{first['id']}")
    uploaded(api, bytes(1_001))


def test_a_file_that_an_open_batch_reads_is_not_deleted(api: Api, api_settings: Settings) -> None:
    file_id = uploaded(api)["id"]
    batch_id = new_id("batch")
    api.store.batches.create("acme", batch_id, "moderation", Priority.BULK, "a")
    with api.store.database.write() as connection:
        connection.execute(update(batches).values(input_file_id=file_id))
    error = error_of(api.call("DELETE", f"/v1/files/{file_id}"), 409)
    assert error["code"] == "file_in_use"
    assert batch_id in error["message"]
    assert len(kept(api_settings)) == 1
    api.store.batches.cancel("acme", batch_id)
    assert api.call("DELETE", f"/v1/files/{file_id}").status_code == 200


def test_a_full_disk_is_said_and_leaves_nothing(
    api: Api, api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(draft: Draft, data: bytes) -> None:
        raise StorageFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Draft, "write", full)
        answer = upload(api)
    assert error_of(answer, 507)["code"] == "storage_full"
    assert answer.headers["x-should-retry"] == "false"
    assert kept(api_settings) == []
    uploaded(api)


def test_content_that_is_not_there_is_our_fault_and_not_gone(
    api: Api, api_settings: Settings
) -> None:
    file_id = uploaded(api)["id"]
    [path] = kept(api_settings)
    path.unlink()
    answer = api.call("GET", f"/v1/files/{file_id}/content")
    assert error_of(answer, 503)["code"] == "storage_unavailable"
    assert str(api_settings.files) not in answer.text


def test_content_stays_where_it_is_not_known_whether_it_has_a_row(
    api: Api, api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsure(*_: object, **__: object) -> None:
        raise StoreUnavailable("the connection broke while it was stored")

    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "create", unsure)
        assert error_of(upload(api), 503)["code"] == "store_unavailable"
    assert len(kept(api_settings)) == 1
