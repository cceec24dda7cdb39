"""Measure the default translator: BLEU both ways on Tatoeba, beside answers that take no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lepton_tasks.nlp.translation import Translation
from workers.engines.base import Engine
from workers.features.han import simplified_characters
from workers.offline import answer_all, shipped_engine
from workers.training.datasets import TATOEBA, Row

_PUBLISHED: Final = "https://github.com/Helsinki-NLP/Tatoeba-Challenge/blob/master/models"


@dataclass(frozen=True, slots=True)
class Direction:
    """One way of translating, how its BLEU is counted, what a full-size model has."""

    source: str
    target: str
    tokenize: str
    unit: str
    goal: str
    published: str


DIRECTIONS: Final = (
    Direction("en", "zh", "char", "characters", "20", f"[31.4]({_PUBLISHED}/eng-zho/README.md)"),
    Direction("zh", "en", "13a", "words", "–", f"[36.1]({_PUBLISHED}/zho-eng/README.md)"),
)


def measure(data: Path) -> str:
    """The section on translation, as Markdown. Raises DataMissing without the data."""
    engine = shipped_engine("translation")
    train, dev = (TATOEBA.rows(data, part) for part in ("train", "dev"))
    lines = [
        "## Translation",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`, a demo. {len(dev):,} pairs of "
        "sentences of Tatoeba (dev), of which the model saw none; its epoch was chosen by the loss "
        "on 500 of them. BLEU by sacrebleu: of characters into Chinese, of words into English. "
        "Chinese references are in simplified characters, as answers are; beside it stands BLEU "
        "against the references as they are, traditional ones in part. Published are the figures "
        "of Helsinki-NLP/opus-mt-en-zh and -zh-en (opus-2020-07-17) on another, larger test set of "
        "Tatoeba, counted by their authors: an orientation, not a comparison.",
        "",
        "| direction | answer | BLEU | references as they are | chrF | goal | published |",
        "|---|---|---|---|---|---|---|",
    ]
    for way in DIRECTIONS:
        sources = [row[way.source] for row in dev]
        for title, answers in (
            ("the model", translated(engine, sources, way)),
            ("the pair of train whose source is most alike", nearest(train, sources, way)),
            ("the source, copied", sources),
        ):
            own = title == "the model"
            figures = " | ".join(f"{one:.1f}" for one in scores(answers, dev, way))
            ends = f"{way.goal} | {way.published}" if own else "– | –"
            name = f"{way.source} → {way.target}, {way.unit}"
            lines.append(f"| {name} | {title} | {figures} | {ends} |")
    return "\n".join(lines) + "\n"


def translated(engine: Engine, sources: Sequence[str], way: Direction) -> list[str]:
    """What the serving engine and the task's own encode and decode make of ``sources``."""
    task = Translation()
    options = task.options_model(source=way.source, target=way.target)
    return [one.text for one in answer_all(task, engine, sources, options)]


def nearest(train: Sequence[Row], sources: Sequence[str], way: Direction) -> list[str]:
    """Targets of the training pairs that share most n-grams of characters with each source."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    simple = simplifier()
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    known = vectors.fit_transform([simple(row[way.source]) for row in train])
    found: Any = (vectors.transform([simple(one) for one in sources]) @ known.T).argmax(axis=1)
    return [train[int(place)][way.target] for place in found.A1]


def scores(
    answers: Sequence[str], rows: Sequence[Row], way: Direction
) -> tuple[float, float, float]:
    """BLEU, BLEU against the references as they are, and chrF, each 0 to 100."""
    from sacrebleu.metrics import BLEU, CHRF

    simple = simplifier()
    plain = [row[way.target] for row in rows]
    wanted = [simple(one) for one in plain]
    simplified = [simple(one) for one in answers]
    bleu = BLEU(tokenize=way.tokenize)
    return (
        bleu.corpus_score(simplified, [wanted]).score,
        bleu.corpus_score(list(answers), [plain]).score,
        CHRF().corpus_score(simplified, [wanted]).score,
    )


def simplifier() -> Callable[[str], str]:
    """What writes Chinese in simplified characters and leaves all else."""
    table = simplified_characters()
    return lambda text: text.translate(table)
