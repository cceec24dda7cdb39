"""Train the correction of typos: ``python -m workers.training.editing --data DIR --seed 7``."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

from lepton_tasks.nlp.sentences import split_sentences
from workers.editing.chinese import Confusions
from workers.engines.editor import FORMAT
from workers.engines.folder import CONFIG, WEIGHTS
from workers.features.han import simplified_characters
from workers.training import editing_chinese as chinese
from workers.training import editing_english as english
from workers.training import editing_sources as sources
from workers.training.datasets import BANKING, COLD, TATOEBA, DataMissing, DataSet, require
from workers.training.network import fit_scorer

DEFAULT_SEED: Final = 7
DEFAULT_OUT: Final = Path(__file__).parents[1] / "models" / "editing"
DEFAULT_SCOWL: Final = Path("/usr/share/dict/scowl")
THRESHOLDS: Final = {"en": 1.0, "zh": 1.5}
"""Logits from which typos are corrected, by language, chosen on the dev parts."""

SCITLDR: Final = DataSet(
    "sum_scitldr", "https://github.com/allenai/scitldr", "Apache-2.0", '{"text": …}'
)
CSL: Final = DataSet("sum_csl_zh", "https://github.com/ydli-ai/CSL", "Apache-2.0", '{"text": …}')
CSL_TITLES: Final = DataSet(
    "cls_csl_zh", "https://github.com/ydli-ai/CSL", "Apache-2.0", '{"text": …}'
)
CROSSWOZ: Final = DataSet(
    "dlg_crosswoz_zh",
    "https://github.com/thu-coai/CrossWOZ",
    "Apache-2.0",
    '{"turns": [{"text": …}, …]}',
)
SETS: Final = (TATOEBA, SCITLDR, BANKING, CSL, CSL_TITLES, CROSSWOZ, COLD)
_COLD_WEIGHT: Final = 0.7
"""Posts of a network have typos of their own, so they count less."""
_MOST_CHINESE: Final = 24_000
"""Sentences that the Chinese network learns from."""


def texts_of(data: Path, split: str) -> tuple[list[str], list[chinese.Text]]:
    """Sentences in English, and sentences in simplified Chinese with what they weigh."""
    simple = simplified_characters()
    pairs = TATOEBA.rows(data, split)
    left = [row["en"] for row in pairs]
    left += [row["text"] for one in (SCITLDR, BANKING) for row in one.rows(data, split)]
    right = [(row["zh"], 1.0) for row in pairs]
    right += [(row["text"], 1.0) for one in (CSL, CSL_TITLES) for row in one.rows(data, split)]
    right += [(turn["text"], 1.0) for row in CROSSWOZ.rows(data, split) for turn in row["turns"]]
    right += [(row["text"], _COLD_WEIGHT) for row in COLD.rows(data, split)]
    return (
        [text[start:end] for text in left for start, end in split_sentences(text)],
        [
            (text[start:end].translate(simple), weight)
            for text, weight in right
            for start, end in split_sentences(text)
        ],
    )


def train_english(texts: Sequence[str], scowl: Path, seed: int) -> dict[str, torch.Tensor]:
    """Tensors of the English half."""
    pairs_of_books = list(sources.book_counts(sources.BOOK_PAIRS))
    lexicon = english.make_lexicon(
        texts, sources.scowl_words(scowl), sources.book_counts(sources.BOOK_WORDS)
    )
    _say(f"en: {len(texts)} sentences, {len(lexicon)} words")
    rows, truth = english.make_examples(lexicon, texts, pairs_of_books, random.Random(seed))
    _say(f"en: {len(truth)} candidates, {int(truth.sum())} of them right")
    scorer = fit_scorer(rows, truth, seed, epochs=6, batch=512)
    pairs = english.make_model(lexicon, texts, pairs_of_books).pairs
    _say(f"en: {len(pairs)} pairs")
    return {
        **lexicon.tensors("en.words"),
        **pairs.tensors("en.pairs"),
        **{f"en.scorer.{name}": part for name, part in scorer.items()},
    }


def train_chinese(
    texts: Sequence[chinese.Text], seed: int
) -> tuple[dict[str, torch.Tensor], float]:
    """Tensors of the Chinese half, and the sum of its counts."""
    dictionary = list(sources.chinese_words())
    _, counts, total, frequencies = chinese.make_model(texts, dictionary)
    table = chinese.make_table(frequencies, sources.readings_of(), sources.parts_of())
    _say(f"zh: {len(texts)} sentences, {len(counts)} counts")
    rows, truth = chinese.make_examples(
        texts[:_MOST_CHINESE],
        texts[_MOST_CHINESE:],
        dictionary,
        table,
        frequencies,
        random.Random(seed),
    )
    _say(f"zh: {len(truth)} candidates, {int(truth.sum())} of them right")
    scorer = fit_scorer(rows, truth, seed, epochs=4, batch=1024)
    return {
        **counts.tensors("zh.counts"),
        **Confusions.of(table).tensors("zh.confusions"),
        **{f"zh.scorer.{name}": part for name, part in scorer.items()},
    }, total


def save(out: Path, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Write ``model.safetensors`` and ``config.json`` as the editor engine reads them."""
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / WEIGHTS)
    text = json.dumps({"format": FORMAT, **facts}, indent=2, ensure_ascii=False) + "\n"
    (out / CONFIG).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m workers.training.editing",
        description="Train the correction of typos (English and Chinese) and write "
        "model.safetensors and config.json. Takes about ten minutes on one core.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument(
        "--scowl", type=Path, default=DEFAULT_SCOWL, metavar="DIR", help="word lists (%(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="model folder (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="random seed (%(default)s)")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        require(chosen.data, SETS, ["train"])
        left, right = texts_of(chosen.data, "train")
        dice = random.Random(chosen.seed)
        dice.shuffle(left)
        dice.shuffle(right)
        chinese_tensors, total = train_chinese(right, chosen.seed)
        tensors = {**train_english(left, chosen.scowl, chosen.seed), **chinese_tensors}
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    save(
        chosen.out,
        tensors,
        {
            "thresholds": THRESHOLDS,
            "total": total,
            "seed": chosen.seed,
            "data": {one.name: one.licence for one in SETS},
        },
    )
    _say(f"written to {chosen.out}")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
