"""Measure redaction on labelled spans and on generated Chinese numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lepton_tasks.nlp.redaction import Redaction, RedactionOptions, RedactionOutput
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.quality.redaction_samples import make_samples
from workers.training.datasets import DataSet

PII = DataSet(
    "pii_presidio",
    "https://github.com/microsoft/presidio-research",
    "MIT",
    '{"text": …, "spans": [{"type": …, "start": …, "end": …}, …]}',
)
TYPES = {
    "CREDIT_CARD": "bank_card",
    "PHONE_NUMBER": "phone",
    "EMAIL_ADDRESS": "email",
    "DOMAIN_NAME": "url",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip_address",
    "US_SSN": "us_ssn",
    "US_DRIVER_LICENSE": "driver_licence",
}
"""Labels of the set that a pattern stands for, and ours."""
_SAMPLES = 500
_SEED = 20
_ITEMS = 64

Spans = set[tuple[str, int, int]]


@dataclass(slots=True)
class Counts:
    """Spans found and right, found and wrong, and missed; right is type and both ends."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 without any span."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 0.0


def redact(
    engine: Engine, texts: Sequence[str], options: RedactionOptions
) -> list[RedactionOutput]:
    """Redact ``texts`` as a worker does."""
    task = Redaction()
    inputs = [task.encode(text, options) for text in texts]
    outputs = []
    for start in range(0, len(inputs), _ITEMS):
        part = inputs[start : start + _ITEMS]
        for raw, one in zip(engine.forward(engine.tokenize(part)), part, strict=True):
            outputs.append(task.decode(raw, one, options))
    return outputs


def count(gold: Sequence[Spans], found: Sequence[Spans]) -> dict[str, Counts]:
    """Counts by type, ``"all"`` among them."""
    tallies: dict[str, Counts] = {}
    for wanted, got in zip(gold, found, strict=True):
        for kind, start, end in wanted | got:
            for name in (kind, "all"):
                tally = tallies.setdefault(name, Counts())
                tally.right += (kind, start, end) in wanted & got
                tally.wrong += (kind, start, end) in got - wanted
                tally.missed += (kind, start, end) in wanted - got
    return tallies


def _spans_of(output: RedactionOutput) -> Spans:
    return {(one.type, one.start, one.end) for one in output.spans}


def labelled_rows(engine: Engine, data: Path, split: str) -> list[str]:
    """Table rows of exact-span scores on one part of the labelled set."""
    rows = PII.rows(data, split)
    options = RedactionOptions(types=tuple(TYPES.values()), language="en")
    outputs = redact(engine, [row["text"] for row in rows], options)
    gold: list[Spans] = [
        {
            (TYPES[one["type"]], one["start"], one["end"])
            for one in row["spans"]
            if one["type"] in TYPES
        }
        for row in rows
    ]
    tallies = count(gold, [_spans_of(one) for one in outputs])
    return [
        f"| {split} ({len(rows)} texts) | {kind} | {one.right + one.missed} | {one.wrong} "
        f"| {one.missed} | {one.f1:.3f} |"
        for kind, one in sorted(tallies.items(), key=lambda pair: (pair[0] == "all", pair[0]))
    ]


def generated_rows(engine: Engine) -> list[str]:
    """Table rows of recall on generated Chinese numbers, and false alarms on decoys."""
    samples = make_samples(_SAMPLES, _SEED)
    outputs = redact(engine, [one.text for one in samples], RedactionOptions())
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for one, output in zip(samples, outputs, strict=True):
        name = one.type or "decoy, left alone"
        wanted = {(one.type, one.start, one.end)} if one.type else set()
        total[name] += 1
        right[name] += _spans_of(output) == wanted
    return [f"| {name} | {total[name]} | {right[name] / total[name]:.3f} |" for name in total]


def measure(data: Path) -> str:
    """One Markdown section, from the dev part of ``data``; raises DataMissing without it."""
    engine = load_engine("redaction", read_catalogue(DEFAULT_CATALOGUE), "cpu")
    lines = [
        "## Redaction",
        "",
        f"Engine `{engine.name}`, revision `{engine.revision}`: rules, no weights. Exact spans "
        "(type and both ends) on the types of pii_presidio (MIT, synthetic English) that have a "
        "pattern; goal: F1 0.80 over all. Rules were written with the train part in view. The "
        "dev part has none of some types, so train is shown beside it. Names, places and "
        "organisations of that set have no pattern and are not counted.",
        "",
        "| part | type | spans | wrong | missed | F1 |",
        "|---|---|---|---|---|---|",
        *labelled_rows(engine, data, "dev"),
        *labelled_rows(engine, data, "train"),
        "",
        "Generated Chinese sentences (`workers/quality/redaction_samples.py`): share in which "
        "exactly the number was found. A decoy is a random number of 10 to 20 digits in an order "
        "or parcel; about one in ten of a card's length has a right check digit by chance.",
        "",
        "| holds | sentences | right |",
        "|---|---|---|",
        *generated_rows(engine),
    ]
    return "\n".join(lines) + "\n"
