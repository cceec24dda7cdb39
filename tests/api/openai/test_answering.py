"""Waiting for an answer: who goes away, who comes back, and who is told to come later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from openai import OpenAI, RateLimitError

from api.openai import answering
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from tests.api.openai.conftest import Desk, asked_of
from tests.support.api import error_of

PATH = "/v1/moderations"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_an_answer_comes_when_the_job_has_ended(desk: Desk, threads: ThreadPoolExecutor) -> None:
    answer: Future[httpx.Response] = threads.submit(desk.post, "你好")
    desk.finish(desk.job(JobState.QUEUED).id)
    response = answer.result()
    assert response.status_code == 200
    assert response.json()["results"][0]["flagged"] is False
    assert response.json()["results"][0]["unsupported_categories"]


def test_a_client_that_goes_away_ends_its_job(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "GRACE_SECONDS", 0.1)
    with desk.asking(asked_of("你好"), PATH) as (_, job_id):
        pass
    assert desk.job(JobState.CANCELLED).id == job_id


def test_a_client_that_comes_back_finds_its_job(
    desk: Desk, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "GRACE_SECONDS", 0.1)
    with desk.asking(asked_of("你好"), PATH) as (_, job_id):
        again = threads.submit(desk.post, "你好", sent=1)
        desk.until(lambda: desk.sendings() == [1] or None)
    with desk.asking(asked_of("再见"), PATH) as (_, other_id):
        pass
    assert desk.job(JobState.CANCELLED).id == other_id  # and the first has not been, before it
    desk.finish(job_id)
    response = again.result()
    assert response.json()["id"] == job_id.replace("job_", "modr_")
    assert response.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    ("code", "status", "told", "retried"),
    [
        ("unknown_model", 404, "model_not_found", "false"),
        ("model_error", 500, "model_error", "false"),
        ("unavailable", 503, "unavailable", None),
        ("context_exceeded", 400, "context_length_exceeded", "false"),
    ],
)
def test_a_job_that_fails_says_why(
    desk: Desk,
    threads: ThreadPoolExecutor,
    code: str,
    status: int,
    told: str,
    retried: str | None,
) -> None:
    answer = threads.submit(desk.post, "你好")
    desk.finish(desk.job(JobState.QUEUED).id, error=code)
    response = answer.result()
    assert error_of(response, status)["code"] == told
    assert response.headers.get("x-should-retry") == retried


class TestLittlePatience:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"answer_seconds": 1.0})

    def test_a_call_that_waits_too_long_is_told_to_come_later(self, desk: Desk) -> None:
        response = desk.post("你好")
        assert error_of(response, 429)["code"] == "backlog_full"
        assert float(response.headers["retry-after"]) >= 1
        assert not desk.store.jobs.page("acme", state=JobState.QUEUED)

    def test_a_call_whose_job_runs_too_long_is_not_sent_again(
        self, desk: Desk, threads: ThreadPoolExecutor
    ) -> None:
        answer = threads.submit(desk.post, "你好")
        job_id = desk.job(JobState.QUEUED).id
        desk.store.claims.claim("w1", [job_id])
        response = answer.result()
        assert error_of(response, 504)["code"] == "timeout"
        assert response.headers["x-should-retry"] == "false"
        assert desk.store.jobs.get("acme", job_id).cancel_requested

    def test_a_hopeless_wait_is_not_begun(self, desk: Desk) -> None:
        old = httpx.post(
            f"{desk.url}/v1/jobs",
            json={"task": "moderation", "input": "你好", "priority": "high"},
            headers={"authorization": f"Bearer {desk.key}"},
        ).json()["id"]
        threading.Event().wait(1.2)  # so that it has waited for longer than calls do
        stock = OpenAI(api_key=desk.key, base_url=f"{desk.url}/v1", max_retries=0)
        with stock as client, pytest.raises(RateLimitError) as caught:
            client.moderations.create(input="hello")
        assert caught.value.code == "backlog_full"
        assert "moderation.high" in caught.value.message
        assert int(caught.value.response.headers["retry-after"]) >= 1
        assert [job.id for job in desk.store.jobs.page("acme")] == [old]


def test_without_a_worker_nothing_is_accepted(desk: Desk) -> None:
    desk.store.leases.end("w1")
    response = desk.post("你好")
    assert error_of(response, 503)["code"] == "no_worker"
    assert response.headers["retry-after"]
    assert not desk.store.jobs.page("acme")
