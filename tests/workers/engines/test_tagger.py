"""The tagger engine over the shipped weights: parts, batches, languages, wrong folders."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.preprocessing import (
    Preprocessing,
    PreprocessingInput,
    PreprocessingOptions,
    PreprocessingOutput,
)
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.folder import read_folder
from workers.engines.loader import load_engine
from workers.engines.tagger import build_tagger
from workers.errors import ModelRefused

TASK = Preprocessing()
SHIPPED = DEFAULT_CATALOGUE.parent.parent / "models" / "tagger"
TEXTS = [
    "The quick brown fox can't jump over the lazy dog. It sleeps.",
    "今天天气真好！我们去公园散步吧。",
    "這是一個繁體中文的句子，ＡＢＣ１２３。",
    "Привет, мир!",
    "👍",
    "He said 好 to everybody at 10:30.",
    "我的email是li@example.org。Thanks!",
    "<br>",
    "word " * 3_000,
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("preprocessing", read_catalogue(DEFAULT_CATALOGUE), "cpu")


def encode(text: str, **options: Any) -> PreprocessingInput:
    return TASK.encode(text, PreprocessingOptions.model_validate(options))


def process(engine: Engine, text: str, **options: Any) -> PreprocessingOutput:
    one = encode(text, **options)
    (raw,) = engine.forward(engine.tokenize([one]))
    return TASK.decode(raw, one, PreprocessingOptions.model_validate(options))


def test_a_mixed_batch_equals_single_items_exactly(engine: Engine) -> None:
    inputs = [encode(text) for text in TEXTS]
    inputs += [encode(TEXTS[0], parts=["sentences"]), encode(TEXTS[2], script="simplified")]
    together = engine.forward(engine.tokenize(inputs))
    assert [engine.forward(engine.tokenize([one]))[0] for one in inputs] == together


def test_words_and_tags_in_english(engine: Engine) -> None:
    output = process(engine, "<p>The dog can't sleep.</p> She reads two books.")
    assert output.text == "The dog can't sleep.\nShe reads two books."
    assert [(one.text, one.upos) for one in output.tokens or []] == [
        ("The", "DET"),
        ("dog", "NOUN"),
        ("ca", "AUX"),
        ("n't", "PART"),
        ("sleep", "VERB"),
        (".", "PUNCT"),
        ("She", "PRON"),
        ("reads", "VERB"),
        ("two", "NUM"),
        ("books", "NOUN"),
        (".", "PUNCT"),
    ]
    assert [(one.start, one.end) for one in output.sentences or []] == [(0, 20), (21, 41)]


def test_words_and_tags_in_chinese(engine: Engine) -> None:
    output = process(engine, "我们学习汉语。", parts=["tags"])
    assert output.sentences is None
    assert [(one.text, one.upos) for one in output.tokens or []] == [
        ("我们", "PRON"),
        ("学习", "VERB"),
        ("汉语", "NOUN"),
        ("。", "PUNCT"),
    ]


def test_traditional_becomes_simplified_and_offsets_follow(engine: Engine) -> None:
    output = process(engine, "這是繁體中文。", script="simplified")
    assert output.text == "这是繁体中文。" and output.language == "zh"
    assert "".join(one.text for one in output.tokens or []) == output.text


def test_traditional_is_cut_and_tagged_as_simplified(engine: Engine) -> None:
    found = []
    for text in ("我們學習漢語，發現問題。", "我们学习汉语，发现问题。"):
        output = process(engine, text)
        assert output.text == text == "".join(one.text for one in output.tokens or [])
        found.append([(one.start, one.end, one.upos) for one in output.tokens or []])
    assert found[0] == found[1]


def test_a_language_without_a_table_is_cut_and_not_tagged(engine: Engine) -> None:
    output = process(engine, "Привет, мир!")
    assert output.language == "und"
    assert [(one.text, one.upos) for one in output.tokens or []] == [
        ("Привет", None),
        (",", None),
        ("мир", None),
        ("!", None),
    ]


def test_parts_alone(engine: Engine) -> None:
    output = process(engine, "One. Two.", parts=["tokens"])
    assert output.sentences is None and output.tokens is not None
    assert output.tokens[0].upos is None
    nothing = process(engine, "One. Two.", parts=[])
    assert (nothing.text, nothing.sentences, nothing.tokens) == ("One. Two.", None, None)


@pytest.mark.parametrize("text", TEXTS)
def test_offsets_are_into_the_cleaned_text(engine: Engine, text: str) -> None:
    output = process(engine, text)
    assert output.tokens is not None and output.sentences is not None
    for one in output.tokens:
        assert output.text[one.start : one.end] == one.text
        assert any(part.start <= one.start < one.end <= part.end for part in output.sentences)
    assert "".join(one.text for one in output.tokens) == "".join(output.text.split())


@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from(["Dr. ", "can't ", "今天", "學習", "。", "👍🏽", "a@b.org ", "<p>", "\n"])
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        max_size=12,
    ).map("".join),
    st.sampled_from(["en", "zh"]),
)
def test_words_and_sentences_cover_any_text(engine: Engine, text: str, language: str) -> None:
    output = process(engine, text, language=language)
    tokens, sentences = output.tokens or [], output.sentences or []
    assert "".join(one.text for one in tokens) == "".join(output.text.split())
    parts = [output.text[one.start : one.end] for one in sentences]
    assert "".join("".join(parts).split()) == "".join(output.text.split())
    assert all(one.end <= after.start for one, after in pairwise(tokens))
    assert all(one.end <= after.start for one, after in pairwise(sentences))


def test_the_weights_are_counted_and_there_is_nothing_to_tune(engine: Engine) -> None:
    assert engine.lane.tunable is False
    assert 2_000_000 < sum(one.numel() for one in engine.tensors()) < 3_000_000


def test_another_tasks_input_is_refused(engine: Engine) -> None:
    with pytest.raises(TypeError, match="PreprocessingInput is wanted"):
        engine.tokenize([ModelInput("text", "en")])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": 0}, "features of version 0.*train it again"),
        ({"languages": {}}, "names no languages"),
        ({"languages": {"en": {"buckets": 131072}}}, "incomplete or wrong"),
        ({"languages": {"en": {"buckets": 131072, "tags": ["NOUNS"]}}}, "does not know: NOUNS"),
        ({"languages": {"en": {"buckets": 100, "tags": ["NOUN"]}}}, "power of two, not 100"),
        ({"languages": {"en": {"buckets": 64, "tags": ["NOUN"]}}}, r"en\.weights is torch\.int8"),
        ({"languages": {"fr": {"buckets": 64, "tags": ["NOUN"]}}}, r"fr\.weights is missing"),
    ],
)
def test_a_wrong_config_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    shutil.copytree(SHIPPED, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")
    with pytest.raises(ModelRefused, match=says):
        build_tagger("mine", read_folder(tmp_path / "model"))


def test_weights_of_another_type_are_refused(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    tensors = load_file(path)
    save_file({**tensors, "zh.bias": tensors["zh.bias"].to(torch.float32)}, path)
    with pytest.raises(ModelRefused, match=r"zh\.bias is torch\.float32"):
        build_tagger("mine", read_folder(tmp_path / "model"))
