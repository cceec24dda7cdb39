"""Answers have the headers that dependencies set, and those of their jobs before them."""

from __future__ import annotations

from starlette.responses import Response

from api.openai.replies import reply


def test_headers_come_together_and_those_of_the_jobs_win() -> None:
    before = Response(headers={"x-request-id": "req_1", "x-left": "1"})
    del before.headers["content-length"]  # as FastAPI does with those that it hands out
    answer = reply(before, {"text": "好"}, {"x-left": "2"})
    assert (answer.headers["x-request-id"], answer.headers["x-left"]) == ("req_1", "2")
    assert answer.headers["content-type"] == "application/json"
    assert bytes(answer.body).decode() == '{"text":"好"}'
    assert answer.headers["content-length"] == str(len(answer.body))
