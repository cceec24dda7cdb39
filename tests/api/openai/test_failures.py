"""How a job without an answer is told: by status, and whether to send it again."""

from __future__ import annotations

from api.openai.failures import stopping, told, too_late
from lepton_tasks.openai.failures import failure


def test_an_items_error_is_told_as_it_is() -> None:
    error = told(failure("unknown_model", "为什么"))
    assert (error.status, error.code, str(error)) == (404, "model_not_found", "为什么")
    assert error.param == "model"


def test_only_what_may_pass_is_to_be_sent_again() -> None:
    for passing in (told(failure("unavailable", "")), too_late(waited=True), stopping()):
        assert "retry-after" in (passing.headers or {})
    for lasting in (told(failure("encoding_failed", "")), too_late(waited=False)):
        assert (lasting.headers or {})["x-should-retry"] == "false"


def test_who_waited_in_a_queue_may_come_back_and_who_asked_too_much_asks_for_less() -> None:
    assert too_late(waited=True).status == 429
    late = too_late(waited=False)
    assert late.status == 504
    assert "LEPTON_ANSWER_SECONDS" in str(late)
