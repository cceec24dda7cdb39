"""What the system says of the folder is told as what can be done about it."""

from __future__ import annotations

import errno
import os

import pytest

from lepton_tasks.errors import StorageFull, StorageUnavailable
from lepton_tasks.files.faults import translated


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_lack_of_room_is_told_from_other_faults(number: int) -> None:
    with pytest.raises(StorageFull, match="LEPTON_FILES_FOLDER"), translated():
        raise OSError(number, os.strerror(number))


def test_another_fault_names_the_setting_and_the_path() -> None:
    with pytest.raises(StorageUnavailable) as told, translated():
        raise PermissionError(errno.EACCES, "denied", "/files")
    assert not isinstance(told.value, StorageFull)
    assert str(told.value) == "LEPTON_FILES_FOLDER cannot be used: denied: /files"
