"""Raw texts to tokens: cleaned, split and encoded in a run's folder, once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from lepton_tasks.nlp.training import TrainingOptions
from lepton_tasks.raw_texts import text_fault
from workers.custom.languages import scarce
from workers.custom.texts import Texts
from workers.custom.writer_size import WriterSize
from workers.longruns.child import Paused, RunFailed, Speaker
from workers.training.decoder.corpus import SPLITS, read_corpus, write_corpus
from workers.training.decoder.files import write_json
from workers.training.decoder.preprocessing import write_tokens
from workers.training.decoder.shards import Shards

TOKENS: Final = "tokens"
"""Folder of the tokenizer and the shards, in that of the run."""
HOLDOUT: Final = 0.05
READ: Final = 0.02
"""Share of the progress at which texts have been read."""
_MOST_HELD_OUT: Final = 0.5
_CORPUS, _PREPARED = "corpus", "prepared.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Texts as tokens. ``languages`` count the documents; ``unmeasured`` have none held out."""

    shards: Shards
    trained: int
    held_out: int
    languages: Mapping[str, int]
    unmeasured: tuple[str, ...]

    def warnings(self) -> list[str]:
        """What to mind of the texts."""
        return [
            *scarce(self.languages, "documents"),
            *(f"{one}: no document was held out, so nothing is known" for one in self.unmeasured),
        ]


def prepare(
    folder: Path,
    texts: Texts,
    options: TrainingOptions,
    size: WriterSize,
    identity: str,
    speaker: Speaker,
) -> Prepared:
    """Clean, split and tokenize ``texts`` in ``folder``, unless that was done already.

    Raises:
        RunFailed: there is too little of them, or a line is wrong.
        Paused: the run was asked to end; this stage begins anew then.
    """
    note = folder / _PREPARED
    known = orjson.loads(note.read_bytes()) if note.is_file() else {}
    if known.get("identity") != identity:
        note.unlink(missing_ok=True)
        known = {"identity": identity, **_split(folder / _CORPUS, texts, options, speaker)}
        speaker.progress("tokenizing", READ)
        shutil.rmtree(folder / TOKENS, ignore_errors=True)
        write_tokens(folder / _CORPUS, folder / TOKENS, size.vocabulary)
        write_json(note, known)
    shards = Shards(folder / TOKENS)
    tokens = shards.parts["train"].tokens
    if tokens <= size.context:
        raise RunFailed(
            "wrong_texts",
            f"{texts.name}: the part to train on has {tokens:,} tokens, and a piece "
            f"{size.context:,}: send more text, or lower context",
        )
    return Prepared(
        shards, known["trained"], known["held_out"], known["languages"], tuple(known["unmeasured"])
    )


def _split(
    corpus: Path, texts: Texts, options: TrainingOptions, speaker: Speaker
) -> dict[str, Any]:
    """Write the parts of the corpus; what is held out grows until there is something."""
    share = options.holdout or HOLDOUT
    while True:
        documents = ((None, text) for text in _until_paused(texts.documents(), speaker))
        counts = write_corpus(corpus, documents, share, options.language)
        if counts.dev or share >= _MOST_HELD_OUT:
            break
        share = min(_MOST_HELD_OUT, 2 * share)
    fault = text_fault(texts.name, counts.train + counts.dev, counts.characters)
    if fault is None and not (counts.train and counts.dev):
        fault = f"{texts.name}: both the part to train on and the one held out need documents"
    if fault is not None:
        again = f" ({counts.repeated:,} that repeat others count once)" if counts.repeated else ""
        raise RunFailed("wrong_texts", fault + again)
    trained, held = (Counter(one for _, one in read_corpus(corpus, part)) for part in SPLITS)
    return {
        "trained": counts.train,
        "held_out": counts.dev,
        "languages": dict(trained + held),
        "unmeasured": sorted(trained.keys() - held.keys()),
    }


def _until_paused(documents: Iterator[str], speaker: Speaker) -> Iterator[str]:
    for text in documents:
        if speaker.pausing:
            raise Paused
        yield text
