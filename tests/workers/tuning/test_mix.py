"""The texts of a sweep: comment-like lengths, each language in its own mix."""

from __future__ import annotations

from statistics import median

from lepton_tasks.nlp.language import detect_language
from lepton_tasks.nlp.registry import get_task
from workers.tuning.mix import LONGEST_WORDS, MEDIAN_WORDS, text_mixes


def test_lengths_are_those_of_short_comments() -> None:
    words = [
        len(one.text.split()) for one in text_mixes(get_task("moderation"), "moderation", 512)["en"]
    ]
    assert len(words) == 512
    assert median(words) == MEDIAN_WORDS
    assert max(words) == LONGEST_WORDS


def test_each_mix_is_in_its_language() -> None:
    mixes = text_mixes(get_task("moderation"), "moderation", 64)
    assert set(mixes) == {"en", "zh"}
    for language, inputs in mixes.items():
        assert {one.language for one in inputs} == {language}
        assert {detect_language(one.text) for one in inputs} == {language}


def test_every_call_gives_the_same_texts() -> None:
    assert text_mixes(get_task("moderation"), "moderation", 64) == text_mixes(
        get_task("moderation"), "moderation", 64
    )
