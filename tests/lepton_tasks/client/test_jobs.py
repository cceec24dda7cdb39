"""Operations on jobs, by both clients of a scripted server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lepton_tasks.client.calling import Caller
from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.effects import Pause, Send
from lepton_tasks.client.jobs import JobSteps, check_chunk
from lepton_tasks.client.messages import Response
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.moderation import ModerationOptions
from tests.support.job_bodies import accepted
from tests.support.scripted_http import Say, ScriptedServer


def test_everything_a_job_may_have_is_sent(client: Any, server: ScriptedServer) -> None:
    server.say(Say(202, accepted("job_1")))
    handle = client.submit(
        "moderation",
        "你好",
        options=ModerationOptions(block_at=0.8),
        priority="bulk",
        ttl_seconds=60,
        run_at=datetime(2030, 1, 2, tzinfo=UTC),
        webhook="https://example.test/hook",
        metadata={"order": "7"},
        idempotency_key="order-7",
    )
    assert (handle.id, handle.state, handle.ended) == ("job_1", "queued", False)
    assert "job_1" in repr(handle.target if hasattr(handle, "target") else handle)
    [asked] = server.asked
    assert asked.headers["idempotency-key"] == "order-7"
    assert asked.json == {
        "task": "moderation",
        "input": "你好",
        "options": {"block_at": 0.8},
        "priority": "bulk",
        "ttl_seconds": 60,
        "run_at": "2030-01-02T00:00:00+00:00",
        "webhook": "https://example.test/hook",
        "metadata": {"order": "7"},
    }


def test_a_server_that_answers_a_wait_at_once_is_not_asked_without_end() -> None:
    steps = JobSteps(Caller(Configuration("http://a.test", "k"))).wait("job_1", None)
    effect = next(steps)
    assert isinstance(effect, Send)
    assert effect.request.patience == 30
    body = b'{"id":"job_1","task":"t","state":"running","priority":"normal","created_at":1}'
    assert isinstance(steps.send(Response(200, {}, body)), Pause)
    assert isinstance(steps.send(None), Send)


@pytest.mark.parametrize(("chunk", "window"), [(0, 1), (257, 1), (1, 0)])
def test_sizes_that_no_job_has(chunk: int, window: int) -> None:
    with pytest.raises(InvalidInput, match=r"chunk|window"):
        check_chunk(chunk, window)
