"""Files of model versions: which there must be, and how they come to be on disk for good."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from lepton_tasks.errors import VersionError

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
CARD: Final = "CARD.md"


def missing_files(folder: Path) -> list[str]:
    """What keeps a folder from being a whole model, in words; nothing where it is one."""
    wrong = [f"{name} is missing or empty" for name in (CONFIG, CARD) if not _filled(folder / name)]
    shards: list[str] = [WEIGHTS]
    if not (folder / WEIGHTS).exists() and (folder / INDEX).is_file():
        try:
            shards = sorted(set(json.loads((folder / INDEX).read_bytes())["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError):
            wrong.append(f"{INDEX} is no index of shards")
    wrong += [f"{name} is missing or empty" for name in shards if not _filled(folder / str(name))]
    wrong += [
        f"{path.relative_to(folder)} is neither a file nor a folder"
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not (path.is_file() or path.is_dir())
    ]
    return wrong


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        VersionError: the file cannot be read or holds something else.
    """
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise VersionError(f"{file} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise VersionError(f"{file} holds no JSON object")
    return value


def flush(folder: Path) -> None:
    """Have everything in a folder on disk when this returns."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        else:
            flush_folder(path)
    flush_folder(folder)


def flush_folder(folder: Path) -> None:
    """Have a folder's list of names on disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(file: Path, content: bytes) -> None:
    """Replace a file for good; who reads it sees the old content or the new, whole."""
    beside = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        with beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    flush_folder(file.parent)


def folders(parent: Path) -> list[Path]:
    """The folders in a folder, links not; none where it does not exist."""
    try:
        with os.scandir(parent) as found:
            return [Path(one.path) for one in found if one.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def hash_of(folder: Path) -> str:
    """SHA-256 of the names and the contents of all files, in hexadecimal."""
    whole = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.relative_to(folder)}\0{digest}\n".encode())
    return whole.hexdigest()


def last_written(folder: Path) -> float:
    """Unix seconds of the last writing in a folder; now where it is going away."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return time.time()


def _filled(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0
