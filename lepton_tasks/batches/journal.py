"""How far the run of a batch is known to have come, in a small file beside what it writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import orjson

from lepton_tasks.bulk.journal import replace_file
from lepton_tasks.store.batch_runs import LineCounts

NAME: Final = "progress.json"


@dataclass(slots=True)
class BatchJournal:
    """All lines up to ``line`` are in the first bytes of the two files, on disk.

    The rest is cut anew, from ``next_cut`` and ``next_ordinal`` on, by ``rules``; by other
    rules it is other shards. The counts are those of exactly the lines that are written.
    """

    rules: str = ""
    next_cut: int = 0
    next_ordinal: int = 0
    line: int = 0
    output_bytes: int = 0
    error_bytes: int = 0
    completed: int = 0
    failed: int = 0
    expired: int = 0
    usage: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> LineCounts:
        """Lines that are written."""
        return LineCounts(self.completed, self.failed)

    def save(self, folder: Path) -> None:
        """Replace the file; afterwards either the old or the new one is there, whole.

        Raises:
            RunStopped: the disk is full or the folder is gone.
        """
        replace_file(folder / NAME, orjson.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> BatchJournal | None:
        """Read the file; None where there is none, or none of ours."""
        try:
            return cls(**orjson.loads((folder / NAME).read_bytes()))
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
            return None
