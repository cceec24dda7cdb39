"""An engine that only tokenises and computes gets a lane of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lepton_tasks.nlp.base import ModelInput
from workers.engines.base import Encoded, LaneKey, Raw
from workers.engines.lanes import SoloEngine


class Lengths:
    """The simplest engine, with a layer that it never uses."""

    name = "lengths"
    revision = "7"

    def __init__(self) -> None:
        self.layer = torch.nn.Linear(3, 2)

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        return [Encoded(1, len(one.text)) for one in inputs]

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        return [{"length": one.tokens} for one in batch]


class Slotted(Lengths):
    __slots__ = ()

    def __init__(self) -> None:
        pass


def test_the_lane_runs_the_engine() -> None:
    engine = SoloEngine(Lengths(), torch.device("cpu"), "float32")
    assert engine.lane.key == LaneKey("lengths", "7", "cpu", "float32")
    items = engine.tokenize([ModelInput("two", "en"), ModelInput("四", "zh")])
    lane = engine.lane
    found = lane.compute(lane.prepare([(engine, one) for one in items]))
    assert found == engine.forward(items) == [{"length": 3}, {"length": 1}]


def test_weights_among_the_attributes_are_counted() -> None:
    engine = SoloEngine(Lengths(), torch.device("cpu"), "float32")
    assert sorted(tensor.numel() for tensor in engine.tensors()) == [2, 6]
    assert list(SoloEngine(Slotted(), torch.device("cpu"), "float32").tensors()) == []


def test_two_engines_never_share_such_a_lane() -> None:
    one, other = (SoloEngine(Lengths(), torch.device("cpu"), "float32") for _ in range(2))
    assert one.lane is not other.lane


def test_an_engine_may_say_that_there_is_nothing_to_tune() -> None:
    class Fixed(Lengths):
        tunable = False

    made = [SoloEngine(one(), torch.device("cpu"), "float32") for one in (Lengths, Fixed)]
    assert [engine.lane.tunable for engine in made] == [True, False]
