"""What went wrong: statuses by an item's code, and bodies whose texts have a bound."""

from __future__ import annotations

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.failures import WireFailure, failure, refusal


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
    assert (error.status, error.code, error.message) == (status, told, "为什么")
    assert error.param == ("model" if status == 404 else None)


def test_a_wrong_field_is_a_bad_request() -> None:
    found = refusal(InvalidInput("input is empty; send some text", "input", "empty_text"))
    assert found.status == 400
    assert found.body() == {
        "error": {
            "message": "input is empty; send some text",
            "type": "invalid_request_error",
            "param": "input",
            "code": "empty_text",
        }
    }


def test_names_that_a_client_chose_are_cut() -> None:
    error = WireFailure(400, "unsupported_parameter", "长" * 5_000, "长" * 5_000).body()["error"]
    assert (len(error["message"]), len(error["param"])) == (1_000, 200)
