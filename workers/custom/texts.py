"""The raw texts of a language model's training: from a job or a file, bounded and told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_tasks.raw_texts import read_documents
from lepton_tasks.settings import Settings
from workers.custom.rows import find_file
from workers.longruns.child import RunFailed


@dataclass(frozen=True, slots=True)
class Texts:
    """Documents to read, as often as wanted. ``name`` is what messages call them."""

    name: str
    given: list[str] | None
    file: Path | None

    @classmethod
    def of(cls, item: Mapping[str, Any], settings: Settings) -> Texts:
        """Those of a job's item.

        Raises:
            RunFailed: the item has none, or its file cannot be had or is too large.
        """
        if (named := item.get("file")) is None:
            if item.get("texts") is None:
                raise RunFailed("wrong_texts", "a language model learns from texts or a file")
            return cls("texts", item["texts"], None)
        file = find_file(settings.data_folder, named)
        megabytes = file.stat().st_size / 1e6
        if megabytes > settings.training_file_mb:
            raise RunFailed(
                "file_too_large",
                f"{named} has {megabytes:,.0f} MB and LEPTON_TRAINING_FILE_MB of the worker allows "
                f"{settings.training_file_mb:,}: send a part of it, or set it higher",
            )
        return cls(named, None, file)

    def documents(self) -> Iterator[str]:
        """Yield them, one at a time.

        Raises:
            RunFailed: a line is wrong; the message names it.
        """
        if self.file is None:
            yield from self.given or ()
            return
        try:
            with self.file.open("rb") as lines:
                yield from read_documents(lines, self.name)
        except OSError as error:
            raise RunFailed("no_such_file", f"{self.name}: {error.strerror}") from error
        except ValueError as error:
            raise RunFailed("wrong_texts", str(error)) from None

    def digest(self) -> str:
        """Hash of what there is to read."""
        if self.file is not None:
            with self.file.open("rb") as lines:
                return hashlib.file_digest(lines, "sha256").hexdigest()
        digest = hashlib.sha256()
        for text in self.given or ():
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()
