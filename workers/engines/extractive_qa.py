"""Encoders with a question-answering head, from a folder in Hugging Face's layout.

The question and as much of the context as fits are one row of the network; longer contexts
are rows that overlap. The network scores each token as first and as last of the answer, and
the classification token as both where there is none (Devlin et al. 2019; Rajpurkar et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import AutoModelForQuestionAnswering

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.question_answering import QuestionInput
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options
from workers.engines.base import Encoded, Raw
from workers.engines.checkpoint import Checkpoint
from workers.errors import CatalogueError, ModelRefused

_SPARE: Final = 8
"""Tokens of a window that are left for the context beside what is shared."""


class ExtractiveOptions(BaseModel):
    """The ``options`` of a catalogue entry, in tokens.

    ``overlap`` is what neighbouring windows share, ``question`` the most of a question that
    is read, ``answer`` the longest answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap: int = Field(default=64, ge=0)
    question: int = Field(default=64, ge=1)
    answer: int = Field(default=30, ge=1)


@dataclass(frozen=True, slots=True)
class _Window:
    """One row: ``offsets`` [tokens, 2] are characters of the context, -1 for other tokens."""

    ids: Sequence[int]
    types: Sequence[int]
    offsets: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Tokens:
    context: str
    windows: tuple[_Window, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """The best span of a window, and how good it and "no answer" are there, as logits."""

    start: int
    end: int
    span: float
    none: float


class ExtractiveQA:
    """A SimpleEngine whose raw result is a span of the context, its score, and windows.

    The score is the sigmoid of the best span's logits less those of "no answer" in the
    window that is surest there is one. Memory of a pass is bounded whatever the contexts.
    """

    def __init__(
        self, name: str, checkpoint: Checkpoint, max_tokens: int, options: ExtractiveOptions
    ) -> None:
        """The tokenizer of ``checkpoint`` is made to cut windows of ``max_tokens``."""
        self.name = name
        self.revision = checkpoint.revision
        self._network = checkpoint.network
        self._checkpoint = checkpoint
        self._options = options
        checkpoint.tokenizer.enable_truncation(
            max_tokens, stride=options.overlap, strategy="only_second"
        )

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Cut each context into windows that overlap; nothing of it is left out.

        Raises:
            TypeError: an input is no QuestionInput.
        """
        return [self._encoded(one) for one in inputs]

    def _encoded(self, one: ModelInput) -> Encoded:
        if not isinstance(one, QuestionInput):
            raise TypeError(f"{self.name} takes QuestionInput, not {type(one).__name__}")
        whole = self._checkpoint.tokenizer.encode(self._short(one.question), one.text)
        windows = tuple(_window(part) for part in (whole, *whole.overflowing))
        longest = max(len(window.ids) for window in windows)
        return Encoded(longest * len(windows), _Tokens(one.text, windows))

    def _short(self, question: str) -> str:
        """The question, cut after as many tokens as are read of one."""
        found = _window(self._checkpoint.tokenizer.encode("", question)).offsets
        ends = found[found[:, 0] >= 0, 1]
        most = self._options.question
        return question[: int(ends[most - 1])] if len(ends) > most else question

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Answer ``batch``; one result an item, in order."""
        items: list[_Tokens] = [one.tokens for one in batch]
        found = self._search([window for item in items for window in item.windows])
        return [self._result(item, [next(found) for _ in item.windows]) for item in items]

    def _search(self, windows: Sequence[_Window]) -> Iterator[_Found]:
        """The best span of each window, in order."""
        left = iter(windows)
        for output, _ in self._checkpoint.passes(windows):
            logits = torch.stack([output.start_logits, output.end_logits], dim=1).float()
            for first, last in logits.cpu().numpy():
                window = next(left)
                count = len(window.ids)
                yield _best(window, first[:count], last[:count], self._options.answer)

    def _result(self, item: _Tokens, found: Sequence[_Found]) -> Raw:
        best = max(found, key=lambda one: one.span)
        none = min(one.none for one in found)
        text = item.context[best.start : best.end]
        start = best.start + len(text) - len(text.lstrip())
        return {
            "start": start,
            "end": max(start, best.start + len(text.rstrip())),
            "score": float(1.0 / (1.0 + np.exp(min(none - best.span, 700.0)))),
            "windows": len(found),
        }


def _window(encoding: Any) -> _Window:
    offsets = [
        place if part == 1 else (-1, -1)
        for place, part in zip(encoding.offsets, encoding.sequence_ids, strict=True)
    ]
    return _Window(encoding.ids, encoding.type_ids, np.array(offsets, dtype=np.int64))


def _best(
    window: _Window,
    first: npt.NDArray[np.float32],
    last: npt.NDArray[np.float32],
    longest: int,
) -> _Found:
    """The span of the context, of at most ``longest`` tokens, with the highest sum of logits."""
    usable = window.offsets[:, 0] >= 0
    none = float(first[0]) + float(last[0])
    if not usable.any():
        return _Found(0, 0, -np.inf, none)
    starts = np.where(usable, first, -np.inf).astype(np.float64)
    ends = np.full(len(last) + longest, -np.inf)
    ends[: len(last)] = np.where(usable, last, -np.inf)
    sums = starts[:, None] + ends[np.arange(len(first))[:, None] + np.arange(longest)]
    begin, more = divmod(int(sums.argmax()), longest)
    return _Found(
        int(window.offsets[begin, 0]),
        int(window.offsets[begin + more, 1]),
        float(sums[begin, more]),
        none,
    )


def build_extractive_qa(entry: CatalogueEntry, device: torch.device) -> ExtractiveQA:
    """Make an engine of a catalogue entry: a local folder with a ``tokenizer.json``.

    Raises CatalogueError for wrong options, naming the field, and ModelRefused where the
    folder is incomplete or unsafe, or the model is too small for the entry's ``max_tokens``.
    """
    options = read_options(entry, ExtractiveOptions)
    checkpoint = Checkpoint(AutoModelForQuestionAnswering, entry, device)
    tokenizer = checkpoint.tokenizer
    signs = tokenizer.num_special_tokens_to_add(True)
    if not signs or tokenizer.encode("a", "b").sequence_ids[0] is not None:
        raise ModelRefused(
            f"{checkpoint.folder}: its tokenizer puts no classification token before a pair, "
            "whose score says that there is no answer"
        )
    if options.question + options.overlap + signs + _SPARE > entry.max_tokens:
        raise CatalogueError(
            f"[{entry.name}] max_tokens is {entry.max_tokens}, but a question of "
            f"{options.question} tokens and an overlap of {options.overlap} leave no room in it"
        )
    return ExtractiveQA(entry.name, checkpoint, entry.max_tokens, options)
