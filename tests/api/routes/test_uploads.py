"""Files that come in parts, over HTTP: whole at the end, or nothing of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from api.file_intake import Turns
from api.routes import uploads as module
from lepton_tasks.errors import StorageUnavailable
from lepton_tasks.files.drafts import Draft
from lepton_tasks.settings import Settings
from lepton_tasks.store.file_tables import UploadRow
from tests.support.api import Answer, Api, error_of

uploads = UploadRow.__table__  # type: ignore[attr-defined]
PARTS = ['{"custom_id": "一"}\n'.encode(), b"\0\r\n--", b"end"]
WHOLE = b"".join(PARTS)


def create(api: Api, tenant: str = "acme", **changes: Any) -> Answer:
    body = {
        "bytes": len(WHOLE),
        "filename": "评论.jsonl",
        "mime_type": "application/jsonl",
        "purpose": "batch",
    }
    return api.call("POST", "/v1/uploads", tenant, json=body | changes)


def created(api: Api, **changes: Any) -> str:
    answer = create(api, **changes)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def send(api: Api, upload_id: str, data: bytes, tenant: str = "acme") -> Answer:
    return api.call("POST", f"/v1/uploads/{upload_id}/parts", tenant, files={"data": ("a", data)})


def sent(api: Api, upload_id: str, *parts: bytes) -> list[str]:
    answers = [send(api, upload_id, part) for part in parts]
    assert [answer.status_code for answer in answers] == [200] * len(parts)
    return [answer.json()["id"] for answer in answers]


def complete(api: Api, upload_id: str, part_ids: object, **more: Any) -> Answer:
    body = {"part_ids": part_ids} | more
    return api.call("POST", f"/v1/uploads/{upload_id}/complete", json=body)


def kept(settings: Settings) -> list[Path]:
    return [path for path in settings.files.rglob("*") if path.is_file()]


def test_parts_become_a_file_in_the_order_that_is_named(
    file_api: Api, file_settings: Settings
) -> None:
    api = file_api
    begun = create(api, expires_after={"anchor": "created_at", "seconds": 3600}).json()
    assert (begun["object"], begun["status"], begun["file"]) == ("upload", "pending", None)
    assert begun["expires_at"] == pytest.approx(begun["created_at"] + 3600, abs=1)
    upload_id = begun["id"]
    ids = sent(api, upload_id, *PARTS[::-1], b"sent once more")[:3][::-1]
    md5 = hashlib.md5(WHOLE, usedforsecurity=False).hexdigest().upper()
    done = complete(api, upload_id, ids, md5=md5).json()
    file = done["file"]
    assert done == begun | {"status": "completed", "file": file}
    assert (file["bytes"], file["filename"], file["purpose"]) == (len(WHOLE), "评论.jsonl", "batch")
    assert file["expires_at"] == pytest.approx(file["created_at"] + 3600, abs=1)
    [path] = kept(file_settings)
    assert path.read_bytes() == WHOLE
    assert complete(api, upload_id, ids).json() == done
    assert len(api.call("GET", "/v1/files").json()["data"]) == 1
    api.call("DELETE", f"/v1/files/{file['id']}")
    assert complete(api, upload_id, ids).json() == done | {"file": None}


def test_a_part_is_what_a_client_knows(file_api: Api) -> None:
    upload_id = created(file_api)
    part = send(file_api, upload_id, b"x").json()
    assert part.pop("created_at") > 0
    assert part.pop("id").startswith("part_")
    assert part == {"object": "upload.part", "upload_id": upload_id}


def test_an_upload_that_is_given_up_leaves_nothing(file_api: Api, file_settings: Settings) -> None:
    upload_id = created(file_api)
    ids = sent(file_api, upload_id, *PARTS)
    url = f"/v1/uploads/{upload_id}/cancel"
    assert file_api.call("POST", url).json()["status"] == "cancelled"
    assert file_api.call("POST", url).json()["status"] == "cancelled"
    assert kept(file_settings) == []
    for answer in (send(file_api, upload_id, b"x"), complete(file_api, upload_id, ids)):
        assert error_of(answer, 400)["code"] == "upload_ended"
    assert kept(file_settings) == []


def test_an_upload_ends_after_an_hour(file_api: Api) -> None:
    upload_id = created(file_api)
    ids = sent(file_api, upload_id, WHOLE)
    with file_api.store.database.write() as connection:
        connection.execute(update(uploads).values(expires_at=1.0))
    for answer in (send(file_api, upload_id, b"x"), complete(file_api, upload_id, ids)):
        error = error_of(answer, 400)
        assert error["code"] == "upload_ended"
        assert "expired" in error["message"]


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"bytes": 0}, 400, "bytes"),
        ({"bytes": "5"}, 400, "bytes"),
        ({"bytes": True}, 400, "bytes"),
        ({"bytes": 2_001}, 413, "bytes"),
        ({"filename": ""}, 400, "filename"),
        ({"filename": None}, 400, "filename"),
        ({"mime_type": "\0"}, 400, "mime_type"),
        ({"purpose": "nope"}, 400, "purpose"),
        ({"expires_after": {"anchor": "created_at"}}, 400, "expires_after"),
        (
            {"expires_after": {"anchor": "created_at", "seconds": 5}},
            400,
            "expires_after.seconds",
        ),
        ({"size": 5}, 400, "size"),
    ],
)
def test_what_is_announced_is_judged(
    file_api: Api, changes: dict[str, Any], status: int, param: str
) -> None:
    assert error_of(create(file_api, **changes), status)["param"] == param


def test_a_part_that_is_refused_is_not_kept(
    file_api: Api, file_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 100)
    upload_id = created(file_api, bytes=10)
    assert error_of(send(file_api, upload_id, bytes(101)), 413)["code"] == "file_too_large"
    assert error_of(send(file_api, upload_id, b""), 400)["code"] == "no_file"
    assert error_of(send(file_api, upload_id, bytes(50)), 400)["code"] == "too_many_parts"
    url = f"/v1/uploads/{upload_id}/parts"
    wrong = file_api.call("POST", url, files={"file": ("a", b"x")})
    assert error_of(wrong, 400)["code"] == "unknown_field"
    assert error_of(send(file_api, upload_id, b"x", "other"), 404)["code"] == "not_found"
    for end, body in (("complete", {"part_ids": ["part_1"]}), ("cancel", {})):
        url = f"/v1/uploads/{upload_id}/{end}"
        assert error_of(file_api.call("POST", url, "other", json=body), 404)["code"] == "not_found"
    assert kept(file_settings) == []


def test_a_tenant_announces_no_more_than_it_may_keep(file_api: Api) -> None:
    first = created(file_api, bytes=2_000)
    sent(file_api, first, bytes(2_000))
    error = error_of(create(file_api, bytes=1_001), 400)
    assert error["code"] == "files_full"
    file_api.call("POST", f"/v1/uploads/{first}/cancel")
    created(file_api, bytes=1_001)


def test_parts_that_do_not_make_the_file_are_refused_and_stay(
    file_api: Api, file_settings: Settings
) -> None:
    upload_id = created(file_api)
    ids = sent(file_api, upload_id, *PARTS)
    wrong: list[tuple[object, dict[str, Any], str]] = [
        (ids[:2], {}, "part_ids"),
        ([*ids, ids[0]], {}, "part_ids"),
        ([*ids[:2], "part_x"], {}, "part_ids[2]"),
        ([], {}, "part_ids"),
        ("part_x", {}, "part_ids"),
        (ids, {"md5": "0" * 32}, "md5"),
        (ids, {"md5": "abc"}, "md5"),
        (ids, {"sha": "abc"}, "sha"),
    ]
    for part_ids, more, param in wrong:
        assert error_of(complete(file_api, upload_id, part_ids, **more), 400)["param"] == param
    assert len(kept(file_settings)) == 3
    assert complete(file_api, upload_id, ids).status_code == 200


def test_a_disk_that_fails_leaves_the_upload_as_it_was(
    file_api: Api, file_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable("the disk failed")

    upload_id = created(file_api)
    ids = sent(file_api, upload_id, *PARTS)
    with monkeypatch.context() as patch:
        patch.setattr(Draft, "append", fail)
        assert error_of(complete(file_api, upload_id, ids), 503)["code"] == "storage_unavailable"
    assert len(kept(file_settings)) == 3
    assert complete(file_api, upload_id, ids).json()["status"] == "completed"


def test_whoever_asks_two_processes_at_once_gets_one_file(
    file_api: Api, file_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def at_once(turns: Turns, name: str) -> AsyncIterator[None]:
        yield

    monkeypatch.setattr(Turns, "turn", at_once)
    upload_id = created(file_api)
    ids = sent(file_api, upload_id, *PARTS)
    publish, append = Draft.publish, Draft.append

    def publish_second(draft: Draft, file_id: str) -> None:
        monkeypatch.setattr(Draft, "publish", publish)
        assert complete(file_api, upload_id, ids).status_code == 200
        publish(draft, file_id)

    monkeypatch.setattr(Draft, "publish", publish_second)
    done = complete(file_api, upload_id, ids).json()
    assert [path.name for path in kept(file_settings)] == [done["file"]["id"]]

    upload_id = created(file_api)
    ids = sent(file_api, upload_id, *PARTS)

    def append_late(draft: Draft, *how: Any) -> None:
        monkeypatch.setattr(Draft, "append", append)
        assert complete(file_api, upload_id, ids).status_code == 200
        append(draft, *how)

    monkeypatch.setattr(Draft, "append", append_late)
    assert complete(file_api, upload_id, ids).json()["status"] == "completed"
    assert len(kept(file_settings)) == 2


def test_an_upload_is_put_together_once_however_often_that_is_asked_for(
    file_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = file_api
    upload_id = created(api)
    ids = sent(api, upload_id, *PARTS)
    append, appended = Draft.append, []

    def slowly(draft: Draft, source: Path, *more: Any) -> None:
        appended.append(source)
        time.sleep(0.05)
        append(draft, source, *more)

    monkeypatch.setattr(Draft, "append", slowly)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: complete(api, upload_id, ids).json(), range(4)))
    assert answers[0]["status"] == "completed"
    assert answers == [answers[0]] * 4
    assert len(appended) == len(PARTS)


def test_a_cancel_while_it_is_put_together_is_told_as_one(
    file_api: Api, file_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = file_api
    upload_id = created(api)
    ids = sent(api, upload_id, *PARTS)
    append = Draft.append

    def append_late(draft: Draft, *how: Any) -> None:
        api.call("POST", f"/v1/uploads/{upload_id}/cancel")
        append(draft, *how)

    monkeypatch.setattr(Draft, "append", append_late)
    assert error_of(complete(api, upload_id, ids), 400)["code"] == "upload_ended"
    assert kept(file_settings) == []
