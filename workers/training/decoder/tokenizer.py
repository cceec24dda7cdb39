"""A byte-level BPE tokenizer learned from the corpus: every text can be encoded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tokenizers import Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers.models import BPE

START: Final = "<s>"
END: Final = "</s>"
PAD: Final = "<pad>"
SPECIAL: Final = (PAD, START, END)
PAD_ID, START_ID, END_ID = range(3)
LEAST_VOCABULARY: Final = 256 + len(SPECIAL)
MOST_VOCABULARY: Final = 1 << 16
"""A token is two bytes in a shard."""
_LONGEST_TOKEN: Final = 16


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Learn ``vocabulary`` tokens, special ones and all 256 bytes included, or fewer.

    Fewer where ``texts`` do not have as many pieces that come twice. Digits are tokens of
    their own. A prompt gets the start token in front; what is to end a document is up to the
    caller.
    """
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_LONGEST_TOKEN,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, START_ID)]
    )
    return tokenizer
