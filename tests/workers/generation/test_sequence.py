"""One running request: its prompt is read once and in order, its text comes in whole pieces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lepton_tasks.nlp.generating import GenerationSpec
from tests.support.models import END, SENTENCES, tokenizer_json
from workers.generation.requests import FinishReason, Generation, GenerationRequest
from workers.generation.sequence import RunningRequest, Submission

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    return Tokenizer.from_str(tokenizer_json(ends=False))


class Running:
    """A running request and what it told."""

    def __init__(self, prompt: Sequence[int] = (5, 6), listens: bool = True, **spec: Any) -> None:
        self.pieces: list[str] = []
        self.outcomes: list[Generation | Exception] = []
        request = GenerationRequest("job_1:0", prompt, GenerationSpec(**spec))
        on_text = self.pieces.append if listens else None
        submission = Submission(request, on_text, self.outcomes.append)
        self.request = RunningRequest(submission, [3, 1], tokenizer(), frozenset({END}))

    def write(self, tokens: Sequence[int]) -> Generation | None:
        """Accept tokens until the text is over."""
        for token in tokens:
            if (found := self.request.accept(token)) is not None:
                return found
        return None

    def say(self, text: str) -> Generation | None:
        return self.write(tokenizer().encode(text).ids)


@settings(max_examples=40)
@given(
    st.lists(st.integers(3, 400), min_size=1, max_size=40),
    st.lists(st.integers(1, 9), min_size=40, max_size=40),
)
def test_a_prompt_is_read_once_in_parts_of_any_size(prompt: list[int], parts: list[int]) -> None:
    running = Running(prompt).request
    read: list[int] = []
    for most in parts:
        assert running.reads == (len(prompt) - len(read) > 1)
        span = running.span(most)
        assert 0 < len(span.tokens) <= most
        assert (span.start, span.blocks) == (len(read), [3, 1])
        read += span.tokens
        due = running.ran(len(span.tokens))
        assert running.cached == len(read)
        assert due == (len(read) == len(prompt))
        if due:
            break
    assert read == prompt


def test_a_token_that_was_written_is_read_next() -> None:
    running = Running([5, 6, 7]).request
    assert running.ran(3)
    for written in range(4):
        assert running.accept(40 + written) is None
        assert not running.reads
        span = running.span(64)
        assert (list(span.tokens), span.start) == ([40 + written], 3 + written)
        assert running.ran(1)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_pieces_are_the_text(sentence: str) -> None:
    running = Running(max_new_tokens=500)
    assert running.say(sentence) is None
    found = running.request.accept(END)
    assert found is not None
    assert found.text == "".join(running.pieces) == sentence
    assert len(running.pieces) > 1 and all(running.pieces)
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(running.pieces)
    assert found.finish_reason is FinishReason.STOP
    assert found.prompt_tokens == 2
    assert found.completion_tokens == len(tokenizer().encode(sentence).ids) + 1


@settings(max_examples=60)
@given(texts)
def test_any_text_comes_out_whole_and_nobody_has_to_listen(text: str) -> None:
    heard, unheard = Running(max_new_tokens=500), Running(max_new_tokens=500, listens=False)
    found = [heard.write([*tokenizer().encode(text).ids, END]),
             unheard.write([*tokenizer().encode(text).ids, END])]  # fmt: skip
    assert found[0] is not None and found[0] == found[1]
    assert found[0].text == "".join(heard.pieces)
    assert unheard.pieces == []


def test_a_text_that_ends_at_once_is_empty() -> None:
    running = Running()
    found = running.request.accept(END)
    assert found == Generation("", FinishReason.STOP, 2, 1)
    assert running.pieces == []


def test_a_text_is_as_long_as_was_asked_for() -> None:
    tokens = tokenizer().encode(SENTENCES[0]).ids
    running = Running(max_new_tokens=4)
    assert running.write(tokens[:3]) is None
    found = running.request.accept(tokens[3])
    assert found is not None
    assert (found.finish_reason, found.completion_tokens) == (FinishReason.LENGTH, 4)
    assert SENTENCES[0].startswith(found.text) and found.text


def test_the_end_token_at_the_last_place_is_an_end() -> None:
    found = Running(max_new_tokens=2).write([40, END])
    assert found is not None
    assert (found.finish_reason, found.completion_tokens) == (FinishReason.STOP, 2)


def test_a_character_that_was_cut_off_is_marked_and_not_lost() -> None:
    """A rare character takes several tokens; the limit falls between them."""
    tokens = tokenizer().encode("🀄").ids
    assert len(tokens) > 1
    running = Running(max_new_tokens=len(tokens) - 1)
    found = running.write(tokens)
    assert found is not None and found.finish_reason is FinishReason.LENGTH
    assert set(found.text) == {"\N{REPLACEMENT CHARACTER}"}
    assert "".join(running.pieces) == found.text


@pytest.mark.parametrize("stop", ["the shop", "。", "公园", "风筝。", "🀄"])
def test_a_stop_string_ends_the_text_and_is_not_in_it(stop: str) -> None:
    before = "今天孩子们在 the park "
    running = Running(max_new_tokens=500, stop=(stop, "never said"))
    found = running.say(before + stop + " and on")
    assert found is not None
    assert found.finish_reason is FinishReason.STOP
    assert found.text == "".join(running.pieces) == before
    assert all(stop[0] not in piece for piece in running.pieces if stop[0] not in before)


def test_what_only_began_like_a_stop_string_is_in_the_text() -> None:
    running = Running(max_new_tokens=500, stop=("公园里的", "END"))
    assert running.say("在公园里 EN") is None
    assert running.request.accept(END) is not None
    assert "".join(running.pieces) == "在公园里 EN"


def test_a_cancelled_text_is_what_was_said_so_far() -> None:
    running = Running(max_new_tokens=500, stop=("好的。",))
    running.say("谢谢 好的")
    found = running.request.end(FinishReason.CANCELLED)
    assert found.text == "".join(running.pieces) == "谢谢 好的"
    assert found.finish_reason is FinishReason.CANCELLED


def test_one_that_wrote_nothing_can_be_cancelled() -> None:
    assert Running().request.end(FinishReason.CANCELLED) == Generation(
        "", FinishReason.CANCELLED, 2, 0
    )


def test_its_seed_alone_decides_its_draws() -> None:
    spec: dict[str, Any] = {"temperature": 0.7, "seed": 5, "top_k": 3}
    one, other = Running(**spec), Running([9] * 30, **spec)
    assert [one.request.draw() for _ in range(5)] == [other.request.draw() for _ in range(5)]
    assert one.request.draw() != Running(**spec | {"seed": 6}).request.draw()
    assert Running().request.draw() is None


def test_whoever_waits_is_told_what_there_is() -> None:
    running = Running()
    error = ValueError("no")
    running.request.done(error)
    assert running.outcomes == [error]
    assert running.request.id == "job_1:0"
