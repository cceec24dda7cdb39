"""No half character, no part of a stop string, and nothing lost: in whatever pieces text comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from tests.support.models import SENTENCES, tokenizer_json
from workers.generation.text import StopScan, TextDecoder

TEXTS = [
    *SENTENCES,
    "中文和 English mixed，标点！",
    "tea ☕, a family 👨‍👩‍👧‍👦, a flag 🇨🇳 and 𠮷野家",
    "naïve café\n\n\tשלום",
]
BYTE_LEVEL = Tokenizer.from_str(tokenizer_json(ends=False))


def byte_fallback() -> Tokenizer:
    """What Llama's first tokenizers are: unknown characters become one token a byte."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    pieces += [*"abcdefghijklmnopqrstuvwxyzT我们的"]
    tokenizer = Tokenizer(
        BPE(
            vocab={piece: place for place, piece in enumerate(pieces)},
            merges=[],
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("tokenizer", [BYTE_LEVEL, byte_fallback()], ids=["bytes", "fallback"])
def test_pieces_are_whole_characters_and_make_the_text(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.encode(text).ids
    decoder = TextDecoder(tokenizer)
    pieces = [decoder.add(token) for token in tokens]
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)
    pieces.append(decoder.finish())
    assert "".join(pieces) == tokenizer.decode(tokens)
    assert "".join(pieces) == text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_comes_out_whole(text: str) -> None:
    tokens = BYTE_LEVEL.encode(text).ids
    decoder = TextDecoder(BYTE_LEVEL)
    assert "".join([*map(decoder.add, tokens), decoder.finish()]) == BYTE_LEVEL.decode(tokens)


def test_a_character_comes_with_its_last_token() -> None:
    tokenizer = byte_fallback()
    decoder = TextDecoder(tokenizer)
    pieces = [decoder.add(token) for token in tokenizer.encode("a中b").ids]
    assert pieces == ["", "a", "", "", "中", "b"]


def test_special_tokens_are_left_out_and_spaces_are_kept() -> None:
    tokenizer = byte_fallback()
    tokenizer.add_special_tokens(["</s>"])
    tokens = tokenizer.encode("tea</s> and</s>").ids
    decoder = TextDecoder(tokenizer)
    text = "".join([*map(decoder.add, tokens), decoder.finish()])
    assert text == tokenizer.decode(tokens) == "tea and"


def test_bytes_that_are_no_text_are_not_held_for_ever() -> None:
    stray = BYTE_LEVEL.encode("中").ids[0]
    decoder = TextDecoder(BYTE_LEVEL)
    shown = [decoder.add(stray) for _ in range(40)]
    assert sum(map(len, shown)) >= 32
    assert len(decoder.finish()) <= 16


def test_what_is_left_at_the_end_is_marked_as_broken() -> None:
    first, *_ = byte_fallback().encode("中").ids[-3:]
    decoder = TextDecoder(byte_fallback())
    assert decoder.add(first) == ""
    assert decoder.finish() == "\N{REPLACEMENT CHARACTER}"


@given(
    st.text(alphabet="ab中", max_size=30),
    st.lists(st.text(alphabet="ab中", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_stop_strings_do_not_depend_on_the_pieces(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    expected = StopScan(stops)
    letters = "".join(expected.add(letter) for letter in text if not expected.stopped)
    letters += expected.finish()
    scan, shown, rest = StopScan(stops), "", text
    while rest and not scan.stopped:
        size = data.draw(st.integers(1, len(rest)))
        shown += scan.add(rest[:size])
        assert not any(stop in shown for stop in stops)
        rest = rest[size:]
    shown += scan.finish()
    assert shown == letters
    assert scan.stopped == any(stop in text for stop in stops)
    assert scan.stopped or shown == text


def test_without_stop_strings_nothing_is_held_back() -> None:
    scan = StopScan([])
    assert (scan.add("any"), scan.add("thing"), scan.finish()) == ("any", "thing", "")
