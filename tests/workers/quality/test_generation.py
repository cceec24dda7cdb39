"""The report on generation, on a few texts written here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from workers.quality.generation import Measured, measure, sliding_loss
from workers.training.datasets import DataMissing
from workers.training.decoder.sets import SETS

TRAIN = {
    "mt_tatoeba": {"en": "We read a book today.", "zh": "今天我们看书。"},
    "sum_csl_zh": {"text": "本文提出一种省油的灯。", "summary": "灯"},
    "sum_scitldr": {"text": "A long text.", "summary": "We propose a lamp that saves oil."},
    "dlg_crosswoz_zh": {"turns": [{"text": "你好，请问门票多少钱？"}, {"text": "免费。"}]},
}
DEV = {
    "mt_tatoeba": {"en": "They read a book.", "zh": "他们今天看书。"},
    "sum_csl_zh": {"text": "本文提出一种方法。", "summary": "法"},
    "sum_scitldr": {"text": "A text.", "summary": "We propose a method."},
    "dlg_crosswoz_zh": {"turns": [{"text": "你好。"}]},
}


def test_both_models_are_measured_on_the_same_tokens(tmp_path: Path) -> None:
    for name in TRAIN:
        (tmp_path / name).mkdir()
        for split, rows in (("train", TRAIN), ("dev", DEV)):
            line = json.dumps(rows[name], ensure_ascii=False)
            (tmp_path / name / f"{split}.jsonl").write_text(line, encoding="utf-8")
    report = measure(tmp_path)
    assert report.startswith("## Generation\n")
    cells = [line.split("|") for line in report.splitlines() if line.startswith(("| E", "| C"))]
    assert [(row[1].strip(), row[2].strip()) for row in cells] == [
        ("English", "2"),
        ("Chinese", "3"),
    ]
    for row in cells:
        assert all(1.0 < float(perplexity) < 2048 for perplexity in row[4:6])


def test_every_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing) as caught:
        measure(tmp_path)
    assert all(one.name in str(caught.value) for one in SETS)


def test_bits_a_byte_count_the_bytes_that_tokens_stand_for() -> None:
    one = Measured(documents=1, tokens=10, bytes=40, decoder=math.log(16), ngrams=math.log(256))
    assert one.bits_per_byte(one.decoder) == pytest.approx(1.0)
    assert one.bits_per_byte(one.ngrams) == pytest.approx(2.0)


class Noted:
    """A network that finds all tokens alike, and notes how much it is given."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, input_ids: torch.Tensor) -> SimpleNamespace:
        self.lengths.append(input_ids.shape[1])
        return SimpleNamespace(logits=torch.zeros(*input_ids.shape, 8))


@pytest.mark.parametrize(
    ("tokens", "lengths"),
    [(2, [1]), (5, [4]), (6, [4, 3]), (7, [4, 4]), (12, [4, 4, 4, 4, 3])],
)
def test_each_token_but_the_first_is_scored_once(tokens: int, lengths: list[int]) -> None:
    network = Noted()
    loss = sliding_loss(network, np.ones(tokens, np.uint16), context=4)
    assert loss == pytest.approx((tokens - 1) * math.log(8), rel=1e-5)
    assert network.lengths == lengths
