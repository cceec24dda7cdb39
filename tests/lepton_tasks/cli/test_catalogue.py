"""What commands ask of the catalogue before a job is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.cli.catalogue import check_classifier
from lepton_tasks.errors import InvalidInput
from lepton_tasks.settings import Settings


def test_a_model_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    check_classifier("sentiment", "--base", Settings(home=tmp_path))
    with pytest.raises(
        InvalidInput, match="--base: 'small-writer' is no text classifier"
    ) as caught:
        check_classifier("small-writer", "--base", Settings(home=tmp_path))
    assert "sentiment" in str(caught.value) and caught.value.param == "--base"


def test_a_system_elsewhere_may_know_more(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis_url="redis://elsewhere:6379/0")
    check_classifier("anything", "--base", settings)
