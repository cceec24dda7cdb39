"""How a job without an answer is told: by status, and whether to send it again."""

from __future__ import annotations

import pytest

from api.openai.failures import failure, stopping, too_late


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("unknown_model", 404, "model_not_found"),
        ("context_exceeded", 400, "context_length_exceeded"),
        ("unavailable", 503, "unavailable"),
        ("model_error", 500, "model_error"),
    ],
)
def test_an_items_code_has_a_status(code: str, status: int, told: str) -> None:
    error = failure(code, "为什么")
    assert (error.status, error.code, str(error)) == (status, told, "为什么")
    assert error.param == ("model" if status == 404 else None)


def test_only_what_may_pass_is_to_be_sent_again() -> None:
    for passing in (failure("unavailable", ""), too_late(waited=True), stopping()):
        assert "retry-after" in (passing.headers or {})
    for lasting in (failure("encoding_failed", ""), too_late(waited=False)):
        assert (lasting.headers or {})["x-should-retry"] == "false"


def test_who_waited_in_a_queue_may_come_back_and_who_asked_too_much_asks_for_less() -> None:
    assert too_late(waited=True).status == 429
    late = too_late(waited=False)
    assert late.status == 504
    assert "LEPTON_ANSWER_SECONDS" in str(late)
