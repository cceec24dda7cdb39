"""What of a text is copied from another: matching spans, lightly edited ones too.

Both texts become tokens, words or single characters of scripts that write no spaces. A
walk over the text looks its next few tokens up in the other and takes the longest run
of equal tokens from there (a form of greedy string tiling, Wise 1993). Runs that follow
each other closely in both texts are one match: between them something was edited.
Time and memory grow with the length of the texts and no faster.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

_SEED: Final = 3
"""Equal tokens that begin a run."""
_LONGEST_GAP: Final = 8
"""Tokens between two runs of one match, in either text."""
_LEAST_WEIGHT: Final = 8.0
"""Equal tokens that make a match, half of which will do if that is most of a short text."""
_CHARACTER_WEIGHT: Final = 0.5
"""What a character that is a token counts, beside a word."""
_CANDIDATES: Final = 8
_RECENT_MATCHES: Final = 4

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f"
)
_UNSEEN = "\u00ad\u0300-\u036f\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff"
_TOKEN = re.compile(
    rf"(?P<single>[{_UNSPACED}])|(?P<word>(?:(?![{_UNSPACED}])[\w{_UNSEEN}])+)|(?P<sign>[^\w\s])"
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff]")

Span = tuple[int, int]
"""Characters ``[start, end)`` of an original text."""


class Match(NamedTuple):
    """A passage of the text and the passage of the other that it is like."""

    text: Span
    other: Span


@dataclass(frozen=True, slots=True)
class Overlap:
    """What was found. ``share`` of the text's characters, in words, is copied: 0 to 1."""

    share: float
    matches: tuple[Match, ...]


class Token(NamedTuple):
    """A word, character or sign at ``[start, end)``, as it is compared, and what it counts."""

    start: int
    end: int
    folded: str
    weight: float


class _Run(NamedTuple):
    """``length`` equal tokens from ``text`` and from ``other`` on."""

    text: int
    other: int
    length: int


@dataclass(slots=True)
class _Chain:
    """Runs of one match, and what their tokens weigh."""

    runs: list[_Run]
    weight: float

    def copied(self, tokens: Sequence[Token], others: Sequence[Token]) -> Iterator[int]:
        """Yield the places of all copied tokens: the runs', and equal ones between them."""
        for run, after in zip(self.runs, [*self.runs[1:], None], strict=True):
            end, other_end = run.text + run.length, run.other + run.length
            yield from range(run.text, end)
            if after is not None:
                mine = [token.folded for token in tokens[end : after.text]]
                theirs = [token.folded for token in others[other_end : after.other]]
                yield from (end + place for place in _common(mine, theirs))


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Of a text with each of some others, and the share of it that is copied from any."""

    share: float
    each: tuple[Overlap, ...]


def find_overlap(text: str, other: str, simplified: Mapping[int, str]) -> Overlap:
    """Find what of ``text`` is also in ``other``.

    Case, width, punctuation, spaces and invisible characters do not count, nor does
    whether Chinese is in traditional or simplified characters (``simplified``, a table
    for :meth:`str.translate`). Equal texts have a share of 1.

    >>> found = find_overlap("He said: THE QUICK brown fox jumps!", "the quick brown fox jumps", {})
    >>> round(found.share, 2), found.matches
    (0.78, (Match(text=(9, 34), other=(0, 25)),))
    """
    return find_overlaps(text, [other], simplified).each[0]


def find_overlaps(text: str, others: Sequence[str], simplified: Mapping[int, str]) -> Overlaps:
    """:func:`find_overlap` with each of ``others``, in order.

    >>> found = find_overlaps("one two three four five six", ["one two three", "five six"], {})
    >>> round(found.share, 2), [round(one.share, 2) for one in found.each]
    (0.82, [0.5, 0.32])
    """
    tokens = tokens_of(text, simplified)
    whole = sum(token.end - token.start for token in tokens)
    if not whole:
        each = tuple(Overlap(float(text == other), ()) for other in others)
        return Overlaps(max((one.share for one in each), default=0.0), each)
    found = [_overlap(tokens, tokens_of(other, simplified)) for other in others]
    sizes = {place: tokens[place].end - tokens[place].start for _, own in found for place in own}
    each = tuple(
        Overlap(sum(sizes[place] for place in own) / whole, matches) for matches, own in found
    )
    return Overlaps(sum(sizes.values()) / whole, each)


def _overlap(
    tokens: Sequence[Token], others: Sequence[Token]
) -> tuple[tuple[Match, ...], frozenset[int]]:
    """The matches, and the places of all tokens that are copied."""
    weights = [sum(token.weight for token in one) for one in (tokens, others)]
    least = min(_LEAST_WEIGHT, *(weight / 2 for weight in weights))
    chains = [one for one in _chains(tokens, others) if one.weight >= least]
    copied = frozenset(place for chain in chains for place in chain.copied(tokens, others))
    matches = [
        Match(
            (tokens[first.text].start, tokens[last.text + last.length - 1].end),
            (others[first.other].start, others[last.other + last.length - 1].end),
        )
        for chain in chains
        for first, last in [(chain.runs[0], chain.runs[-1])]
    ]
    return tuple(sorted(matches)), copied


def tokens_of(text: str, simplified: Mapping[int, str]) -> list[Token]:
    """Words, characters and signs of ``text``; all its characters where there are none."""
    found = []
    for match in _TOKEN.finditer(text):
        raw = match.group()
        if match.lastgroup == "sign" and not unicodedata.category(raw).startswith("S"):
            continue
        folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", raw)).casefold()
        if folded:
            weight = _CHARACTER_WEIGHT if match.lastgroup == "single" else 1.0
            folded = folded.translate(simplified)
            found.append(Token(match.start(), match.end(), folded, weight))
    return found or [Token(at, at + 1, one, 1.0) for at, one in enumerate(text)]


def _chains(tokens: Sequence[Token], others: Sequence[Token]) -> list[_Chain]:
    """Put runs together that follow each other closely in both texts."""
    chains: list[_Chain] = []
    for run in _runs([one.folded for one in tokens], [one.folded for one in others]):
        weight = sum(token.weight for token in tokens[run.text : run.text + run.length])
        for chain in reversed(chains[-_RECENT_MATCHES:]):
            last = chain.runs[-1]
            gaps = (
                run.text - last.text - last.length,
                run.other - last.other - last.length,
            )
            if all(0 <= gap <= _LONGEST_GAP for gap in gaps):
                chain.runs.append(run)
                chain.weight += weight
                break
        else:
            chains.append(_Chain([run], weight))
    return chains


def _common(mine: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """Places in ``mine`` of a longest common subsequence; both are a gap long at most.

    >>> _common(["a", "b", "c", "d"], ["b", "x", "d"])
    [1, 3]
    """
    best: list[list[list[int]]] = [[[] for _ in range(len(theirs) + 1)]]
    for place, one in enumerate(mine):
        row: list[list[int]] = [[]]
        for column, other in enumerate(theirs):
            longer = [*best[-1][column], place] if one == other else []
            row.append(max(longer, best[-1][column + 1], row[column], key=len))
        best.append(row)
    return best[-1][-1]


def _runs(tokens: Sequence[str], others: Sequence[str]) -> Iterator[_Run]:
    """Yield the longest runs of equal tokens that the walk over ``tokens`` meets."""
    size = min(_SEED, len(tokens), len(others))
    places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place in range(len(others) - size + 1):
        places[tuple(others[place : place + size])].append(place)
    at = expected = 0
    while size and at <= len(tokens) - size:
        known = places.get(tuple(tokens[at : at + size]), ())
        best = _Run(at, 0, 0)
        for place in _candidates(known, expected):
            length = size
            while (
                at + length < len(tokens)
                and place + length < len(others)
                and tokens[at + length] == others[place + length]
            ):
                length += 1
            if length > best.length:
                best = _Run(at, place, length)
        if best.length:
            yield best
            at += best.length
            expected = best.other + best.length
        else:
            at += 1


def _candidates(places: Sequence[int], expected: int) -> Iterator[int]:
    """Yield a few of the sorted ``places``: those where the text would go on, then the first."""
    if len(places) <= 2 * _CANDIDATES:
        near = sorted(places, key=lambda place: abs(place - expected))
        yield from near
        return
    middle = bisect_left(places, expected)
    yield from places[middle : middle + _CANDIDATES]
    yield from places[:_CANDIDATES]
