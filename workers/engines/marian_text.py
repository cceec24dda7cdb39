"""Texts and tokens of Marian folders of the hub: two SentencePiece models and one vocabulary."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workers.engines.pretrained import MARIAN_FILES, TOKENIZER, load_tokenizer
from workers.errors import ModelRefused

_END: Final = "</s>"
_UNKNOWN: Final = "<unk>"
_PAD: Final = "<pad>"
_SPACE: Final = "▁"
_TARGET: Final = re.compile(r">>[^<>\s]+<<")


@dataclass(frozen=True, slots=True)
class MarianEncoding:
    """Tokens of a text with the end token; what was cut off, if anything."""

    ids: Sequence[int]
    overflowing: Sequence[int]


class MarianText:
    """What an engine asks of a tokenizer, done as transformers' MarianTokenizer does it.

    Pieces are those of ``source.spm``, their numbers those of ``vocab.json``. A text may
    begin with the token of its target language, ``>>cmn_Hans<<``.
    """

    def __init__(self, pieces: Any, vocabulary: Mapping[str, int]) -> None:
        """``pieces`` is a SentencePieceProcessor."""
        self._pieces = pieces
        self._vocabulary = vocabulary
        self._by_number = {number: piece for piece, number in vocabulary.items()}
        self._special = frozenset(vocabulary[one] for one in (_END, _UNKNOWN, _PAD))
        self._most = 0

    def token_to_id(self, token: str) -> int | None:
        """Number of a token, None where there is no such token."""
        return self._vocabulary.get(token)

    def enable_truncation(self, most: int) -> None:
        """Cut texts after ``most`` tokens from now on, the end token included."""
        self._most = most

    def encode_batch(self, texts: Sequence[str]) -> list[MarianEncoding]:
        """Encode texts, in order."""
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> MarianEncoding:
        target = _TARGET.match(text)
        pieces = [target[0]] if target else []
        pieces += self._pieces.encode(text[target.end() :] if target else text, out_type=str)
        unknown = self._vocabulary[_UNKNOWN]
        ids = [self._vocabulary.get(piece, unknown) for piece in pieces]
        kept = ids[: self._most - 1] if self._most else ids
        return MarianEncoding([*kept, self._vocabulary[_END]], ids[len(kept) :])

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        """Text of tokens; numbers that the vocabulary does not have are no text."""
        kept = (one for one in tokens if not (skip_special_tokens and one in self._special))
        pieces = "".join(self._by_number.get(one, "") for one in kept)
        return pieces.replace(_SPACE, " ").strip()


def load_text(folder: Path) -> Any:
    """Tokenizer of an encoder-decoder folder: ``tokenizer.json``, or Marian's own three files.

    Raises:
        ModelRefused: neither is there or can be read.
    """
    if (folder / TOKENIZER).is_file() or not all((folder / one).is_file() for one in MARIAN_FILES):
        return load_tokenizer(folder)
    from sentencepiece import SentencePieceProcessor  # what few models need

    source, _, names = MARIAN_FILES
    try:
        pieces = SentencePieceProcessor(model_file=str(folder / source))
        vocabulary = json.loads((folder / names).read_text(encoding="utf-8"))
        return MarianText(pieces, {str(one): int(number) for one, number in vocabulary.items()})
    except (OSError, RuntimeError, ValueError, AttributeError, KeyError) as error:
        raise ModelRefused(f"{folder}: {source} or {names} cannot be read: {error!r}") from error
