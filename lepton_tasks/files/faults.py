"""What the system says of the folder of files, as errors of ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lepton_tasks.errors import StorageFull, StorageUnavailable

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Numbers of errors that room would heal."""


@contextmanager
def translated() -> Iterator[None]:
    """Say what the system says of the folder as errors of ours.

    Raises:
        StorageUnavailable: something failed; StorageFull where there was no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull(
                f"there is no room for files ({error.strerror}); make some, or move "
                "LEPTON_FILES_FOLDER"
            ) from error
        raise StorageUnavailable(
            f"LEPTON_FILES_FOLDER cannot be used: {error.strerror}: {error.filename}"
        ) from error
