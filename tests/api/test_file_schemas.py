"""Files, uploads and parts as stock clients read them."""

from __future__ import annotations

from openai.types import FileObject, Upload
from openai.types.uploads import UploadPart

from api.file_schemas import FileDeleted, FileView, PartView, UploadView
from lepton_tasks.states import UploadState
from lepton_tasks.store import uploads
from lepton_tasks.store.files import File

FILE = File("file_1", "acme", "batch", "评论.jsonl", 9, 1.9, None)


def test_a_file_is_shown_without_its_tenant() -> None:
    shown = FileView.of(FILE)
    assert "acme" not in shown.model_dump_json()
    read = FileObject.model_validate(shown.model_dump(), strict=True)
    assert (read.bytes, read.filename, read.created_at, read.expires_at) == (
        9,
        "评论.jsonl",
        1,
        None,
    )
    assert FileDeleted(id="file_1").deleted


def test_an_upload_has_its_file_once_it_is_whole() -> None:
    upload = uploads.Upload(
        "upload_1",
        "acme",
        "batch",
        "评论.jsonl",
        "application/jsonl",
        9,
        UploadState.COMPLETED,
        "file_1",
        None,
        1.5,
        3601.5,
    )
    read = Upload.model_validate(UploadView.of(upload, FILE).model_dump(mode="json"))
    assert (read.status, read.expires_at) == ("completed", 3601)
    assert read.file is not None
    assert read.file.id == "file_1"
    assert UploadView.of(upload).file is None


def test_a_part_names_its_upload() -> None:
    shown = PartView.of("upload_1", uploads.Part("part_1", 9, 1.5)).model_dump()
    read = UploadPart.model_validate(shown)
    assert (read.upload_id, read.created_at) == ("upload_1", 1)
