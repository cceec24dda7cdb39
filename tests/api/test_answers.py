"""What routes declare of their answers is what they give."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from api.answers import ERRORS, ErrorBody, errors, header, tells
from lepton_tasks.openai.failures import error_body


@pytest.mark.parametrize("status", ERRORS)
def test_the_body_of_an_error_is_the_one_that_is_sent(status: int) -> None:
    body = error_body(status, "some_code", "what is wrong", "field")
    assert ErrorBody.model_validate(body).model_dump(exclude_unset=True) == body
    with pytest.raises(ValidationError):
        ErrorBody.model_validate({**body, "more": 1})


def test_errors_are_declared_by_their_status() -> None:
    declared = errors(404, 409)
    assert set(declared) == {404, 409}
    assert declared[409]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ErrorBody"
    }


def test_headers_are_declared_for_a_good_answer() -> None:
    assert tells(201, "Location") == {201: {"headers": {"Location": header("Location")}}}
