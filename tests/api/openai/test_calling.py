"""A call from its body to its answer: who answered, and which of the request's names is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.openai.conftest import Desk, Writer
from tests.support.api import error_of

MESSAGES = [{"role": "user", "content": "零"}]
WRITTEN = {
    "message": {"role": "assistant", "content": "一"},
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 2, "completion_tokens": 3},
}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.store.leases.register("w2", "w2@test", ["chat"], 600)
    return desk


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def ask(desk: Desk, **body: Any) -> httpx.Response:
    return httpx.post(
        f"{desk.url}/v1/chat/completions",
        json={"messages": MESSAGES} | body,
        headers=desk.headers(0),
        timeout=60,
    )


@pytest.mark.parametrize(
    ("asked", "told"), [(None, "m"), ("default", "m"), ("chat-of-mine", "chat-of-mine")]
)
def test_an_answer_names_the_model_that_was_asked_for_or_else_the_one_that_answered(
    desk: Desk, writer: Writer, threads: ThreadPoolExecutor, asked: str | None, told: str
) -> None:
    answer: Future[httpx.Response] = threads.submit(ask, desk, model=asked)
    writer.begin()
    writer.end(WRITTEN)
    body = answer.result().json()
    assert body["model"] == told
    assert body["id"] == writer.claim.id.replace("job_", "chatcmpl_")


def test_what_admission_refuses_is_said_in_the_names_of_the_call(desk: Desk) -> None:
    refused = ask(desk, max_completion_tokens=0)
    error = error_of(refused, 400)
    assert error["param"] == "max_completion_tokens"
    assert error["message"].startswith("max_completion_tokens")
    assert not desk.store.jobs.page("acme")
