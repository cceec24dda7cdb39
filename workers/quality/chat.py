"""Measure the default chat model: whether it finds the real answer among ten."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.chat import Chat, ChatOptions
from workers.catalogue.entries import DEFAULT_CATALOGUE, choose, read_catalogue
from workers.engines.folder import read_folder
from workers.engines.retrieval_chat import RetrievalChat, build_retrieval_chat
from workers.features.dialogues import Context, folded
from workers.features.lexical import LexicalIndex
from workers.features.ngrams import NgramSpec
from workers.training.chat import CROSSWOZ, DEFAULT_SEED, Pair, pairs

CANDIDATES: Final = 10
_WORDS: Final = NgramSpec(1 << 16, (1, 3), (0, 0))

Ranker = Callable[[Sequence[str], Sequence[str]], npt.NDArray[np.float32]]
"""Scores of candidates, given the messages of a dialogue."""


def measure(data: Path) -> str:
    """The section on chat, as Markdown. Raises DataMissing without the dev part."""
    entry = choose(read_catalogue(DEFAULT_CATALOGUE), "chat", None)
    engine = build_retrieval_chat(entry.name, read_folder(entry.model_folder))
    given = pairs(CROSSWOZ.rows(data, "dev"))
    questions = drawn(given, CANDIDATES, DEFAULT_SEED)
    known = CROSSWOZ.rows(data, "train")
    texts = [turn["text"] for row in known for turn in row["turns"]]
    rows = [
        ("the model's scorer", recall(questions, by_scorer(engine))),
        ("TF-IDF of character n-grams, last message and answer", recall(questions, likest(texts))),
        ("at random", 1 / CANDIDATES),
    ]
    answered = sum(is_answered(engine, one) for one in given)
    lines = [
        "## Chat",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`, a demonstration: it answers with "
        f"messages of CrossWOZ's train part. CrossWOZ dev, {len(given)} answers of the system; "
        f"the real answer and {CANDIDATES - 1} others of the same part, drawn with seed "
        f"{DEFAULT_SEED}. Size and dropout of the scorer were chosen while looking at these "
        "dev figures.",
        "",
        f"| ranked by | recall@1 among {CANDIDATES} |",
        "|---|---|",
        *(f"| {name} | {share:.3f} |" for name, share in rows),
        "",
        f"Of the same dialogues the whole model answers {answered / len(given):.1%} with a stored "
        "message, and says of the others that it did not understand. Names, addresses and prices "
        "in its answers are those of the stored dialogue, not of the one at hand.",
    ]
    return "\n".join(lines) + "\n"


def drawn(given: Sequence[Pair], count: int, seed: int) -> list[tuple[Pair, list[str]]]:
    """Each pair with ``count`` candidates, its own answer first and the others all different.

    Raises:
        ValueError: there are not so many different answers.
    """
    pool = [one.answer for one in given]
    if len(set(pool)) < count:
        raise ValueError(f"{len(set(pool))} different answers are too few for {count} candidates")
    generator = random.Random(seed)  # noqa: S311 - it is to be the same each time
    found = []
    for one in given:
        candidates = [one.answer]
        while len(candidates) < count:
            other = generator.choice(pool)
            if other not in candidates:
                candidates.append(other)
        found.append((one, candidates))
    return found


def recall(questions: Sequence[tuple[Pair, list[str]]], ranker: Ranker) -> float:
    """Share of the questions whose first candidate alone is ranked highest."""
    hits = 0
    for pair, candidates in questions:
        scores = ranker(pair.messages, candidates)
        hits += bool(scores[0] > scores[1:].max())
    return hits / len(questions)


def by_scorer(engine: RetrievalChat) -> Ranker:
    """The trained scorer of the engine."""

    def rank(messages: Sequence[str], candidates: Sequence[str]) -> npt.NDArray[np.float32]:
        [vector] = engine.scorer.contexts([Context.of(messages)])
        answers = engine.scorer.answers([folded(one) for one in candidates])
        scores: npt.NDArray[np.float32] = (answers @ vector).numpy()
        return scores

    return rank


def likest(texts: Sequence[str]) -> Ranker:
    """Likeness of answer and last message, n-grams weighted by how rare they are in ``texts``."""
    rarity = LexicalIndex([folded(one) for one in texts], _WORDS).rarity

    def rank(messages: Sequence[str], candidates: Sequence[str]) -> npt.NDArray[np.float32]:
        index = LexicalIndex([folded(one) for one in candidates], _WORDS, rarity)
        return index.likeness(folded(messages[-1]))

    return rank


def is_answered(engine: RetrievalChat, pair: Pair) -> bool:
    """Whether the whole model has a stored message for a dialogue."""
    task, roles = Chat(), cycle(("user", "assistant"))
    messages = [
        {"role": role, "content": said}
        for said, role in zip(pair.messages[::-1], roles, strict=False)
    ]
    item = task.read_item({"messages": messages[::-1]})
    [raw] = engine.forward(engine.tokenize([task.encode(item, ChatOptions(language="zh"))]))
    return bool(raw["found"])
