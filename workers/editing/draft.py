"""A text under correction: pass after pass changes it, and what changed is known of the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Change:
    """Put ``after`` in the place of the characters ``[start, end)`` of a text.

    ``score`` says how sure the rule or model is, 0 to 1.
    """

    start: int
    end: int
    after: str
    kind: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Draft:
    """``text`` came from ``given`` by ``changes``: of ``given``, disjoint and in order."""

    given: str
    text: str
    changes: tuple[Change, ...] = ()

    @classmethod
    def of(cls, text: str) -> Draft:
        """A text as it was given."""
        return cls(text, text)

    def changed(self, news: Iterable[Change]) -> Draft:
        """Apply changes of ``self.text``; of those that overlap the first in the text counts.

        One that touches what was changed before becomes one with it.

        >>> draft = Draft.of("teh  cat").changed([Change(0, 3, "the", "typo", 0.9)])
        >>> draft = draft.changed([Change(0, 1, "T", "casing"), Change(3, 5, " ", "spacing")])
        >>> draft.text
        'The cat'
        >>> [(one.start, one.end, one.after, one.kind) for one in draft.changes]
        [(0, 3, 'The', 'typo'), (3, 5, ' ', 'spacing')]
        """
        kept = disjoint(news)
        if not kept:
            return self
        return Draft(self.given, apply(self.text, kept), tuple(_composed(self, kept)))


_Piece: TypeAlias = tuple[int, int, bool, Change]
"""Where a change stands in a draft's text, whether it is new, and itself."""


def disjoint(changes: Iterable[Change]) -> list[Change]:
    """Changes in order of the text without those that overlap an earlier one."""
    kept: list[Change] = []
    for one in sorted(changes, key=lambda one: (one.start, one.end)):
        if not kept or (one.start >= kept[-1].end and (one.start, one.end) != _span(kept[-1])):
            kept.append(one)
    return kept


def apply(text: str, changes: Sequence[Change]) -> str:
    """Return ``text`` with ``changes``, disjoint and in order, made.

    >>> apply("abc", [Change(0, 1, "", "x"), Change(3, 3, "d", "x")])
    'bcd'
    """
    parts: list[str] = []
    at = 0
    for one in changes:
        parts += (text[at : one.start], one.after)
        at = one.end
    return "".join((*parts, text[at:]))


def _composed(draft: Draft, news: Sequence[Change]) -> list[Change]:
    """Old and new changes as changes of the given text, those that touch made one."""
    pieces: list[_Piece] = []
    shift = 0
    for one in draft.changes:
        start = one.start + shift
        pieces.append((start, start + len(one.after), False, one))
        shift += len(one.after) - (one.end - one.start)
    pieces += [(one.start, one.end, True, one) for one in news]
    pieces.sort(key=lambda piece: (piece[0], piece[1]))
    groups: list[list[_Piece]] = []
    end = -1
    for piece in pieces:
        if groups and (piece[0] < end or (piece[0] == end and _ambiguous(groups[-1][-1], piece))):
            groups[-1].append(piece)
            end = max(end, piece[1])
        else:
            groups.append([piece])
            end = piece[1]
    merged: list[Change] = []
    shift = 0  # of the text of the draft against the given one, before the group
    for group in groups:
        one = _merged(draft, group, shift)
        shift += sum(len(old.after) - (old.end - old.start) for _, _, new, old in group if not new)
        if merged and merged[-1].end == one.start and _inserts(merged[-1], one):
            one = _joined(merged.pop(), one)
        if draft.given[one.start : one.end] != one.after:
            merged.append(one)
    return merged


def _ambiguous(left: _Piece, right: _Piece) -> bool:
    """Whether an old and a new change that touch hold nothing that says which comes first."""
    return left[2] != right[2] and (left[0] == left[1] or right[0] == right[1])


def _inserts(left: Change, right: Change) -> bool:
    """Whether one of two changes side by side only inserts: their order would be open."""
    return left.start == left.end or right.start == right.end


def _joined(left: Change, right: Change) -> Change:
    score = min(left.score, right.score)
    return Change(left.start, right.end, left.after + right.after, left.kind, score)


def _merged(draft: Draft, group: Sequence[_Piece], shift: int) -> Change:
    olds = [(start, one) for start, _, new, one in group if not new]
    news = [one for _, _, new, one in group if new]
    if not news:
        return olds[0][1]
    start = min(piece[0] for piece in group)
    end = max(piece[1] for piece in group)
    after = apply(
        draft.text[start:end],
        [Change(one.start - start, one.end - start, one.after, one.kind) for one in news],
    )
    grown = sum(len(one.after) - (one.end - one.start) for _, one in olds)
    first = olds[0][1] if olds else news[0]
    return Change(
        start - shift,
        end - shift - grown,
        after,
        first.kind,
        min(one.score for one in (*(old for _, old in olds), *news)),
    )


def _span(change: Change) -> tuple[int, int]:
    return change.start, change.end
