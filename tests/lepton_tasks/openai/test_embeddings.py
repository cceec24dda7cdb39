"""Vectors as they travel, and inputs that are no texts."""

from __future__ import annotations

import base64
import struct

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.embeddings import Embeddings, packed, read_texts


def test_base64_holds_the_numbers_as_little_endian_floats() -> None:
    vector = [0.5, -2.0, 1.25]
    sent = packed(vector, "base64")
    assert isinstance(sent, str)
    assert struct.unpack("<3f", base64.b64decode(sent)) == (0.5, -2.0, 1.25)
    assert packed(vector, "float") == vector


def test_one_text_is_a_list_of_one() -> None:
    assert read_texts("茶") == ["茶"]
    assert read_texts(["tea", "茶"]) == ["tea", "茶"]


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
    with pytest.raises(InvalidInput) as caught:
        read_texts(given)
    assert (caught.value.param, caught.value.code) == ("input", code)


def test_vectors_are_answered_in_order_with_their_spaces() -> None:
    asked = Embeddings().read({"input": ["茶", "tea"], "dimensions": 64, "model": "bge-m3"})
    assert (asked.task, asked.inputs) == ("embedding", ("茶", "tea"))
    assert asked.options == {"model": "bge-m3", "dimensions": 64}
    outputs = [
        {"vector": [place], "space": "s/1", "language": "und", "truncated": False}
        for place in (1.0, 2.0)
    ]
    body = asked.reply("1", 0.0, outputs)
    assert [(one["index"], one["embedding"], one["space"]) for one in body["data"]] == [
        (0, [1.0], "s/1"),
        (1, [2.0], "s/1"),
    ]
    assert (body["model"], body["usage"]["total_tokens"]) == ("bge-m3", 2)
