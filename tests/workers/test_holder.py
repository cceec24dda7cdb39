"""From claims to held jobs: what can run goes on, what cannot is answered, the rest waits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from lepton_tasks.crashes import Crashes
from lepton_tasks.jobs import ClaimedJob, Payload
from lepton_tasks.nlp.registry import AnyTask, get_task
from lepton_tasks.queues import Priority
from tests.support.held import LengthEngine
from workers.engines.base import Engine
from workers.held import HeldJob, HeldJobs, Input
from workers.holder import Holder
from workers.loading import Loading
from workers.outcomes import CRASHED, WRONG_OPTIONS, Failed
from workers.refusal import Refused

CANARY = "金丝雀-canary"
GONE = Refused("unknown_model", "there is no such model")


class Models:
    """One task; models by name, the default one under None."""

    def __init__(self) -> None:
        self.tasks: Mapping[str, AnyTask] = {"moderation": get_task("moderation")}
        self.answers: dict[str | None, Any] = {None: LengthEngine()}
        self.demo = False

    def engine(self, task: str, model: str | None = None) -> Engine | Loading | Refused:
        found: Engine | Loading | Refused = self.answers[model]
        return found

    def is_demo(self, model: str) -> bool:
        return self.demo

    def default(self, task: str) -> Engine:
        found: Engine = self.answers[None]
        return found


class Notes:
    """Takes jobs to be encoded and inputs that fail, in order."""

    def __init__(self) -> None:
        self.prepared: list[HeldJob] = []
        self.failed: list[tuple[str, int, Failed]] = []

    def add(self, jobs: Sequence[HeldJob]) -> None:
        self.prepared += jobs

    def fail(self, inputs: Sequence[Input], why: Failed) -> None:
        self.failed += [(*one.name, why) for one in inputs]


class Bench:
    def __init__(self) -> None:
        self.models = Models()
        self.held = HeldJobs()
        self.notes = Notes()
        notes: Any = self.notes
        self.holder = Holder(self.models, self.held, notes, notes)

    def hold(self, *claims: ClaimedJob) -> None:
        self.holder.hold([(claim, f"request of {claim.id}") for claim in claims])

    def prepared(self) -> list[str]:
        return [job.claim.id for job in self.notes.prepared]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def a_claim(
    job_id: str, *texts: str, crashes: Crashes | None = None, **options: object
) -> ClaimedJob:
    payload = Payload(texts or ("好",), False, options)
    return ClaimedJob(job_id, "acme", "moderation", Priority.NORMAL, payload, 1, "c", None, crashes)


def test_claims_are_held_and_handed_on_in_order(bench: Bench) -> None:
    bench.hold(a_claim("a", "one", "two"), a_claim("b"))
    assert bench.prepared() == ["a", "b"]
    assert bench.held.holds("a") and bench.held.holds("b")
    first = bench.notes.prepared[0]
    assert first.request == "request of a"
    assert first.engine is bench.models.answers[None]
    assert bench.notes.failed == []
    assert len(bench.holder) == 0


@pytest.mark.parametrize(
    ("demo", "said"),
    [
        (True, {"name": "model", "revision": "r1", "demo": True}),
        (False, {"name": "model", "revision": "r1"}),
    ],
)
def test_an_answer_says_that_its_model_is_a_demonstration(
    bench: Bench, demo: bool, said: dict[str, Any]
) -> None:
    bench.models.demo = demo
    bench.hold(a_claim("a"))
    [job] = bench.notes.prepared
    job.complete(0, b"{}")
    assert orjson.loads(job.finished().result or "")["model"] == said


def test_a_task_may_choose_the_model_by_its_options(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = bench.models.tasks["moderation"]
    monkeypatch.setattr(task, "model_of", lambda options: f"blocks-at-{options.block_at}")
    bench.models.answers["blocks-at-0.5"] = LengthEngine()
    bench.hold(a_claim("a", block_at=0.5))
    [job] = bench.notes.prepared
    assert job.engine is bench.models.answers["blocks-at-0.5"]


def test_nothing_claimed_is_nothing_held(bench: Bench) -> None:
    bench.hold()
    assert bench.prepared() == [] and bench.notes.failed == []


def test_it_serves_the_tasks_of_its_models(bench: Bench) -> None:
    assert bench.holder.serves("moderation")
    assert not bench.holder.serves("translation")
    assert not bench.holder.serves("")


@pytest.mark.parametrize(
    "options", [{CANARY: 1}, {"block_at": CANARY}, {"model": 7}, {"language": [CANARY]}]
)
def test_options_of_another_version_fail_every_input_alone_in_the_log(
    bench: Bench, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        bench.hold(a_claim("bad", "one", "two", **options), a_claim("good"))
    assert bench.notes.failed == [("bad", 0, WRONG_OPTIONS), ("bad", 1, WRONG_OPTIONS)]
    assert bench.prepared() == ["good"]
    assert not bench.held.holds("bad")
    assert "job bad has wrong options: ValidationError" in caplog.text
    assert "canary" not in caplog.text


def test_a_model_that_is_refused_fails_every_input_with_the_reason(bench: Bench) -> None:
    bench.models.answers["big"] = GONE
    bench.hold(a_claim("a", "one", "two", model="big"), a_claim("b"))
    why = Failed(GONE.code, GONE.message)
    assert bench.notes.failed == [("a", 0, why), ("a", 1, why)]
    assert bench.prepared() == ["b"]


def test_a_job_waits_for_its_model_and_holds_up_nobody(bench: Bench) -> None:
    loading = bench.models.answers["big"] = Loading()
    bench.hold(a_claim("waits", "one", "two", model="big"), a_claim("goes"))
    assert bench.prepared() == ["goes"]
    assert len(bench.holder) == 2
    assert not bench.held.holds("waits")
    big: Any = LengthEngine()
    loading.settle(big)
    assert bench.prepared() == ["goes", "waits"]
    assert bench.notes.prepared[1].engine is big
    assert bench.held.holds("waits")
    assert len(bench.holder) == 0


def test_a_model_that_comes_while_it_is_asked_for_is_used_once(bench: Bench) -> None:
    loading = bench.models.answers["big"] = Loading()
    loading.settle(bench.models.default("moderation"))
    bench.hold(a_claim("a", model="big"))
    assert bench.prepared() == ["a"]
    assert len(bench.holder) == 0


def test_a_model_that_cannot_be_loaded_fails_who_waited(bench: Bench) -> None:
    loading = bench.models.answers["big"] = Loading()
    bench.hold(a_claim("a", "one", "two", model="big"), a_claim("b", model="big"))
    assert len(bench.holder) == 3
    loading.settle(GONE)
    why = Failed(GONE.code, GONE.message)
    assert bench.notes.failed == [("a", 0, why), ("a", 1, why), ("b", 0, why)]
    assert bench.prepared() == [] and len(bench.holder) == 0


def test_jobs_that_were_given_back_are_not_begun_later(bench: Bench) -> None:
    loading = bench.models.answers["big"] = Loading()
    bench.hold(a_claim("a", model="big"), a_claim("b", model="big"))
    assert [job.claim.id for job in bench.holder.close()] == ["a", "b"]
    assert bench.holder.close() == [] and len(bench.holder) == 0
    loading.settle(bench.models.default("moderation"))
    assert bench.prepared() == [] and bench.notes.failed == []


def test_inputs_that_crashed_too_often_are_answered_and_the_others_go_on(bench: Bench) -> None:
    crashes = Crashes({1: 3, 0: 1})
    bench.hold(a_claim("suspect", "one", "坏", "three", crashes=crashes))
    assert bench.notes.failed == [("suspect", 1, CRASHED)]
    assert bench.prepared() == ["suspect"]
    assert bench.held.holds("suspect")
    assert list(bench.notes.prepared[0].places()) == [0, 2]


def test_options_that_are_not_given_are_read_once(bench: Bench) -> None:
    bench.hold(a_claim("a"), a_claim("b"), a_claim("c", block_at=0.9))
    first, second, third = bench.notes.prepared
    assert first.options is second.options
    assert first.options == get_task("moderation").options_model()
    assert third.options.block_at == 0.9
