"""The public data sets from which the shipped decoder learned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workers.training.datasets import TATOEBA, DataSet, Row, require
from workers.training.decoder.corpus import Split
from workers.training.summarisation import CSL, SCITLDR

CROSSWOZ: Final = DataSet(
    "dlg_crosswoz_zh",
    "https://github.com/thu-coai/CrossWOZ",
    "Apache-2.0",
    '{"turns": [{"text": …}, …]}',
)
SETS: Final = (TATOEBA, CSL, SCITLDR, CROSSWOZ)


def documents_of_sets(data: Path) -> Iterator[tuple[Split | None, str]]:
    """Yield every text of the sets, their dev parts first; raises DataMissing, naming all."""
    require(data, SETS, ["dev", "train"])
    splits: tuple[Split, Split] = ("dev", "train")
    for split in splits:
        for source in SETS:
            for row in source.rows(data, split):
                for text in texts_of_row(source, row):
                    yield split, text


def texts_of_row(source: DataSet, row: Row) -> list[str]:
    """The documents in a row.

    Both sides of a pair; a Chinese abstract; the one sentence that sums up an English one; a
    dialogue, a line a turn.
    """
    if source is TATOEBA:
        return [row["en"], row["zh"]]
    if source is SCITLDR:
        return [row["summary"]]
    if source is CROSSWOZ:
        return ["\n".join(turn["text"] for turn in row["turns"])]
    return [row["text"]]
