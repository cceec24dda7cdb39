"""From documents to a tokenizer and shards of its tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer

from workers.engines.pretrained import TOKENIZER
from workers.training.decoder.corpus import Split, read_corpus
from workers.training.decoder.files import replacing
from workers.training.decoder.shards import Shards, write_index, write_part
from workers.training.decoder.tokenizer import END_ID, train_tokenizer

DEV = "dev-"
"""What the names of held-out parts begin with; the language follows."""


def write_tokens(corpus: Path, folder: Path, vocabulary: int) -> Shards:
    """Learn ``vocabulary`` tokens from the corpus, and write all of it as tokens to ``folder``.

    The training part is one of the shards' parts, and so is each language of what is held out.
    Raises DataMissing where there is no corpus.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer((text for text, _ in read_corpus(corpus, "train")), vocabulary)
    written = tokenizer.to_str().encode()
    with replacing(folder / TOKENIZER) as file:
        file.write(written)
    parts = {"train": write_part(folder, "train", encoded(tokenizer, corpus, "train", None))}
    for language in sorted({language for _, language in read_corpus(corpus, "dev")}):
        name = f"{DEV}{language}"
        parts[name] = write_part(folder, name, encoded(tokenizer, corpus, "dev", language))
    write_index(
        folder,
        parts,
        vocabulary=tokenizer.get_vocab_size(),
        tokenizer=hashlib.sha256(written).hexdigest(),
    )
    return Shards(folder)


def encoded(
    tokenizer: Tokenizer, corpus: Path, split: Split, language: str | None
) -> Iterator[tuple[list[int], int]]:
    """Ids of each document, between its start and its end, and its size in bytes."""
    for text, found in read_corpus(corpus, split):
        if language is None or found == language:
            yield [*tokenizer.encode(text).ids, END_ID], len(text.encode())
