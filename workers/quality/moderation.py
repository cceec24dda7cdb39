"""Measure the default moderation model: ``python -m workers.quality --data DIR``.

Everything but the cross-validation goes through the engine that serves the
task and through the task's own decode, with default options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, f1_score

from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.moderation import ModerationOutput
from workers.engines.base import Engine
from workers.offline import shipped_engine
from workers.quality.identity import identity_rows
from workers.quality.scoring import moderate
from workers.training.command import DEFAULT_SEED
from workers.training.datasets import (
    AG_NEWS,
    BANKING,
    COLD,
    DAVIDSON,
    HATECHECK,
    HATECHECK_ZH,
    OPENAI,
    SST2,
    STORMFRONT,
    TATOEBA,
    TWEET_HATE,
    TWEET_OFFENSIVE,
    WAIMAI,
    DataSet,
    require,
)
from workers.training.heads import fit_head
from workers.training.linear import folds
from workers.training.moderation import make_view
from workers.training.moderation_recipe import (
    HEADS,
    OPENAI_KEYS,
    POOLED_HATE_HEAD,
    SOURCES,
    gather,
)
from workers.training.vectors import default_encoder

_FOLDS = 5
_HATE = ("hate", "hate/threatening", "identity_attack")


@dataclass(frozen=True, slots=True)
class Check:
    """One labelled set: how an output is read as one of its labels, and what is aimed at.

    ``reference`` is what a simple model of this size was seen to reach.
    """

    title: str
    data: DataSet
    predict: Callable[[ModerationOutput], str]
    rule: str
    goal: str = ""
    reference: str = ""


def davidson_label(output: ModerationOutput) -> str:
    """Three classes out of two categories, the rarer first."""
    if output.categories["identity_attack"]:
        return "hate"
    return "offensive" if output.categories["profanity"] else "neither"


def any_of(categories: Sequence[str], yes: str, no: str) -> Callable[[ModerationOutput], str]:
    """A prediction that is ``yes`` where any of ``categories`` is present."""
    return lambda output: yes if any(output.categories[name] for name in categories) else no


CHECKS = (
    Check(
        "COLD (zh), offensive",
        COLD,
        any_of(["toxicity"], "offensive", "safe"),
        "toxicity",
        "0.85",
        "0.874",
    ),
    Check(
        "Davidson, 3 classes",
        DAVIDSON,
        davidson_label,
        "identity_attack, else profanity",
        "0.74",
        "0.741",
    ),
    Check(
        "TweetEval offensive",
        TWEET_OFFENSIVE,
        any_of(["toxicity"], "offensive", "not-offensive"),
        "toxicity",
        "",
        "0.740",
    ),
    Check(
        "TweetEval hate",
        TWEET_HATE,
        any_of(_HATE, "hate", "not-hate"),
        "any of hate, hate/threatening, identity_attack",
        "",
        "0.739",
    ),
    Check(
        "Stormfront (not trained on)",
        STORMFRONT,
        any_of(_HATE, "hate", "noHate"),
        "any of hate, hate/threatening, identity_attack",
        "",
        "0.706",
    ),
    Check(
        "HateCheck en (never trained on)",
        HATECHECK,
        any_of(_HATE, "hateful", "non-hateful"),
        "any of hate, hate/threatening, identity_attack",
        "0.62, with a tuned encoder",
        "0.613",
    ),
    Check(
        "HateCheck zh (never trained on)",
        HATECHECK_ZH,
        any_of(["toxicity"], "hateful", "non-hateful"),
        "toxicity",
        "",
        "0.45",
    ),
)
ORDINARY = (
    ("AG News, en", AG_NEWS, "text"),
    ("SST-2 film reviews, en", SST2, "text"),
    ("Waimai food reviews, zh", WAIMAI, "text"),
    ("Tatoeba sentences, en (its train part was trained on)", TATOEBA, "en"),
    ("Tatoeba sentences, zh (its train part was trained on)", TATOEBA, "zh"),
    ("Banking questions, en (its train part was trained on)", BANKING, "text"),
)


def check_rows(engine: Engine, data: Path) -> list[str]:
    """Table rows of macro-F1 on the dev part of every labelled set."""
    lines = [
        "| set (dev) | texts | read from | macro-F1 | goal | simple-model reference |",
        "|---|---|---|---|---|---|",
    ]
    for check in CHECKS:
        rows = check.data.rows(data, "dev")
        outputs = moderate(engine, [row["text"] for row in rows]).outputs
        score = f1_score(
            [row["label"] for row in rows], [check.predict(one) for one in outputs], average="macro"
        )
        lines.append(
            f"| {check.title} | {len(rows)} | {check.rule} | {score:.3f} "
            f"| {check.goal or '–'} | {check.reference or '–'} |"
        )
    return lines


def ordinary_rows(engine: Engine, data: Path) -> list[str]:
    """Table rows of the share of harmless texts that is flagged."""
    lines = ["| ordinary text (dev) | texts | flagged | blocked |", "|---|---|---|---|"]
    for title, source, field in ORDINARY:
        texts = [row[field] for row in source.rows(data, "dev")]
        outputs = moderate(engine, texts).outputs
        flagged = sum(one.flagged for one in outputs) / len(outputs)
        blocked = sum(one.action == "block" for one in outputs) / len(outputs)
        lines.append(f"| {title} | {len(texts)} | {flagged:.1%} | {blocked:.1%} |")
    return lines


def cross_validation_rows(data: Path, seed: int) -> list[str]:
    """Table rows of AUPRC for the seven OpenAI categories, retrained for each of five folds.

    Train and dev of that set are folded together, since some categories have too
    few positives in dev alone; the other sets are used as in training.
    """
    examples = gather(data, "train", clean_text)["en"]
    more = gather(data, "dev", clean_text)["en"]
    examples += [one for one in more if one.source == OPENAI.name]
    view = make_view(examples, "en", default_encoder("moderation"), None)
    pooled = fit_head(POOLED_HATE_HEAD, examples, view, None, seed)
    recipes = {recipe.category: recipe for recipe in HEADS["en"]}
    lines = [
        "| category | labelled | positives | AUPRC, mean of folds | AUPRC, folds pooled |",
        "|---|---|---|---|---|",
    ]
    totals: list[tuple[float, float]] = []
    for category in OPENAI_KEYS.values():
        own = np.array([row for row, one in enumerate(examples) if category in one.labels])
        truth = np.array([examples[row].labels[category] for row in own])
        logits = np.zeros(own.size)
        scores = []
        for _, test in folds(truth, _FOLDS, seed):
            keep = np.setdiff1d(np.arange(len(examples)), own[test])
            head = fit_head(
                recipes[category],
                [examples[row] for row in keep],
                view.take(keep),
                pooled,
                seed,
            )
            logits[test] = head.logits(view.take(own[test]))
            scores.append(float(average_precision_score(truth[test], logits[test])))
        whole = float(average_precision_score(truth, logits))
        totals.append((float(np.mean(scores)), whole))
        lines.append(
            f"| {category} | {truth.size} | {truth.sum()} | {np.mean(scores):.3f} | {whole:.3f} |"
        )
    mean, whole = np.mean(totals, axis=0)
    lines.append(f"| mean | – | – | {mean:.3f} | {whole:.3f} |")
    return lines


def speed_rows(engine: Engine, data: Path) -> list[str]:
    """Table rows of texts per second, encode to decode, on one core."""
    lines = [
        "| texts, one core, sorted micro-batches | texts | mean characters | texts/s |",
        "|---|---|---|---|",
    ]
    for title, source in (
        ("Chinese comments (COLD): n-grams alone", COLD),
        ("English tweets (Davidson): n-grams and encoder", DAVIDSON),
    ):
        texts = [row["text"] for row in source.rows(data, "dev")]
        rate = moderate(engine, texts).texts_per_second
        mean = sum(map(len, texts)) / len(texts)
        lines.append(f"| {title} | {len(texts)} | {mean:.0f} | {rate:,.0f} |")
    return lines


def measure(data: Path) -> str:
    """The section of the page, as Markdown; takes some ten minutes on one core.

    Raises:
        DataMissing: ``data`` lacks one of the sets; all that are missing are named.
    """
    require(data, {check.data for check in CHECKS} | {one for _, one, _ in ORDINARY}, ["dev"])
    require(data, {source.data for source in SOURCES}, ["train", "dev"])
    engine = shipped_engine("moderation")
    parts = [
        "## Moderation",
        f"Model `{engine.name}`, revision `{engine.revision}`.",
        "Default options and thresholds, through the serving engine and the task's decode. "
        "Weights and thresholds come from the training parts alone (thresholds out-of-fold), but "
        "n-gram ranges, regularisation and the weight of ordinary sentences were chosen while "
        "looking at dev figures, so expect a little less on unseen data. "
        "The reference column is what one simple model (hashed n-gram logistic regression, or a "
        "frozen or lightly tuned MiniLM) was seen to reach on these sets' held-out parts.",
        "\n".join(check_rows(engine, data)),
        "Share of ordinary text that is flagged (news and reviews do hold some harsh lines):",
        "\n".join(ordinary_rows(engine, data)),
        "By the group of people that a text is about, in tests of functions that were never "
        "trained on (a few texts each, so differences under a quarter say little); Chinese has "
        "one category, toxicity:",
        "\n".join(identity_rows(engine, data)),
        "OpenAI's moderation set, five folds over train and dev together, retrained per fold "
        "with the training code (goal: mean AUPRC 0.57; simple-model reference 0.567). "
        "The same folds guided the choice of settings:",
        "\n".join(cross_validation_rows(data, DEFAULT_SEED)),
        "Speed, wall time with one torch thread; other work on the same machine lowers it:",
        "\n".join(speed_rows(engine, data)),
    ]
    return "\n\n".join(parts)
