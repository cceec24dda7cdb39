"""Passes over a text, one instruction each: what runs in which order, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from workers.editing import spacing, wordings
from workers.editing.draft import Change, Draft
from workers.editing.protected import allowed, protected
from workers.editing.styles import STYLES
from workers.editing.typos import ChineseTypos, EnglishTypos

_Pass = Callable[[str, bytearray], Iterable[Change]]
_ROUNDS: Final = 2
"""Times that the rules run: what one of them corrects may be what another waits for."""


class Fixer:
    """The instruction ``fix``."""

    def __init__(self, english: EnglishTypos, chinese: ChineseTypos) -> None:
        self._english = english
        self._chinese = chinese

    def fix(
        self, text: str, language: str, only: str | None = None, terms: Sequence[str] = ()
    ) -> Draft:
        """Correct ``text``; ``only`` limits the rules to one language's, ``terms`` stay."""
        draft = Draft.of(text)
        if language not in ("en", "zh"):
            return _run(draft, [lambda one, _: spacing.neutral_spaces(one)], terms)
        english, chinese = only != "zh", only != "en"
        for _ in range(_ROUNDS):
            before = draft
            draft = self._rules(draft, english, chinese, terms)
            if draft is before:
                break
        typos: list[_Pass] = []
        if english:
            typos.append(lambda one, mask: self._english.changes(one, mask, language == "en"))
        if chinese:
            typos.append(lambda one, mask: self._chinese.changes(one, mask, language == "zh"))
        corrected = _run(draft, typos, terms)
        # A corrected word may now stand twice, or want another article.
        return self._rules(corrected, english, chinese, terms) if corrected is not draft else draft

    def _rules(self, draft: Draft, english: bool, chinese: bool, terms: Sequence[str]) -> Draft:
        known = self._english.known
        passes: list[_Pass] = [lambda one, _: spacing.neutral_spaces(one)]
        if chinese:
            passes += [
                lambda one, _: spacing.chinese_spaces(one, self._chinese.is_pair),
                lambda one, _: spacing.chinese_marks(one),
                lambda one, _: wordings.chinese_repeats(one, self._chinese.is_pair),
            ]
        if english:
            passes += [
                lambda one, _: spacing.english_marks(one),
                lambda one, _: spacing.english_spaces(one, known),
                lambda one, _: wordings.english_repeats(one),
                lambda one, _: wordings.written_apart(one),
                lambda one, _: wordings.english_grammar(one, known),
                lambda one, _: wordings.english_casing(one, known),
            ]
        passes.append(lambda one, _: spacing.doubled_marks(one))
        return _run(draft, passes, terms)


def restyle(
    text: str,
    instruction: str,
    language: str,
    only: str | None = None,
    terms: Sequence[str] = (),
) -> Draft:
    """Reword ``text`` by the rules of ``instruction``: those of ``only``, or of both languages."""
    if language not in ("en", "zh"):
        return Draft.of(text)
    rules = STYLES[instruction]
    return _run(Draft.of(text), [lambda one, _: rules(one, only or "")], terms)


def _run(draft: Draft, passes: Sequence[_Pass], terms: Sequence[str]) -> Draft:
    for one in passes:
        mask = protected(draft.text, terms)
        draft = draft.changed(allowed(one(draft.text, mask), mask))
    return draft
