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
from workers.engines.pretrained import content_revision, load_pretrained, load_tokenizer
from workers.errors import CatalogueError, ModelRefused

_PASS_TOKENS: Final = 8_192
"""Padded tokens of one pass: a long context is many rows, and memory is to be bounded."""
_SPARE: Final = 8
"""Tokens of a window that are left for the context beside what is shared."""
_POSITIONS_AFTER_PADDING: Final = frozenset({"roberta", "xlm-roberta", "camembert"})


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
        self,
        name: str,
        revision: str,
        network: Any,
        tokenizer: Any,
        max_tokens: int,
        options: ExtractiveOptions,
    ) -> None:
        """``tokenizer`` is cut to windows of ``max_tokens`` here, for this engine alone."""
        self.name = name
        self.revision = revision
        self._network = network
        self._tokenizer = tokenizer
        self._options = options
        config = network.config
        self._padding = int(config.pad_token_id or 0)
        self._reads_types = int(getattr(config, "type_vocab_size", 0) or 0) > 1
        tokenizer.enable_truncation(max_tokens, stride=options.overlap, strategy="only_second")

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Cut each context into windows that overlap; nothing of it is left out.

        Raises:
            TypeError: an input is no QuestionInput.
        """
        return [self._encoded(one) for one in inputs]

    def _encoded(self, one: ModelInput) -> Encoded:
        if not isinstance(one, QuestionInput):
            raise TypeError(f"{self.name} takes QuestionInput, not {type(one).__name__}")
        whole = self._tokenizer.encode(self._short(one.question), one.text)
        windows = tuple(_window(part) for part in (whole, *whole.overflowing))
        longest = max(len(window.ids) for window in windows)
        return Encoded(longest * len(windows), _Tokens(one.text, windows))

    def _short(self, question: str) -> str:
        """The question, cut after as many tokens as are read of one."""
        found = _window(self._tokenizer.encode("", question)).offsets
        ends = found[found[:, 0] >= 0, 1]
        most = self._options.question
        return question[: int(ends[most - 1])] if len(ends) > most else question

    @torch.inference_mode()
    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Answer ``batch``; one result an item, in order."""
        items: list[_Tokens] = [one.tokens for one in batch]
        found = self._search([window for item in items for window in item.windows])
        return [self._result(item, [next(found) for _ in item.windows]) for item in items]

    def _search(self, windows: Sequence[_Window]) -> Iterator[_Found]:
        """The best span of each window, in order; as many share a pass as memory allows."""
        block: list[_Window] = []
        for window in windows:
            longest = max(len(one.ids) for one in (*block, window))
            if block and longest * (len(block) + 1) > _PASS_TOKENS:
                yield from self._pass(block)
                block = []
            block.append(window)
        yield from self._pass(block)

    def _pass(self, windows: Sequence[_Window]) -> list[_Found]:
        shape = (len(windows), max(len(one.ids) for one in windows))
        ids = torch.full(shape, self._padding, dtype=torch.long)
        types = torch.zeros(shape, dtype=torch.long)
        mask = torch.zeros(shape, dtype=torch.long)
        for row, one in enumerate(windows):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            types[row, : len(one.types)] = torch.tensor(one.types)
            mask[row, : len(one.ids)] = 1
        device = self._network.device
        inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        if self._reads_types:
            inputs["token_type_ids"] = types.to(device)
        output = self._network(**inputs)
        logits = torch.stack([output.start_logits, output.end_logits], dim=1).float()
        return [
            _best(one, first[: len(one.ids)], last[: len(one.ids)], self._options.answer)
            for one, (first, last) in zip(windows, logits.cpu().numpy(), strict=True)
        ]

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
    folder = entry.model_folder
    dtype = getattr(torch, entry.dtype)
    network = load_pretrained(AutoModelForQuestionAnswering, folder, device, dtype)
    tokenizer = load_tokenizer(folder)
    signs = tokenizer.num_special_tokens_to_add(True)
    if not signs or tokenizer.encode("a", "b").sequence_ids[0] is not None:
        raise ModelRefused(
            f"{folder}: its tokenizer puts no classification token before a pair, "
            "whose score says that there is no answer"
        )
    if options.question + options.overlap + signs + _SPARE > entry.max_tokens:
        raise CatalogueError(
            f"[{entry.name}] max_tokens is {entry.max_tokens}, but a question of "
            f"{options.question} tokens and an overlap of {options.overlap} leave no room in it"
        )
    config = network.config
    positions = int(config.max_position_embeddings)
    if config.model_type in _POSITIONS_AFTER_PADDING:
        positions -= int(config.pad_token_id or 0) + 1
    known = tokenizer.get_vocab_size()
    if entry.max_tokens > positions or known > config.vocab_size:
        raise ModelRefused(
            f"{folder}: the model takes {positions} tokens of {config.vocab_size} kinds, but "
            f"max_tokens of [{entry.name}] is {entry.max_tokens} and the tokenizer knows "
            f"{known} kinds"
        )
    return ExtractiveQA(
        entry.name, content_revision(folder), network, tokenizer, entry.max_tokens, options
    )
