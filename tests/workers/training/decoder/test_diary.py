"""The text of the tutorial: both languages, the same for the same seed."""

from __future__ import annotations

import pytest

from lepton_tasks.nlp.language import detect_language
from workers.training.decoder.diary import entries, main


def test_languages_take_turns() -> None:
    found = list(entries(40, 1))
    assert {detect_language(one) for one in found[::2]} == {"zh"}
    assert {detect_language(one) for one in found[1::2]} == {"en"}
    assert not any("{" in one for one in found)


def test_the_command_prints_entries_between_blank_lines(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert main(["--entries", "6", "--seed", "3"]) == 0
    text = capsysbinary.readouterr().out.decode()
    assert text.split("\n\n")[:-1] == list(entries(6, 3))
