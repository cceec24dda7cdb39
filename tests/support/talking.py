"""Turns of conversations in a store, without any process."""

from __future__ import annotations

from typing import Any

import orjson

from lepton_tasks.jobs import ClaimedJob, FinishedJob, NewJob
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.requests import Admission, JobRequest
from lepton_tasks.store.store import Store

DAY = 86_400.0
_ADMISSION = Admission(find_tasks(), 4, conversation_seconds=DAY)


def a_turn(
    said: str,
    conversation: str = "conv_1",
    *,
    tenant: str = "acme",
    system: str | None = None,
    key: str | None = None,
    **options: Any,
) -> NewJob:
    """An admitted job that is a turn."""
    messages = [] if system is None else [{"role": "system", "content": system}]
    messages.append({"role": "user", "content": said})
    request = JobRequest(
        "chat",
        input={"messages": messages},
        options={"conversation": conversation, **options},
        idempotency_key=key,
    )
    return _ADMISSION.admit(tenant, request)


def claim(store: Store, job_id: str) -> ClaimedJob:
    """Take a job as a worker does."""
    [claimed] = store.claims.claim("w1", [job_id])
    return claimed


def answer(store: Store, job_id: str, said: str) -> list[str]:
    """Answer a turn as a worker does; returns what its job held, message by message."""
    claimed = claim(store, job_id)
    message = {"role": "assistant", "content": said}
    result = {"model": {"name": "m", "revision": "r"}, "outputs": [{"message": message}]}
    assert store.claims.finish([FinishedJob(claimed, orjson.dumps(result).decode(), None)])
    return [one["content"] for one in claimed.payload.inputs[0]["messages"]]


def converse(store: Store, said: str, answered: str, **turn: Any) -> list[str]:
    """Submit and answer a turn; returns what its job held."""
    [submitted] = store.jobs.insert([a_turn(said, **turn)])
    return answer(store, submitted.id, answered)
