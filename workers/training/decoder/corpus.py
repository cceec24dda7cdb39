"""Raw text to documents: cleaned, each once, split into train and dev."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lepton_tasks.nlp.clean import CONTROL, INVISIBLE, SPACES
from lepton_tasks.nlp.language import detect_language
from workers.training.datasets import DataMissing
from workers.training.decoder.files import replacing

Split = Literal["train", "dev"]
SPLITS: Final[tuple[Split, Split]] = ("train", "dev")
_SHARES: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Counts:
    """What :func:`write_corpus` kept and left out; ``characters`` are those of what it kept."""

    train: int
    dev: int
    repeated: int
    characters: int


def clean_document(text: str) -> str:
    r"""Return ``text`` in NFC without control characters and surplus white space, lines kept.

    >>> clean_document("今天 \u200b 很好，\r\n\r\n  A\tfine day. ")
    '今天 很好，\nA fine day.'
    """
    lines = unicodedata.normalize("NFC", text).splitlines()
    cleaned = (SPACES.sub(" ", CONTROL.sub(" ", INVISIBLE.sub("", line))).strip() for line in lines)
    return "\n".join(line for line in cleaned if line)


def read_documents(path: Path, *, by_line: bool) -> Iterator[str]:
    """Yield the documents of a text file in UTF-8, one at a time.

    They are separated by blank lines; ``by_line`` takes each line as one. Raises DataMissing
    for a file that is absent or no UTF-8.
    """
    lines: list[str] = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    lines.append(line)
                if lines and (by_line or not line.strip()):
                    yield "".join(lines)
                    lines = []
    except FileNotFoundError as error:
        raise DataMissing(f"{path} does not exist") from error
    except UnicodeDecodeError as error:
        raise DataMissing(f"{path} is not UTF-8 at byte {error.start:,}; convert it") from error
    if lines:
        yield "".join(lines)


def belongs_to_dev(text: str, share: float) -> bool:
    """Whether a document is one of the ``share`` held out; the text alone decides.

    >>> sum(belongs_to_dev(str(number), 0.1) for number in range(1000))
    104
    """
    return int.from_bytes(_digest(text)[:4], "big") < share * _SHARES


def write_corpus(
    folder: Path,
    documents: Iterable[tuple[Split | None, str]],
    dev_share: float,
    language: str | None = None,
) -> Counts:
    """Write ``train.jsonl`` and ``dev.jsonl``, a document a line with its language.

    ``language`` is that of all, found out from each where it is None.
    Where a document comes without a part, ``dev_share`` of those are held out. One that came
    before, for either part, is left out, so what is to be held out should come first. Memory
    holds eight bytes a document. Both files appear when all is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    counts = dict.fromkeys(SPLITS, 0)
    repeated = characters = 0
    with replacing(folder / "train.jsonl") as train, replacing(folder / "dev.jsonl") as dev:
        files = {"train": train, "dev": dev}
        for given, raw in documents:
            text = clean_document(raw)
            key = _digest(text)
            if not text or key in seen:
                repeated += bool(text)
                continue
            seen.add(key)
            split = given or ("dev" if belongs_to_dev(text, dev_share) else "train")
            counts[split] += 1
            characters += len(text)
            line = {"text": text, "language": language or detect_language(text)}
            files[split].write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return Counts(counts["train"], counts["dev"], repeated, characters)


def read_corpus(folder: Path, split: Split) -> Iterator[tuple[str, str]]:
    """Yield text and language of each document; raises DataMissing before `prepare` ran."""
    path = folder / f"{split}.jsonl"
    if not path.is_file():
        raise DataMissing(f"{path} does not exist; run the step prepare first")
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["text"], row["language"]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "ignore"), digest_size=8).digest()
