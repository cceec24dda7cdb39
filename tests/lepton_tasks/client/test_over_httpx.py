from __future__ import annotations

import httpx

from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.messages import Failure, Request
from lepton_tasks.client.over_httpx import arguments, failure, patience

HERE = Configuration("http://a.test/nlp", "lpt_x", timeout=20, headers={"x-team": "7"})


def test_a_request_is_built_with_what_every_one_has() -> None:
    made = arguments(Request("POST", "/v1/jobs", {"a": 1, "b": None}, json={"文": "好"}), HERE)
    request = httpx.Client().build_request(**made)
    assert str(request.url) == "http://a.test/nlp/v1/jobs?a=1"
    assert request.headers["authorization"] == "Bearer lpt_x"
    assert request.headers["x-team"] == "7"
    assert request.headers["content-type"] == "application/json"
    assert request.read() == '{"文":"好"}'.encode()


def test_headers_of_a_request_win() -> None:
    made = arguments(Request("GET", "/v1/x", headers={"accept": "text/event-stream"}), HERE)
    assert httpx.Client().build_request(**made).headers["accept"] == "text/event-stream"


def test_a_wait_is_added_to_the_time_that_an_answer_has() -> None:
    waits = patience(Request("GET", "/", patience=30), HERE)
    assert (waits.connect, waits.read, waits.write) == (10, 50, 20)
    short = patience(Request("GET", "/", most=5), HERE)
    assert (short.connect, short.read, short.write) == (5, 5, 5)
    assert patience(Request("GET", "/", most=50), HERE).read == 20


def test_why_no_answer_came() -> None:
    assert failure(httpx.ReadTimeout("")) == Failure("ReadTimeout", timed_out=True)
    assert failure(httpx.ConnectError("refused")) == Failure("refused")
