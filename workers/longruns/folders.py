"""Where long runs keep their checkpoints: a folder an item, until its job has ended."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"(job_[0-9a-z]+)-\d+")
_AT_ONCE: Final = 500


class RunFolders:
    """The folders of one installation; several workers may share them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def make(self, job_id: str, place: int) -> Path:
        """Return the folder of one input of a job, which is there afterwards.

        Raises:
            OSError: it cannot be made.
        """
        folder = self._root / f"{job_id}-{place}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def sweep(self, open_jobs: Callable[[Sequence[str]], set[str]], held: Collection[str]) -> int:
        """Remove folders whose jobs have ended or are no more; returns how many.

        ``open_jobs`` says which jobs have not ended. Those of ``held`` jobs stay.
        """
        if not self._root.is_dir():
            return 0
        found: dict[str, list[Path]] = {}
        for folder in sorted(self._root.iterdir()):
            name = _NAME.fullmatch(folder.name)
            if name is not None and name[1] not in held:
                found.setdefault(name[1], []).append(folder)
        ids = list(found)
        gone = 0
        for start in range(0, len(ids), _AT_ONCE):
            page = ids[start : start + _AT_ONCE]
            for job_id in set(page) - open_jobs(page):
                for folder in found[job_id]:
                    shutil.rmtree(folder, ignore_errors=True)
                    gone += 1
        return gone
