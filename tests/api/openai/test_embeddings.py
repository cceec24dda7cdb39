"""Vectors as they travel, and inputs that are no texts."""

from __future__ import annotations

import base64
import struct

import pytest

from api.errors import ApiError
from api.openai.embeddings import _texts, packed


def test_base64_holds_the_numbers_as_little_endian_floats() -> None:
    vector = [0.5, -2.0, 1.25]
    sent = packed(vector, "base64")
    assert isinstance(sent, str)
    assert struct.unpack("<3f", base64.b64decode(sent)) == (0.5, -2.0, 1.25)
    assert packed(vector, "float") == vector


def test_one_text_is_a_list_of_one() -> None:
    assert _texts("茶") == ["茶"]
    assert _texts(["tea", "茶"]) == ["tea", "茶"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"text": "茶"}, "invalid_type"),
        (7, "invalid_type"),
        ([1, 2], "unsupported_tokens"),
        ([[1], [2]], "unsupported_tokens"),
    ],
)
def test_what_is_no_text_is_refused_by_name(given: object, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        _texts(given)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, "input", code)
