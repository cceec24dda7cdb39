"""The redaction task without its engine: options, regions, choice, masks, vault."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from lepton_tasks.nlp.redaction import Redaction, RedactionOptions, RedactionOutput

TASK = Redaction()
TEXT = "a@b.org 和 a@b.org，13812345678"
EMAIL = {"type": "email", "start": 0, "end": 7, "score": 0.95, "validated": False}
AGAIN = {**EMAIL, "start": 10, "end": 17}
PHONE = {"type": "phone", "start": 18, "end": 29, "score": 0.6, "validated": False}


def redact(**options: Any) -> RedactionOutput:
    chosen = RedactionOptions.model_validate(options)
    return TASK.decode({"spans": [PHONE, AGAIN, EMAIL]}, TASK.encode(TEXT, chosen), chosen)


def test_labels_by_default_and_offsets_into_the_text_that_was_sent() -> None:
    output = redact()
    assert output.text == "[EMAIL] 和 [EMAIL]，[PHONE]"
    assert [TEXT[one.start : one.end] for one in output.spans] == [
        "a@b.org",
        "a@b.org",
        "13812345678",
    ]
    assert output.vault is None and output.language == "en"


def test_types_and_scores_choose() -> None:
    assert redact(types=["phone"]).text == "a@b.org 和 a@b.org，[PHONE]"
    assert redact(min_score=0.7).text == "[EMAIL] 和 [EMAIL]，13812345678"


def test_same_length() -> None:
    assert redact(mask="same-length").text == "******* 和 *******，***********"


def test_a_vault_on_request_alone() -> None:
    output = redact(vault=True)
    assert output.text == "[EMAIL_1] 和 [EMAIL_1]，[PHONE_1]"
    assert output.vault == {"[EMAIL_1]": "a@b.org", "[PHONE_1]": "13812345678"}
    assert [one.replacement for one in output.spans] == ["[EMAIL_1]", "[EMAIL_1]", "[PHONE_1]"]


@pytest.mark.parametrize(
    ("text", "options", "regions"),
    [
        ("Call me.", {}, ("US",)),
        ("给我打电话", {}, ("CN",)),
        ("給我打電話", {}, ("CN",)),
        ("Позвони мне", {}, ()),
        ("Call me.", {"language": "zh"}, ("CN",)),
        ("Call me.", {"regions": ["DE", "FR"]}, ("DE", "FR")),
        ("Call me.", {"regions": []}, ()),
    ],
)
def test_regions_by_language_or_by_option(
    text: str, options: dict[str, Any], regions: tuple[str, ...]
) -> None:
    encoded = TASK.encode(text, RedactionOptions.model_validate(options))
    assert (encoded.text, encoded.regions) == (text, regions)


def test_the_text_is_not_cleaned_before_spans_are_counted() -> None:
    assert TASK.encode(" ｆ\u200bｏ ", RedactionOptions()).text == " ｆ\u200bｏ "


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"types": ["fax"]}, "unknown type 'fax'.*bank_card"),
        ({"types": []}, "at least one type"),
        ({"regions": ["XX"]}, "unknown region 'XX'"),
        ({"regions": ["CN", "US", "DE", "FR", "GB"]}, "at most 4"),
        ({"language": "fr"}, "should be 'en' or 'zh'"),
        ({"mask": "hash"}, "label.*same-length"),
        ({"vault": True, "mask": "same-length"}, "use mask 'label'"),
        ({"min_score": 2}, "less than or equal to 1"),
        ({"typs": ["email"]}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        RedactionOptions.model_validate(options)


def test_schemas_and_output_are_json() -> None:
    for schema in (RedactionOptions.model_json_schema(), RedactionOutput.model_json_schema()):
        assert json.loads(json.dumps(schema)) == schema
    output = redact(vault=True)
    assert RedactionOutput.model_validate_json(output.model_dump_json()) == output
