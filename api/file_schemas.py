"""What goes in and out of the routes of files, as stock clients know it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import described
from lepton_tasks.files.rules import PURPOSES
from lepton_tasks.states import UploadState
from lepton_tasks.store.files import File
from lepton_tasks.store.uploads import Part, Upload

FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": list(PURPOSES)},
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {
                            "type": "integer",
                            "minimum": 3600,
                            "maximum": 2592000,
                        },
                    },
                }
            }
        },
    }
}
"""The body of ``POST /v1/files``, for OpenAPI: it is read as it comes, by our own rules."""
FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")


class FileView(BaseModel):
    """A file that is whole. Times are Unix seconds; ``expires_at`` where it has one of its own."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: Annotated[str, Field(examples=["batch", "batch_output"])]
    status: Literal["processed"] = "processed"

    @classmethod
    def of(cls, file: File) -> Self:
        """View of a stored file."""
        return cls(
            id=file.id,
            bytes=file.size,
            created_at=int(file.created_at),
            expires_at=None if file.expires_at is None else int(file.expires_at),
            filename=file.filename,
            purpose=file.purpose,
        )


class FileDeleted(BaseModel):
    """A file that is no more."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


PART_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["data"],
                    "properties": {"data": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
"""The body of a part of an upload."""


class UploadCreate(BaseModel):
    """A file that will come in parts; ``bytes`` is its length."""

    model_config = ConfigDict(extra="forbid")

    bytes: Annotated[Any, described({"type": "integer", "minimum": 1})]
    filename: Annotated[Any, described({"type": "string"})]
    mime_type: Annotated[Any, described({"type": "string"})]
    purpose: Annotated[Any, described({"type": "string", "enum": list(PURPOSES)})]
    expires_after: Annotated[
        Any,
        described(
            {
                "type": "object",
                "required": ["anchor", "seconds"],
                "properties": {
                    "anchor": {"type": "string", "enum": ["created_at"]},
                    "seconds": {"type": "integer", "minimum": 3600, "maximum": 2592000},
                },
                "additionalProperties": False,
            }
        ),
    ] = None


class UploadComplete(BaseModel):
    """The parts of a file in their order, and its MD5 in hexadecimal, if it shall be checked."""

    model_config = ConfigDict(extra="forbid")

    part_ids: Annotated[Any, described({"type": "array", "items": {"type": "string"}})]
    md5: Annotated[Any, described({"type": "string", "pattern": "^[0-9a-fA-F]{32}$"})] = None


class PartView(BaseModel):
    """A part that is whole. Times are Unix seconds."""

    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: int
    upload_id: str

    @classmethod
    def of(cls, upload_id: str, part: Part) -> Self:
        """View of a stored part."""
        return cls(id=part.id, created_at=int(part.created_at), upload_id=upload_id)


class UploadView(BaseModel):
    """An upload, and its file once that is whole. Times are Unix seconds."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    object: Literal["upload"] = "upload"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: UploadState
    file: FileView | None = None

    @classmethod
    def of(cls, upload: Upload, file: File | None = None) -> Self:
        """View of a stored upload."""
        return cls(
            id=upload.id,
            bytes=upload.size,
            created_at=int(upload.created_at),
            expires_at=int(upload.expires_at),
            filename=upload.filename,
            purpose=upload.purpose,
            status=upload.state,
            file=None if file is None else FileView.of(file),
        )
