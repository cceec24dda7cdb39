"""The one vocabulary of the small translation model: words in pieces, Chinese by the character."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from tokenizers.models import BPE

PAD: Final = "<pad>"
END: Final = "</s>"
UNKNOWN: Final = "<unk>"
_SPACE: Final = "▁"
_ALONE: Final = r"[\p{Han}\p{P}&&[^'’\-]]"
"""Characters that are no part of a longer piece: Han and most punctuation."""


def target_token(language: str) -> str:
    """What a source text begins with, as multilingual Marian models have it.

    >>> target_token("zh")
    '>>zh<<'
    """
    return f">>{language}<<"


def special_tokens(targets: Sequence[str]) -> list[str]:
    """Tokens that are no text, the first of the vocabulary.

    >>> special_tokens(["zh"])
    ['<pad>', '</s>', '<unk>', '>>zh<<']
    """
    return [PAD, END, UNKNOWN, *(target_token(one) for one in targets)]


def train_tokenizer(
    texts: Iterable[str], targets: Sequence[str], size: int, characters: int
) -> Any:
    """Learn ``size`` pieces, of which the most frequent ``characters`` characters, from ``texts``.

    Each text that the tokenizer reads gets the end token. Same texts, same tokenizer: of
    characters that are as frequent the first in the order of Unicode are taken, which the
    trainer by itself would leave to chance.
    """
    texts = list(texts)
    counts = Counter(one for text in texts for one in text.replace(" ", _SPACE))
    alphabet = sorted(counts, key=lambda one: (-counts[one], one))[:characters]
    tokenizer = Tokenizer(BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("’", "'")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme="never"),
            pre_tokenizers.Split(Regex(_ALONE), "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=_SPACE, prepend_scheme="never")
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        min_frequency=2,
        special_tokens=[
            AddedToken(one, special=True, normalized=False) for one in special_tokens(targets)
        ],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    return tokenizer
