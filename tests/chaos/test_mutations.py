"""Each run fails without the safeguard it is about, so it would notice if that were gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.mutations import without

FAULT = {"fence": "written twice", "epoch": "lost", "suspect": "answer inputs dead"}


@pytest.mark.parametrize("safeguard", FAULT)
def test_without_a_safeguard_the_run_fails(safeguard: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert without(safeguard, safeguard, url, tmp_path)[FAULT[safeguard]] > 0
