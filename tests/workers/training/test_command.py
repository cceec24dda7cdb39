"""Arguments that every training command takes, and the data sets that its help names."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.training import (
    classification,
    embedding,
    moderation,
    question_answering,
    sentiment,
    summarisation,
    tagging,
)
from workers.training.command import DEFAULT_SEED, say, training_parser
from workers.training.datasets import COLD, TATOEBA

COMMANDS = (
    classification,
    embedding,
    moderation,
    question_answering,
    sentiment,
    summarisation,
    tagging,
)


def test_the_data_is_asked_for_and_the_rest_is_as_shipped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = training_parser("tea", "Train it.", [TATOEBA, COLD, COLD], Path("out"))
    chosen = parser.parse_args(["--data", "数据"])
    assert (chosen.data, chosen.out, chosen.seed) == (Path("数据"), Path("out"), DEFAULT_SEED)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([])
    assert ended.value.code == 2
    assert "--data" in capsys.readouterr().err


def test_the_help_names_each_data_set_once() -> None:
    text = training_parser("tea", "Train it.", [TATOEBA, COLD, COLD], Path("out")).format_help()
    assert [text.count(one.name) for one in (TATOEBA, COLD)] == [1, 1]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__.rpartition(".")[2])
def test_every_command_says_which_data_is_missing(
    command: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = command.main  # type: ignore[attr-defined]
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "train.jsonl" in capsys.readouterr().out


def test_what_is_said_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("第 1 步")
    assert capsys.readouterr() == ("", "第 1 步\n")
