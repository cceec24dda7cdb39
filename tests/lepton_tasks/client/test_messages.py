from __future__ import annotations

from lepton_tasks.client.errors import KeyRefused, NoAnswer, NoConnection, ServerFault
from lepton_tasks.client.messages import Failure, Request, Response, failed, refused, retry_after


def test_who_does_not_answer_is_named() -> None:
    request = Request("GET", "/v1/jobs/job_1")
    late = failed(request, Failure("", timed_out=True), "http://a.test")
    assert isinstance(late, NoAnswer)
    assert isinstance(late, TimeoutError)
    assert "timeout=" in str(late)
    away = failed(request, Failure("connection refused"), "http://a.test")
    assert type(away) is NoConnection
    assert "GET http://a.test/v1/jobs/job_1 failed: connection refused" in str(away)


def test_an_error_without_our_shape_is_quoted() -> None:
    for body in (b"", b"<html>", b"[]", b'{"error": "no"}', b"\xff" * 1000):
        error = refused(Response(502, {"x-request-id": "req_1"}, body))
        assert isinstance(error, ServerFault)
        assert error.code == "unexplained"
        assert len(str(error)) < 400
    assert isinstance(refused(Response(401, {}, b"")), KeyRefused)


def test_a_wait_that_is_no_number_is_none() -> None:
    for value in ("soon", "", "-1", "nan", "inf"):
        assert retry_after({"retry-after": value}) is None
    assert retry_after({"retry-after-ms": "x", "retry-after": "2"}) == 2
