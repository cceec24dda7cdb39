"""What goes in and out of the routes of files, as stock clients know it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.files.rules import PURPOSES
from lepton_tasks.store.files import File

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
