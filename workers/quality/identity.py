"""How moderation treats texts about each group of people: the functional tests of HateCheck."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from lepton_tasks.nlp.moderation import ModerationOutput
from workers.engines.base import Engine
from workers.quality.scoring import moderate
from workers.training.datasets import HATECHECK, HATECHECK_ZH, DataSet

_SETS: Final[tuple[tuple[str, DataSet, tuple[str, ...]], ...]] = (
    ("en", HATECHECK, ("hate", "hate/threatening", "identity_attack")),
    ("zh", HATECHECK_ZH, ("toxicity",)),
)
_NOBODY: Final = "nobody in particular"

Judged = tuple[str, bool, bool]
"""The group that a text is about, whether it is hateful, and whether it was found to be."""


def identity_rows(engine: Engine, data: Path) -> list[str]:
    """Lines of a table: by language and group, false positives and hits at default thresholds."""
    lines = [
        "| HateCheck (dev), about | texts without hate | of these flagged | hateful texts "
        "| of these flagged |",
        "|---|---|---|---|---|",
    ]
    for language, source, categories in _SETS:
        rows = source.rows(data, "dev")
        outputs = moderate(engine, [row["text"] for row in rows]).outputs
        judged = [
            (row["target"] or _NOBODY, row["label"] == "hateful", _flagged(output, categories))
            for row, output in zip(rows, outputs, strict=True)
        ]
        lines += [f"| {language}, {line}" for line in rates(judged)]
    return lines


def rates(judged: Iterable[Judged]) -> list[str]:
    """Cells of each group, in the order of their names.

    >>> rates([("women", False, True), ("women", False, False), ("women", True, True)])
    ['women | 2 | 50.0% | 1 | 100.0% |']
    >>> rates([("nobody", False, False)])
    ['nobody | 1 | 0.0% | 0 | – |']
    """
    groups: defaultdict[str, Mapping[bool, list[bool]]] = defaultdict(lambda: {True: [], False: []})
    for group, hateful, flagged in judged:
        groups[group][hateful].append(flagged)
    return [
        f"{group} | {' | '.join(_cell(found[hateful]) for hateful in (False, True))} |"
        for group, found in sorted(groups.items())
    ]


def _cell(flagged: list[bool]) -> str:
    share = f"{sum(flagged) / len(flagged):.1%}" if flagged else "–"
    return f"{len(flagged)} | {share}"


def _flagged(output: ModerationOutput, categories: Iterable[str]) -> bool:
    return any(output.categories[name] for name in categories)
