"""Where long runs keep their checkpoints: a folder an item, until its job has ended."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

_OWN: Final = re.compile(r"job_[0-9a-z]+")
_NAME: Final = re.compile(r"(job_[0-9a-z]+|celery_[A-Za-z0-9_.~%-]+)-\d+")
_FOREIGN: Final = "celery_"
"""Before ids that plain Celery producers chose: these may be any text, a path among them."""
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
        folder = self._root / f"{_written(job_id)}-{place}"
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
            if name is not None and (job_id := _read(name[1])) not in held:
                found.setdefault(job_id, []).append(folder)
        ids = list(found)
        gone = 0
        for start in range(0, len(ids), _AT_ONCE):
            page = ids[start : start + _AT_ONCE]
            for job_id in set(page) - open_jobs(page):
                for folder in found[job_id]:
                    shutil.rmtree(folder, ignore_errors=True)
                    gone += 1
        return gone


def _written(job_id: str) -> str:
    """A job's id as a part of a name that stays inside of its folder.

    >>> _written("job_01k"), _written("../a-1"), _read(_written("../a-1"))
    ('job_01k', 'celery_..%2Fa-1', '../a-1')
    """
    return job_id if _OWN.fullmatch(job_id) else _FOREIGN + quote(job_id, safe="")


def _read(written: str) -> str:
    """Inverse of :func:`_written`."""
    return unquote(written[len(_FOREIGN) :]) if written.startswith(_FOREIGN) else written
