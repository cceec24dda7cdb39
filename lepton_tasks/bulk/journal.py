"""The progress of an unfinished run, in a small file that is replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.tally import Tally
from lepton_tasks.errors import InvalidInput

_FORMAT: Final = 1


@dataclass(slots=True)
class Journal:
    """How far a run is known to have come.

    All cuts before ``next_cut`` are in the first ``out_bytes`` and ``errors_bytes`` of
    the two outputs, on disk; ``tally`` counts exactly those. What lies behind these
    bytes was written after the journal and is cut off when the run is resumed.
    """

    batch_id: str
    plan: Mapping[str, Any]
    next_cut: int = 0
    out_bytes: int = 0
    errors_bytes: int = 0
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)

    def save(self, path: Path) -> None:
        """Replace the file; afterwards either the old or the new one is there, whole.

        Raises:
            RunStopped: the disk is full or the folder is gone.
        """
        data = {
            "format": _FORMAT,
            "batch_id": self.batch_id,
            "plan": dict(self.plan),
            "next_cut": self.next_cut,
            "out_bytes": self.out_bytes,
            "errors_bytes": self.errors_bytes,
            "seconds": self.seconds,
            "tally": self.tally.dump(),
        }
        replace_file(path, orjson.dumps(data, option=orjson.OPT_INDENT_2))

    @classmethod
    def load(cls, path: Path) -> Journal:
        """Read the file.

        Raises:
            InvalidInput: there is none, or it is not one of ours.
        """
        try:
            data = orjson.loads(path.read_bytes())
            if data.pop("format") != _FORMAT:
                raise InvalidInput(
                    f"{path} was written by another release; "
                    "finish the run with that one, or start over with --overwrite",
                    "--resume",
                )
            return cls(**{**data, "tally": Tally.load(data["tally"])})
        except FileNotFoundError as error:
            raise InvalidInput(
                f"there is no {path}: no run into that file is unfinished; "
                "begin one without --resume",
                "--resume",
            ) from error
        except OSError as error:
            raise InvalidInput(f"cannot read {path}: {error.strerror}", "--resume") from error
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"{path} is damaged; start over with --overwrite", "--resume"
            ) from error


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file; afterwards either the old or the new one is there, whole.

    Raises:
        RunStopped: the disk is full or the folder is gone.
    """
    draft = path.with_name(path.name + ".tmp")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path)
    except OSError as error:
        raise RunStopped(f"cannot write {path}: {error.strerror}") from error


def sync_folder(path: Path) -> None:
    """Make the entry of ``path`` in its folder durable."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
