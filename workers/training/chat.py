"""``python -m workers.training.chat``: dialogues and scorer of the chat model that retrieves."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import save
from torch.nn.functional import cross_entropy

from workers.engines.folder import CONFIG, WEIGHTS
from workers.engines.retrieval_chat import DIALOGUES, quantised
from workers.features.dialogues import TABLES, AnswerScorer, Context, bag_of, folded
from workers.features.ngrams import NgramSpec
from workers.training.datasets import DataMissing, DataSet, Row, require

CROSSWOZ: Final = DataSet(
    "dlg_crosswoz_zh",
    "https://github.com/thu-coai/CrossWOZ",
    "Apache-2.0",
    '{"turns": [{"role": "user"|"system", "text": …}, …]}',
)
SMALL_TALK: Final = Path(__file__).with_name("small_talk.json")
DEFAULT_OUT: Final = Path(__file__).parents[1] / "models" / "chat"
DEFAULT_SEED: Final = 7
SPEC: Final = NgramSpec(1 << 12, (1, 3), (0, 0))
WIDTH: Final = 32
_EPOCHS: Final = 9
_BATCH: Final = 256
_RATE: Final = 3e-3
_DROPPED: Final = 0.45
"""Share of a text's n-grams that a step of training does without."""
_FIRST_SCALE: Final = 12.0
_INITIAL_SPREAD: Final = 0.1
_UNKNOWN: Final = {
    "zh": "抱歉，这个我不太明白。我只会聊几句家常，也知道一些北京的景点、餐馆和酒店。",
    "en": "I am sorry, I did not understand that: I only know a little small talk.",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """An answer, and the messages that it answers."""

    messages: Sequence[str]
    answer: str


def pairs(rows: Sequence[Row]) -> list[Pair]:
    """Each system message of the dialogues with all before it.

    >>> turns = [{"role": "user", "text": "你好"}, {"role": "system", "text": "请讲。"}]
    >>> pairs([{"turns": turns}])
    [Pair(messages=['你好'], answer='请讲。')]
    """
    found = []
    for row in rows:
        texts = [turn["text"] for turn in row["turns"]]
        found += [
            Pair(texts[:place], turn["text"])
            for place, turn in enumerate(row["turns"])
            if turn["role"] == "system" and place
        ]
    return found


def train(given: Sequence[Pair], seed: int) -> dict[str, torch.Tensor]:
    """Tables [buckets, width] of the scorer, float32.

    Each context of a batch is to find its own answer among those of the batch, and each
    answer its context: cross-entropy over scaled cosines (van den Oord et al. 2018). Equal
    answers of other contexts are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    tables = {
        name: (
            torch.randn(SPEC.buckets, WIDTH, generator=generator) * _INITIAL_SPREAD
        ).requires_grad_()
        for name in TABLES
    }
    scale = torch.tensor(_FIRST_SCALE).log().requires_grad_()
    optimiser = torch.optim.Adam([*tables.values(), scale], lr=_RATE)
    contexts = [Context.of(one.messages) for one in given]
    answers = [folded(one.answer) for one in given]
    scorer = _Thinned(SPEC, tables, generator)
    for _ in range(_EPOCHS):
        order = torch.randperm(len(given), generator=generator).tolist()
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            texts = [answers[place] for place in chosen]
            cosines = (
                scorer.contexts([contexts[place] for place in chosen]) @ scorer.answers(texts).T
            )
            logits = (cosines * scale.exp()).masked_fill(_same(texts), -torch.inf)
            own = torch.arange(len(chosen))
            loss = (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return {name: table.detach() for name, table in tables.items()}


class _Thinned(AnswerScorer):
    """A scorer in training: each text is without some of its n-grams, other ones each time."""

    def __init__(
        self, spec: NgramSpec, tables: Mapping[str, torch.Tensor], generator: torch.Generator
    ) -> None:
        super().__init__(spec, tables)
        self._generator = generator

    def _bag(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        indices, starts, weights = bag_of(texts, self.spec)
        kept = torch.rand(weights.shape, generator=self._generator) >= _DROPPED
        return indices, starts, weights * kept / (1 - _DROPPED)


def _same(texts: Sequence[str]) -> torch.Tensor:
    """Where another row has the same text: [texts, texts]."""
    _, kinds = np.unique(np.array(texts), return_inverse=True)
    equal = torch.from_numpy(kinds[:, None] == kinds[None, :])
    return equal & ~torch.eye(len(texts), dtype=torch.bool)


def stored_dialogues(given: Sequence[Pair], small_talk: Mapping[str, Any]) -> dict[str, Any]:
    """What the model answers from, as JSON: small talk, and each pair of messages once."""
    known = dict.fromkeys((one.messages[-1].strip(), one.answer.strip()) for one in given)
    return {
        "small_talk": small_talk,
        "dialogues": {"zh": [list(one) for one in known]},
        "unknown": _UNKNOWN,
    }


def save_folder(
    out: Path, tables: Mapping[str, torch.Tensor], dialogues: Mapping[str, Any], seed: int
) -> None:
    """Write ``config.json``, ``model.safetensors`` and the dialogues."""
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(save(quantised(tables)))
    text = json.dumps(dialogues, ensure_ascii=False, separators=(",", ":")) + "\n"
    (out / DIALOGUES).write_text(text, encoding="utf-8")
    config = {
        "model": "lepton-chat-retrieval",
        "buckets": SPEC.buckets,
        "characters": list(SPEC.characters),
        "width": WIDTH,
        "dialogues_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "trained_on": [CROSSWOZ.name],
        "seed": seed,
    }
    (out / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m workers.training.chat",
        description="Train the default chat model, which answers with stored messages: the "
        "dialogues and the scorer that chooses among them. Takes a minute on one core.",
        epilog=f"Wanted under DIR: {CROSSWOZ.name}/train.jsonl",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="model folder (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of what is drawn")
    chosen = parser.parse_args(arguments)
    try:
        require(chosen.data, [CROSSWOZ], ["train"])
        given = pairs(CROSSWOZ.rows(chosen.data, "train"))
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    tables = train(given, chosen.seed)
    small_talk = json.loads(SMALL_TALK.read_text(encoding="utf-8"))
    save_folder(chosen.out, tables, stored_dialogues(given, small_talk), chosen.seed)
    print(f"written to {chosen.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
