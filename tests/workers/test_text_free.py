"""An error is described by its kind and its place, and by nothing that a user wrote."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, ValidationError

from workers.text_free import describe

CANARY = "金丝雀-canary"


class Options(BaseModel):
    number: int


class ErrorWithText(Exception):
    def __init__(self) -> None:
        super().__init__(CANARY)


def raised(act: object) -> BaseException:
    with pytest.raises(Exception) as caught:
        act()  # type: ignore[operator]
    error: BaseException = caught.value
    return error


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda: int(CANARY), "ValueError"),
        (lambda: dict[str, int]()[CANARY], "KeyError"),
        (lambda: json.loads(f'{{"{CANARY}'), "JSONDecodeError"),
        (lambda: CANARY.encode("ascii"), "UnicodeEncodeError"),
    ],
)
def test_kind_and_place_and_no_text(act: object, kind: str) -> None:
    described = describe(raised(act))
    assert described.startswith(f"{kind} at ")
    assert "canary" not in described


def test_a_validation_error_quotes_its_input_and_its_description_does_not() -> None:
    error = raised(lambda: Options.model_validate({"number": CANARY}))
    assert isinstance(error, ValidationError) and "canary" in str(error)
    assert "canary" not in describe(error)


def test_the_place_is_where_it_was_raised_and_names_no_folder() -> None:
    def innermost() -> None:
        raise ErrorWithText

    described = describe(raised(lambda: innermost()))
    assert described.startswith("ErrorWithText at test_text_free.py:")
    assert described.endswith(" in innermost")


def test_what_led_to_an_error_is_not_quoted_either() -> None:
    def chained() -> None:
        try:
            int(CANARY)
        except ValueError as error:
            raise ErrorWithText from error

    assert "canary" not in describe(raised(chained))


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert describe(ErrorWithText()) == "ErrorWithText"
