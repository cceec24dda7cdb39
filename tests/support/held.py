"""Held jobs and their items, without a store."""

from __future__ import annotations

from typing import Any

from lepton_tasks.crashes import Crashes
from lepton_tasks.jobs import ClaimedJob, Payload
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import get_task
from lepton_tasks.queues import Priority
from workers.engines.base import Encoded, LaneKey
from workers.engines.lanes import SoloLane
from workers.held import HeldJob, Item


class Ignored:
    """Takes every call; what it is told is not looked at here."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


LANE = SoloLane(LaneKey("model", "r1", "cpu", "float32"))


class LengthEngine:
    """Counts characters as tokens; a text that begins with ``bad`` cannot be encoded."""

    name = "model"
    lane = LANE

    def __init__(self, revision: str = "r1") -> None:
        self.revision = revision

    def tokenize(self, inputs: list[ModelInput]) -> list[Encoded]:
        if any(one.text.startswith("bad") for one in inputs):
            raise ValueError("bad")
        return [Encoded(len(one.text), None) for one in inputs]


def held(
    *texts: str,
    priority: Priority = Priority.NORMAL,
    job_id: str = "job",
    request: Any = None,
    crashes: Crashes | None = None,
    revision: str = "r1",
) -> HeldJob:
    payload = Payload(texts, False)
    claim = ClaimedJob(job_id, "acme", "moderation", priority, payload, 1, "c", None, crashes)
    task = get_task("moderation")
    engine: Any = LengthEngine(revision)
    return HeldJob(claim, task, engine, task.options_model(), request)


def items_of(job: HeldJob) -> list[Item]:
    return [
        Item(job, place, ModelInput(text, "en"), Encoded(len(text), None))
        for place, text in enumerate(job.claim.payload.inputs)
    ]
