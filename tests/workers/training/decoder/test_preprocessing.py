"""Documents become tokens of a tokenizer that was learned from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from workers.engines.pretrained import TOKENIZER
from workers.training.decoder.corpus import Split, read_corpus, write_corpus
from workers.training.decoder.preprocessing import DEV, write_tokens
from workers.training.decoder.tokenizer import END_ID


def test_all_of_the_corpus_is_there_by_parts(tmp_path: Path) -> None:
    texts: list[tuple[Split | None, str]] = [
        *(("train", f"今天天气很好，第 {number} 天") for number in range(40)),
        *(("train", f"The weather is fine on day {number}.") for number in range(40)),
        ("dev", "明天天气很好"),
        ("dev", "Tomorrow is fine."),
    ]
    write_corpus(tmp_path / "corpus", texts, 0.0)
    shards = write_tokens(tmp_path / "corpus", tmp_path / "tokens", 300)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokens" / TOKENIZER))
    assert shards.facts["vocabulary"] == tokenizer.get_vocab_size()
    parts: list[tuple[str, Split, str | None]] = [
        ("train", "train", None),
        (f"{DEV}zh", "dev", "zh"),
        (f"{DEV}en", "dev", "en"),
    ]
    for part, split, language in parts:
        ids = np.concatenate(shards.read(part)).tolist()
        wanted = [
            text
            for text, found in read_corpus(tmp_path / "corpus", split)
            if language in (None, found)
        ]
        assert ids.count(END_ID) == len(wanted)
        assert tokenizer.decode(ids) == "".join(wanted)
