"""Large files in parts, by both clients of a scripted server."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.client import InvalidRequest, files, uploads
from lepton_tasks.client.uploads import MOST_PARTS, PART_BYTES, Section, part_size
from tests.support.job_bodies import FILE
from tests.support.scripted_http import HANG_UP, Say, ScriptedServer, parts

CONTENT = "你好，世界\n".encode() * 20


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of more than 100 bytes are large, and parts have 128."""
    monkeypatch.setattr(files, "LARGE_BYTES", 100)
    monkeypatch.setattr(uploads, "PART_BYTES", 128)


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 70))
def test_a_section_is_a_file_of_its_own(content: bytes, start: int, size: int, step: int) -> None:
    wanted = content[start : start + size]
    section = Section(io.BytesIO(content), start, len(wanted))
    assert section.read() == wanted
    assert section.seek(0, io.SEEK_END) == len(wanted)
    section.seek(0)
    assert b"".join(iter(lambda: section.read(step), b"")) == wanted
    assert (section.tell(), section.seekable(), section.readable()) == (len(wanted), True, True)


@given(st.integers(1, MOST_PARTS * 2 * PART_BYTES))
def test_any_size_has_few_enough_parts(size: int) -> None:
    step = part_size(size)
    assert -(-size // step) <= MOST_PARTS


def test_a_large_file_goes_in_parts_and_each_again_by_itself(
    client: Any, server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "big.jsonl"
    path.write_bytes(CONTENT)
    server.say(
        Say(200, {"id": "upload_1"}),
        Say(200, {"id": "part_1"}),
        HANG_UP,
        Say(200, {"id": "part_2"}),
        Say(200, {"id": "part_3"}),
        HANG_UP,
        Say(200, {"id": "upload_1", "file": FILE}),
    )
    assert client.files.upload(path, expires_seconds=3600).id == "file_1"
    assert server.asked[0].json == {
        "filename": "big.jsonl",
        "purpose": "batch",
        "bytes": 320,
        "mime_type": "application/octet-stream",
        "expires_after": {"anchor": "created_at", "seconds": 3600},
    }
    sent = [parts(asked)["data"][1] for asked in server.asked[1:5]]
    assert sent == [CONTENT[:128], CONTENT[128:256], CONTENT[128:256], CONTENT[256:]]
    digest = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    for asked in server.asked[5:]:
        assert asked.path == "/v1/uploads/upload_1/complete"
        assert asked.json == {"part_ids": ["part_1", "part_2", "part_3"], "md5": digest}


def test_an_upload_that_fails_is_given_up(client: Any, server: ScriptedServer) -> None:
    full = {"error": {"code": "quota", "message": "no room", "param": "data"}}
    server.say(Say(200, {"id": "upload_1"}), Say(400, full), Say(200, {"id": "upload_1"}))
    with pytest.raises(InvalidRequest, match="no room"):
        client.files.upload(CONTENT)
    assert server.asked[-1].path == "/v1/uploads/upload_1/cancel"
