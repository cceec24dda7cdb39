"""Marian folders as the hub has them: tokens as transformers makes them of the same files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from transformers import AutoTokenizer, GenerationConfig

from lepton_tasks.nlp.base import ModelInput
from tests.support.models import SENTENCES, load_seq2seq_network, one_thread, save_seq2seq
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.verify import folder_faults
from workers.engines.marian_text import load_text
from workers.engines.pretrained import content_revision
from workers.engines.seq2seq import build_seq2seq
from workers.errors import ModelRefused

TEXTS = [*SENTENCES, ">>cmn_Hans<< Where is the parcel?", "龘 unseen ☃", "  two  blanks "]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Marian folder without tokenizer.json: source.spm, target.spm, vocab.json."""
    folder = tmp_path_factory.mktemp("marian")
    lines = folder / "lines.txt"
    lines.write_text("\n".join(SENTENCES), encoding="utf-8")
    SentencePieceTrainer.train(
        input=str(lines),
        model_prefix=str(folder / "source"),
        vocab_size=150,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    lines.unlink()
    (folder / "source.vocab").unlink()
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    pieces = SentencePieceProcessor(model_file=str(folder / "source.spm"))
    own = [pieces.id_to_piece(place) for place in range(3, pieces.get_piece_size() - 2)]
    names = ["<pad>", "<unk>", "</s>", ">>cmn_Hans<<", *own]
    (folder / "vocab.json").write_text(json.dumps({one: at for at, one in enumerate(names)}))
    settings = {"source_lang": "eng", "target_lang": "zho", "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    save_seq2seq(folder, "marian", vocab_size=len(names))
    (folder / "tokenizer.json").unlink()
    return folder


@pytest.fixture(scope="module")
def transformers_own(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def test_tokens_are_those_of_transformers(folder: Path, transformers_own: Any) -> None:
    text = load_text(folder)
    for encoding, one in zip(text.encode_batch(TEXTS), TEXTS, strict=True):
        assert encoding.ids == transformers_own(one)["input_ids"]
        assert text.decode(encoding.ids) == transformers_own.decode(
            encoding.ids, skip_special_tokens=True
        )
    assert text.token_to_id("<unk>") == 1 and text.token_to_id("nothing") is None
    assert text.decode([2, 999, 4], skip_special_tokens=False).startswith("</s>")


def test_what_is_too_long_is_cut_before_the_end_token(folder: Path) -> None:
    text = load_text(folder)
    whole = text.encode_batch(TEXTS[:1])[0]
    text.enable_truncation(8)
    cut = text.encode_batch(TEXTS[:1])[0]
    assert cut.ids == [*whole.ids[:7], whole.ids[-1]]
    assert [*cut.ids[:7], *cut.overflowing, cut.ids[-1]] == whole.ids


def test_an_engine_generates_as_transformers_does(folder: Path, transformers_own: Any) -> None:
    entry = CatalogueEntry(
        name="hub", task="t", engine="e", folder=folder, options={"max_new_tokens": 12, "beams": 2}
    )
    engine = build_seq2seq(entry, torch.device("cpu"))
    results = engine.forward(engine.tokenize([ModelInput(one, "en") for one in TEXTS]))
    network = load_seq2seq_network(folder)
    network.generation_config.max_length = None
    settings = GenerationConfig(max_new_tokens=12, num_beams=2, do_sample=False)
    for one, result in zip(TEXTS, results, strict=True):
        ids = transformers_own([one], return_tensors="pt")["input_ids"]
        wanted = network.generate(ids, generation_config=settings)[0]
        assert result["text"] == transformers_own.decode(wanted, skip_special_tokens=True)


def test_the_files_are_part_of_the_revision_and_enough_to_verify(
    folder: Path, tmp_path: Path
) -> None:
    assert list(folder_faults(folder, needs_tokenizer=True)) == []
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert content_revision(tmp_path) == content_revision(folder)
    vocabulary = tmp_path / "vocab.json"
    vocabulary.write_text(vocabulary.read_text().replace("<unk>", "<UNK>"))
    assert content_revision(tmp_path) != content_revision(folder)
    with pytest.raises(ModelRefused, match=r"vocab\.json cannot be read: KeyError"):
        load_text(tmp_path)
    vocabulary.unlink()
    with pytest.raises(ModelRefused, match=r"has no tokenizer\.json"):
        load_text(tmp_path)
    assert any("no tokenizer.json" in one for one in folder_faults(tmp_path, needs_tokenizer=True))
