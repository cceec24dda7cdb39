"""Long runs of a worker, without a worker: what ends one that takes too long."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lepton_tasks.jobs import ClaimedJob, Payload
from lepton_tasks.nlp.long_running import LongRunInput
from lepton_tasks.nlp.training import Training, TrainingItem, TrainingOptions
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from tests.support.held import Ignored
from tests.support.labelled import opinions
from workers.engines.base import Encoded
from workers.held import HeldJob, Item
from workers.longruns.engine import LongRunEngine
from workers.longruns.runs import LongRuns
from workers.outcomes import Failed

WAIT = 150.0


class Kept:
    """A finisher that keeps what it is given."""

    def __init__(self) -> None:
        self.outcomes: list[Any] = []

    def put(self, ended: Any) -> None:
        self.outcomes += [outcome for _, outcome in ended]


class Told:
    """A store of progress that belongs to whoever asks."""

    def say(self, claim: Any, said: Any) -> bool:
        return True

    def open(self, job_ids: Any) -> set[str]:
        return set(job_ids)


def test_a_run_that_takes_too_long_is_ended_and_says_which_setting(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, threads=1, run_hours=1e-9, training_tenants="*")
    progress: Any = Told()
    finisher: Any = Kept()
    reporter: Any = Ignored()
    runs = LongRuns(settings, progress, finisher, reporter, lambda job_id: False)
    options = TrainingOptions(model="late")
    given = LongRunInput.of(TrainingItem.model_validate({"rows": opinions(40)}), options)
    claim = ClaimedJob(
        "job_late", "acme", "training", Priority.NORMAL, Payload((), True), 1, "c", None, None
    )
    job = HeldJob(claim, Training(), LongRunEngine("trainer"), options, None)
    runs.add([Item(job, 0, given, Encoded(1, given))])
    end = time.monotonic() + WAIT
    while not finisher.outcomes:
        assert time.monotonic() < end
        runs.look()
        time.sleep(0.02)
    [outcome] = finisher.outcomes
    assert isinstance(outcome, Failed) and outcome.code == "took_too_long"
    assert "LEPTON_RUN_HOURS" in outcome.message and not outcome.retryable
    assert runs.close(time.monotonic()) == [] and runs.stop() == []
