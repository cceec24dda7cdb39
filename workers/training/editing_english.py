"""What English typos are learnt from: words, counts of pairs, and typos made by chance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.editing.counts import Floats, HashedCounts
from workers.editing.english import FEATURES, SOUNDS, TOKEN, EnglishModel
from workers.editing.lexicon import LONGEST, Lexicon
from workers.training.editing_sources import ENGLISH_WORD as WORD

_INFORMAL: Final = (
    "ok okay yeah yep nope gonna wanna gotta kinda sorta lol omg btw wow hey hmm oops haha blog "
    "wifi app apps email emails online website selfie emoji offline login username pls thx ya cya "
    "tbh imo imho idk aka etc vs eg ie th st nd rd pm am tv pc cd dvd usb pdf url html http https "
    "www com org net ebook ebooks inbox datapoint datapoints startup startups"
)
_PER_COUNT: Final = 1e-6
"""What one occurrence in the counts of books weighs beside one in our texts."""
_LEAST_BOOKS: Final = 7.4
_LEAST_OWN: Final = 2
_SEEN_OFTEN: Final = 4
_FOLDS: Final = 4
_TYPOS: Final = 0.75
_SPLIT, _SOUND = 0.08, 0.05
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_VOWELS: Final = "aeiou"
_BY_SOUND: Final = {
    word: [other for other in group if other != word] for group in SOUNDS for word in group
}

Tokens = tuple[list[str], list[bool]]


def tokens_of(text: str) -> Tokens:
    """The tokens of a text, and which of them are lower-case words."""
    found = [match[0].replace("’", "'") for match in TOKEN.finditer(text)]
    return found, [WORD.fullmatch(one) is not None for one in found]


def make_lexicon(
    texts: Iterable[str], words: Iterable[str], books: Iterable[tuple[str, int]]
) -> Lexicon:
    """All ``words``, those of ``books`` with their counts, and what ``texts`` have often."""
    counts: dict[str, float] = {}
    for word, count in books:
        if WORD.fullmatch(word) and len(word) <= LONGEST:
            counts[word] = max(1.0, count * _PER_COUNT)
    for word in (*words, *_INFORMAL.split(), *_LETTERS.replace("a", "")):
        counts.setdefault(word, 1.0)
    own: Counter[str] = Counter()
    for text in texts:
        for match in TOKEN.finditer(text):
            word = match[0].replace("’", "'")
            if WORD.fullmatch(word.lower()) and len(word) <= LONGEST:
                own[word if word.islower() or word.lower() not in counts else word.lower()] += 1
    for word, count in own.items():
        if word in counts:
            counts[word] += count
        elif count >= _SEEN_OFTEN and WORD.fullmatch(word) and "'" not in word:
            counts[word] = float(count)
    return Lexicon.of(counts)


def make_model(
    lexicon: Lexicon, texts: Iterable[str], books: Iterable[tuple[str, int]]
) -> EnglishModel:
    """Pairs of words, as ``books`` ("of the" and a count) and ``texts`` have them."""
    pairs: Counter[int] = Counter()
    blank = EnglishModel(lexicon, HashedCounts.of({}))
    for text in texts:
        ids = blank.identifiers([match[0] for match in TOKEN.finditer(text)]).tolist()
        pairs.update((left << 20) | right for left, right in pairwise(ids))
    counts = {key: float(count) for key, count in pairs.items() if count >= _LEAST_OWN}
    for words, count in books:
        left, _, right = words.partition(" ")
        first, second = lexicon.id_of(left), lexicon.id_of(right)
        if first and second and count * _PER_COUNT >= _LEAST_BOOKS:
            key = (first << 20) | second
            counts[key] = pairs[key] + count * _PER_COUNT
    return EnglishModel(lexicon, HashedCounts.of(counts))


def make_examples(
    lexicon: Lexicon,
    texts: Sequence[str],
    books: Sequence[tuple[str, int]],
    dice: random.Random,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Features of candidates of texts with a typo each, or none, and which of them was meant.

    No text is scored by counts that it is part of.
    """
    rows, truth = [np.zeros((0, FEATURES), dtype=np.float32)], [np.zeros(0, dtype=np.bool_)]
    for fold in range(_FOLDS):
        rest = [text for place, text in enumerate(texts) if place % _FOLDS != fold]
        model = make_model(lexicon, rest, books)
        for text in texts[fold::_FOLDS]:
            tokens, open_ = tokens_of(text)
            made = mistyped(tokens, open_, dice) if dice.random() < _TYPOS else None
            place, meant = -1, ""
            if made is not None:
                place, meant, (tokens, open_) = made
            found = model.candidates(tokens, open_)
            rows.append(found.rows)
            right = [
                at == place and after == meant
                for at, after in zip(found.places.tolist(), found.after, strict=True)
            ]
            truth.append(np.array(right, dtype=np.bool_))
    return np.concatenate(rows), np.concatenate(truth)


def mistyped(
    tokens: list[str], open_: list[bool], dice: random.Random
) -> tuple[int, str, Tokens] | None:
    """Put one typo into a text: where, what was meant, and the tokens; None where it failed."""
    places = [place for place, may in enumerate(open_) if may]
    chance = dice.random()
    pairs = [place for place in places[:-1] if open_[place + 1]]
    if chance < _SPLIT and pairs:
        at = dice.choice(pairs)
        joined = tokens[at] + tokens[at + 1]
        meant = f"{tokens[at]} {tokens[at + 1]}"
        return (
            at,
            meant,
            (
                [*tokens[:at], joined, *tokens[at + 2 :]],
                [*open_[:at], True, *open_[at + 2 :]],
            ),
        )
    sounds = [place for place in places if tokens[place] in _BY_SOUND]
    if _SPLIT <= chance < _SPLIT + _SOUND and sounds:
        at = dice.choice(sounds)
        wrong: str | None = dice.choice(_BY_SOUND[tokens[at]])
    elif places:
        at = dice.choice(places)
        wrong = slip(tokens[at], dice)
    else:
        return None
    if wrong is None:
        return None
    return at, tokens[at], ([*tokens[:at], wrong, *tokens[at + 1 :]], open_)


def slip(word: str, dice: random.Random) -> str | None:
    """A word of at least three letters with one slip of the finger; None for another."""
    if len(word) < 3:
        return None
    at, chance = dice.randrange(len(word)), dice.random()
    letter = dice.choice(_LETTERS)
    if chance < 0.22:
        wrong = word[:at] + word[at + 1 :]
    elif chance < 0.4:
        wrong = word[:at] + letter + word[at:]
    elif chance < 0.62:
        vowel = word[at] in _VOWELS and dice.random() < 0.6
        wrong = word[:at] + (dice.choice(_VOWELS) if vowel else letter) + word[at + 1 :]
    elif chance < 0.82:
        wrong = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
    elif chance < 0.9 or "'" not in word:
        wrong = word[:at] + word[at] + word[at:]
    else:
        wrong = word.replace("'", "")
    return wrong if wrong != word and WORD.fullmatch(wrong) else None
