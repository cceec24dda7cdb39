"""Texts become tokens once; what was done already is not done again."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lepton_tasks.nlp.training import TrainingOptions
from tests.support.texts import days
from workers.custom.preparing import Prepared, prepare
from workers.custom.texts import Texts
from workers.custom.writer_size import WriterSize
from workers.longruns.child import Paused, RunFailed, Speaker

OPTIONS = TrainingOptions(model="w", method="language-model", vocabulary=300, context=24)


def made(folder: Path, identity: str = "one", speaker: Speaker | None = None) -> Prepared:
    texts = Texts("texts", [*days(90, "en"), *days(12, "zh")], None)
    said = speaker or Speaker(io.BytesIO())
    return prepare(folder, texts, OPTIONS, WriterSize.of(OPTIONS), identity, said)


def test_what_was_prepared_is_taken_as_it_is(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert first.languages == {"en": 90, "zh": 12}
    assert first.trained + first.held_out == 102 and first.held_out
    shard = tmp_path / "tokens" / "train-00000.npy"
    before = shard.stat().st_mtime_ns
    again = made(tmp_path)
    assert (again.trained, again.held_out) == (first.trained, first.held_out)
    assert shard.stat().st_mtime_ns == before
    made(tmp_path, "another")
    assert shard.stat().st_mtime_ns > before


def test_documents_that_repeat_others_are_told_of(tmp_path: Path) -> None:
    texts = Texts("diary", ["今天去了公园。\n", "今天下雨。\n"] * 40, None)
    with pytest.raises(RunFailed) as fault:
        prepare(tmp_path, texts, OPTIONS, WriterSize.of(OPTIONS), "one", Speaker(io.BytesIO()))
    assert "diary: there are 2 documents" in str(fault.value)
    assert "(78 that repeat others count once)" in str(fault.value)


def test_a_preparation_that_was_cut_off_begins_anew(tmp_path: Path) -> None:
    speaker = Speaker(io.BytesIO())
    speaker.pausing = True
    with pytest.raises(Paused):
        made(tmp_path, speaker=speaker)
    assert not (tmp_path / "prepared.json").exists()
    assert made(tmp_path).trained == made(tmp_path, "whole").trained
