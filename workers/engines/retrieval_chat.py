"""Dialogue by retrieval: the stored answer, or the sentence of a document, that fits best."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.chat import ChatInput
from lepton_tasks.nlp.retrieval import FoundPassage
from workers.engines.base import Encoded, Raw
from workers.engines.document_answer import (
    LEAST_LIKENESS,
    NOTHING_FOUND,
    WORDS,
    nearest_sentence,
    plain,
)
from workers.engines.folder import ModelFolder
from workers.errors import ModelRefused
from workers.features.dialogues import TABLES, AnswerScorer, Context, folded
from workers.features.lexical import LexicalIndex
from workers.features.ngrams import NgramSpec

DIALOGUES: Final = "dialogues.json"
"""File beside the weights: small talk, pairs of messages, and what to say where none fits."""
_SHORTLIST: Final = 50
"""Stored messages most like the last one, among whose answers the scorer chooses."""
_SMALL_TALK_LIKENESS: Final = 0.55
_DIALOGUE_LIKENESS: Final = 0.25
"""Cosine under which a stored message is taken to say something else."""
_CHARACTERS_PER_TOKEN: Final = 512
"""Characters of a dialogue that count as a token: nothing of it goes to a device."""
_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNIT: Final = re.compile(f"[{_HAN}]|[^\\W{_HAN}]+")
_LANGUAGE_OF_NONE: Final = "en"
"""In which language it is said that nothing fits, where the dialogue's has no entry."""


class Reply(NamedTuple):
    """An answer, and how like the stored message nearest to the one here is to it, 0 to 1.

    ``found`` tells a stored answer from saying that there is none. ``copied`` are places in
    the passages that it was given, None where it was given none to answer from.
    """

    text: str
    likeness: float
    found: bool = True
    copied: tuple[tuple[int, int, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class _Heard:
    context: Context
    language: str
    units: int
    passages: tuple[FoundPassage, ...] | None


class Book:
    """What is known in one language: small talk, and dialogues of which there may be none."""

    def __init__(
        self,
        small_talk: Sequence[tuple[str, str]],
        dialogues: Sequence[tuple[str, str]],
        unknown: str,
        scorer: AnswerScorer,
    ) -> None:
        """Pairs are (message, answer); of ``small_talk`` there is at least one."""
        self._small_answers = [answer for _, answer in small_talk]
        self._small = LexicalIndex([plain(said) for said, _ in small_talk], WORDS)
        self._answers = [answer for _, answer in dialogues]
        self._said = None
        if dialogues:
            self._said = LexicalIndex([plain(said) for said, _ in dialogues], WORDS)
            self._vectors = scorer.answers([folded(answer) for answer in self._answers])
        self._unknown = unknown
        self._scorer = scorer

    def reply(self, context: Context) -> Reply:
        """Choose an answer: small talk where it is nearest, or what the scorer ranks first."""
        last = plain(context.last)
        near = self._small.likeness(last)
        place = int(near.argmax())
        best = float(near[place])
        far = 0.0
        if self._said is not None:
            likeness = self._said.likeness(last)
            far = float(likeness.max())
            if far >= _DIALOGUE_LIKENESS and not (best >= _SMALL_TALK_LIKENESS and best >= far):
                return self._ranked(context, likeness)
        if best >= _SMALL_TALK_LIKENESS:
            return Reply(self._small_answers[place], min(1.0, best))
        return Reply(self._unknown, min(1.0, max(best, far)), found=False)

    def from_documents(
        self, question: str, passages: Sequence[FoundPassage], language: str
    ) -> Reply:
        """Answer with a sentence of ``passages``, or say that none of them is about it."""
        known = self._small if self._said is None else self._said
        best = nearest_sentence(question, passages, known.rarity)
        said = language if language in NOTHING_FOUND else _LANGUAGE_OF_NONE
        if best is None or best.likeness < LEAST_LIKENESS[said]:
            nothing = NOTHING_FOUND[said]
            return Reply(nothing, 0.0 if best is None else best.likeness, False, ())
        return Reply(best.text, best.likeness, copied=((best.place, best.start, best.end),))

    def _ranked(self, context: Context, likeness: np.ndarray[Any, Any]) -> Reply:
        nearest = np.argsort(-likeness, kind="stable")[:_SHORTLIST]
        [vector] = self._scorer.contexts([context])
        fits = (self._vectors[torch.from_numpy(nearest)] @ vector).numpy()
        chosen = int(nearest[int(np.argmax(fits + likeness[nearest]))])
        return Reply(self._answers[chosen], min(1.0, float(likeness[chosen])))


class RetrievalChat:
    """A SimpleEngine that answers with stored messages.

    Its raw result has, beside what engines that generate say, ``score``, ``found`` and
    ``copied``. A dialogue with passages of a corpus is answered from these alone.
    """

    tunable = False

    def __init__(
        self, name: str, revision: str, books: Mapping[str, Book], scorer: AnswerScorer
    ) -> None:
        """``books`` by language; one of them is that of English."""
        self.name = name
        self.revision = revision
        self._books = books
        self.scorer = scorer

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Read dialogues; what a system message says is left out.

        Raises:
            TypeError: an input is no ChatInput.
        """
        return [self._encoded(one) for one in inputs]

    def _encoded(self, one: ModelInput) -> Encoded:
        if not isinstance(one, ChatInput):
            raise TypeError(f"{self.name} takes ChatInput, not {type(one).__name__}")
        said = [content for role, content in one.messages if role != "system"]
        size = sum(map(len, said)) + sum(len(found.text) for found in one.passages or ())
        units = sum(map(count_units, said))
        heard = _Heard(Context.of(said), one.language, units, one.passages)
        return Encoded(1 + size // _CHARACTERS_PER_TOKEN, heard)

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Look each up by itself."""
        return [self._answer(one.tokens) for one in batch]

    def _answer(self, heard: _Heard) -> Raw:
        book = self._books.get(heard.language, self._books[_LANGUAGE_OF_NONE])
        if heard.passages is None:
            reply = book.reply(heard.context)
        else:
            reply = book.from_documents(heard.context.last, heard.passages, heard.language)
        return {
            "text": reply.text,
            "finish_reason": "stop",
            "prompt_tokens": heard.units,
            "completion_tokens": count_units(reply.text),
            "truncated": False,
            "score": reply.likeness,
            "found": reply.found,
            "copied": reply.copied,
        }


def count_units(text: str) -> int:
    """Words of ``text``; a Han character is one.

    >>> count_units("你好，world 2!")
    4
    """
    return len(_UNIT.findall(text))


def quantised(tables: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tables as whole numbers of 8 bits, each with its scale."""
    found = {}
    for name, table in tables.items():
        scale = table.abs().max().clamp(min=1e-12) / 127
        found[name] = torch.round(table / scale).to(torch.int8)
        found[f"{name}.scale"] = scale.reshape(1)
    return found


def build_retrieval_chat(name: str, folder: ModelFolder) -> RetrievalChat:
    """Put an engine together from a checked folder.

    Raises ModelRefused where tensors or the dialogues are missing, or do not fit the config.
    """
    config = folder.config
    try:
        low, high = config["characters"]
        spec = NgramSpec(int(config["buckets"]), (int(low), int(high)), (0, 0))
        width, digest = int(config["width"]), str(config["dialogues_sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(
            f"{folder.path}: config.json is incomplete or wrong: {error!r}"
        ) from error
    scorer = AnswerScorer(spec, _tables(folder, (spec.buckets, width)))
    stored = _read_dialogues(folder.path / DIALOGUES, digest)
    try:
        books = {
            language: Book(
                [(said, one["answer"]) for one in talk for said in one["prompts"]],
                [(said, answer) for said, answer in stored["dialogues"].get(language, ())],
                stored["unknown"][language],
                scorer,
            )
            for language, talk in stored["small_talk"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelRefused(
            f"{folder.path / DIALOGUES} is incomplete or wrong: {error!r}"
        ) from error
    if _LANGUAGE_OF_NONE not in books:
        raise ModelRefused(f"{folder.path / DIALOGUES} has no small talk in {_LANGUAGE_OF_NONE}")
    return RetrievalChat(name, folder.revision, books, scorer)


def _tables(folder: ModelFolder, shape: tuple[int, int]) -> dict[str, torch.Tensor]:
    found = {}
    for name in TABLES:
        table, scale = folder.tensors.get(name), folder.tensors.get(f"{name}.scale")
        if table is None or scale is None or tuple(table.shape) != shape or scale.numel() != 1:
            raise ModelRefused(
                f"{folder.path}: the tensors {name} of shape {shape} and {name}.scale are needed"
            )
        found[name] = table.float() * scale.float()
    return found


def _read_dialogues(file: Path, digest: str) -> Any:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelRefused(f"{file} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelRefused(f"{file} is not the file that config.json was written with")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"{file} is not valid JSON: {error}") from error
