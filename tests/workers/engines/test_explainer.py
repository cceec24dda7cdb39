"""Explanations: they add up to the classifier's own logit, alone as in a batch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.explanation import (
    MOST_SPANS,
    Explanation,
    ExplanationOptions,
    ExplanationOutput,
)
from lepton_tasks.nlp.moderation import Moderation, ModerationOptions
from tests.support.encoders import LAYERS, WIDTH, write_encoder, write_heads
from workers.catalogue.entries import DEFAULT_CATALOGUE, CatalogueEntry, read_catalogue
from workers.engines.base import Engine
from workers.engines.bert import Bert
from workers.engines.encoder import SentenceEncoder
from workers.engines.explainer import build_explainer
from workers.engines.loader import load_engine
from workers.engines.packed import pack
from workers.engines.trunks import Trunks
from workers.errors import CatalogueError, InputRefused, ModelRefused

TASK = Explanation()
TEXTS = [
    "You are a stupid idiot and nobody in your town likes you.",
    "这种人就是垃圾，别理他。",
    "ＷＯＲＴＨＬＥＳＳ\u200b fool @ada &amp; https://a.example/b 😀",
    "這個 app 的客服是笨蛋",
    "Где библиотека?",
    "?",
]
DRIFT = 0.01
"""Most that 24 points of integration may miss of a logit."""


class Engines:
    """The shipped classifier and its explainer, over one encoder."""

    def __init__(self) -> None:
        catalogue, trunks = read_catalogue(DEFAULT_CATALOGUE), Trunks()
        self.classifier = load_engine("moderation", catalogue, "cpu", trunks=trunks)
        self.explainer = load_engine("explanation", catalogue, "cpu", trunks=trunks)

    def scores(self, text: str, language: str | None = None) -> dict[str, float]:
        one = Moderation().encode(text, ModerationOptions(language=language))
        [raw] = self.classifier.forward(self.classifier.tokenize([one]))
        return dict(raw)


def explain(engine: Engine, texts: list[str], **options: Any) -> list[ExplanationOutput]:
    chosen = ExplanationOptions.model_validate({"top": MOST_SPANS, **options})
    inputs = [TASK.encode(text, chosen) for text in texts]
    raws = engine.forward(engine.tokenize(inputs))
    return [TASK.decode(raw, one, chosen) for raw, one in zip(raws, inputs, strict=True)]


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Engines()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def found(engines: Engines) -> list[ExplanationOutput]:
    """All texts together."""
    return explain(engines.explainer, TEXTS)


def test_batched_as_alone(engines: Engines, found: list[ExplanationOutput]) -> None:
    for together, text in zip(found[:4], TEXTS[:4], strict=True):
        [alone] = explain(engines.explainer, [text])
        assert together.label == alone.label
        for name in ("score", "logit", "base_value", "rest", "residual"):
            assert math.isclose(getattr(together, name), getattr(alone, name), abs_tol=1e-5)
        ours, theirs = (
            {(one.start, one.end): one.value for one in output.contributions}
            for output in (together, alone)
        )
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_contributions_add_up_to_the_logit_of_the_classifier(
    engines: Engines, found: list[ExplanationOutput]
) -> None:
    for text, one in zip(TEXTS, found, strict=True):
        scores = engines.scores(text)
        assert one.label == max(scores, key=lambda label: scores[label])
        assert one.score == pytest.approx(scores[one.label], abs=1e-5)
        assert 1 / (1 + math.exp(-one.logit)) == pytest.approx(one.score, abs=1e-5)
        total = sum(span.value for span in one.contributions)
        assert one.logit - one.base_value == pytest.approx(total + one.residual, abs=1e-9)
        read_by_encoder = one.language != "zh"
        assert abs(one.residual) < (DRIFT if read_by_encoder else 1e-6)
        assert one.method == ("exact+integrated-gradients" if read_by_encoder else "exact")
        assert one.language_supported == (one.language != "und")


def test_each_method_attributes_its_part_and_states_the_other(engines: Engines) -> None:
    both, exact, gradients = (
        explain(engines.explainer, ["you fool"], label="toxicity", method=method)[0]
        for method in ("auto", "exact", "integrated-gradients")
    )
    assert [one.method for one in (exact, gradients)] == ["exact", "integrated-gradients"]
    assert both.logit == pytest.approx(exact.logit) == pytest.approx(gradients.logit)
    assert both.base_value == pytest.approx(gradients.base_value)
    by_start = [
        {one.start: one.value for one in output.contributions}
        for output in (both, exact, gradients)
    ]
    for start, value in by_start[0].items():
        assert value == pytest.approx(by_start[1][start] + by_start[2][start], abs=1e-6)
    assert min(abs(exact.residual), abs(gradients.residual)) > 10 * abs(both.residual)


def test_the_words_that_offend_are_named(found: list[ExplanationOutput]) -> None:
    english, chinese = found[:2]
    assert english.contributions[0].text in ("stupid", "idiot")
    assert {"垃", "圾"} & {one.text for one in chinese.contributions[:2]}


def test_spans_are_places_in_the_original(found: list[ExplanationOutput]) -> None:
    for text, output in zip(TEXTS, found, strict=True):
        spans = sorted((one.start, one.end) for one in output.contributions)
        for (start, end), after in zip(spans, [*spans[1:], (len(text), 0)], strict=True):
            assert start < end <= after[0]
    words = {one.text for one in found[2].contributions}
    assert {"ＷＯＲＴＨＬＥＳＳ", "fool", "@ada", "https://a.example/b", "😀"} <= words


def test_texts_of_which_cleaning_leaves_next_to_nothing(engines: Engines) -> None:
    nothing, space, sign = explain(engines.explainer, ["\u200b\ufeff", "&nbsp;", "\u0301"])
    assert nothing.contributions == [] and abs(nothing.residual) < 1e-6
    assert "".join(one.text for one in sorted(space.contributions, key=lambda one: one.start))
    assert [one.text for one in sign.contributions] == ["\u0301"]
    assert max(abs(one.residual) for one in (space, sign)) < DRIFT


def test_a_category_that_the_language_lacks_is_said_to_be_so(engines: Engines) -> None:
    [found] = explain(engines.explainer, [TEXTS[1]], label="violence")
    assert not found.label_supported
    assert (found.score, found.logit, found.residual, found.contributions) == (0.0, 0.0, 0.0, [])


def test_a_long_text_says_that_its_encoder_read_the_beginning(
    engines: Engines, found: list[ExplanationOutput]
) -> None:
    text = "You fool, the parcel is late. " * 60
    encoded = engines.explainer.tokenize([TASK.encode(text, ExplanationOptions())])
    assert 256 * 24 < encoded[0].length < 256 * 24 * 3
    [exact] = explain(engines.explainer, [text], method="exact")
    assert exact.truncated and not any(one.truncated for one in found)


def test_the_encoder_is_not_loaded_twice(engines: Engines) -> None:
    ours, theirs = (
        {one.data_ptr() for one in engine.tensors()}
        for engine in (engines.explainer, engines.classifier)
    )
    assert len(ours & theirs) > 90
    assert engines.explainer.revision == engines.classifier.revision
    assert not engines.explainer.lane.tunable
    assert not any(one.grad is not None for one in engines.explainer.tensors())


def entry(heads: Path, encoder: Path, **fields: Any) -> CatalogueEntry:
    options = {"task": "moderation", "model": "small", "steps": 64}
    made: dict[str, Any] = {
        "name": "small-explained",
        "task": "explanation",
        "engine": "explainer",
        "folder": heads,
        "encoder_folder": encoder,
        "max_tokens": 64,
        "options": options,
    }
    return CatalogueEntry.model_validate({**made, **fields})


def load(one: CatalogueEntry) -> Engine:
    return load_engine("explanation", {one.name: one}, "cpu", one.name)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "encoder")


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return write_heads(tmp_path / "heads", labels=("toxicity", "insult", "threat"))


def test_exclusive_labels_over_tuned_layers(heads: Path, encoder: Path) -> None:
    config = json.loads((heads / "config.json").read_text())
    for part in config["languages"].values():
        part["activation"] = "softmax"
    (heads / "config.json").write_text(json.dumps(config))
    file, chance = heads / "model.safetensors", torch.Generator().manual_seed(3)
    name = f"adapter.{LAYERS - 1}.query"
    adapters = {
        f"{name}.down": torch.randn(2, WIDTH, generator=chance),
        f"{name}.up": torch.randn(WIDTH, 2, generator=chance),
    }
    save_file({**load_file(file), **adapters}, file)
    engine = load(entry(heads, encoder))
    text = "one fine day in may"
    found = [explain(engine, [text], label=label)[0] for label in ("toxicity", "insult", "threat")]
    shares = np.exp([one.logit * 2 / 3 for one in found])  # a lead over the mean of two others
    assert shares / shares.sum() == pytest.approx([one.score for one in found], abs=1e-4)
    assert sum(one.score for one in found) == pytest.approx(1.0, abs=1e-5)
    assert all(one.method == "exact+integrated-gradients" for one in found)
    assert max(abs(one.residual) for one in found) < 0.05


def test_going_back_is_through_the_same_encoder(encoder: Path) -> None:
    shared: SentenceEncoder = Trunks().encoder(encoder, 64, torch.device("cpu"), torch.float32)
    bert = shared.trunk.architecture
    assert isinstance(bert, Bert)
    ids = shared.tokenize(["one fine day", "a", "the longest text of all of these"])
    batch = pack(ids, torch.device("cpu"))
    words = bert.words(batch.ids).requires_grad_()
    found = bert.from_words(bert.layers, words, batch)
    torch.testing.assert_close(found, bert(batch))
    [gradient] = torch.autograd.grad(found.square().sum(), [words])
    assert gradient.isfinite().all() and gradient.any()
    spans = shared.token_spans("one Day")
    assert spans.ids.tolist() == shared.tokenize(["one Day"])[0].tolist()
    assert spans.special.tolist() == [True, *[False] * (len(spans.ids) - 2), True]
    assert list(spans.spans)[1:-1] == [(place, place + 1) for place in (0, 1, 2, 4, 5, 6)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "moderation"}, r"\[small-explained\] options.model"),
        ({"task": "moderation", "model": "m", "steps": 1}, "options.steps"),
        ({"task": "moderation", "model": "m", "color": 1}, "options.color"),
        ({"task": "moderation", "model": "m", "engine": "telepathy"}, "telepathy"),
    ],
)
def test_wrong_tables_are_refused_by_field(
    heads: Path, encoder: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(CatalogueError, match=says):
        load(entry(heads, encoder, options=options))


def test_an_engine_without_linear_heads_is_refused(heads: Path, encoder: Path) -> None:
    another = load(entry(heads, encoder))
    with pytest.raises(CatalogueError, match="'text-classifier' has no linear heads"):
        build_explainer(entry(heads, encoder), lambda own: another)


def test_a_folder_without_weights_is_refused(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"config\.json"):
        load(entry(tmp_path, encoder))


def test_inputs_of_another_task_fail_alone(heads: Path, encoder: Path) -> None:
    engine = load(entry(heads, encoder))
    options = ExplanationOptions(task="tickets", model="small-explained")
    for one in (TASK.encode("a", options), ModelInput("a", "en")):
        with pytest.raises(InputRefused, match="small-explained explains moderation alone") as told:
            engine.tokenize([one])
        assert told.value.code == "wrong_task"
