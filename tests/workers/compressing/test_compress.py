"""Classifiers in fewer bits: smaller, hardly different, refused where they would be."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.compression import Compression, CompressionOptions, CompressionOutput
from lepton_tasks.settings import Settings
from tests.support.models import one_thread
from workers.compressing.compress import compress
from workers.engines.folder import read_folder
from workers.errors import ModelRefused
from workers.features.ngrams import NgramSpec
from workers.longruns.child import Request, RunFailed, Speaker
from workers.training.classifier import LanguageHeads, SoftmaxHead, save_classifier

TEXTS = [f"{word} {n}" for n in range(40) for word in ("fine day", "真不错", "rainy", "太差了 😀")]
LABELS = ["negative", "neutral", "positive"]
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    home = tmp_path_factory.mktemp("compressing")
    generator = np.random.default_rng(1)
    heads = {}
    for language in ("en", "zh"):
        weights = generator.normal(size=(1 << 12, 3))
        head = SoftmaxHead(weights, generator.normal(size=3))
        heads[language] = LanguageHeads(LABELS, NgramSpec(1 << 12, (1, 3), (1, 1)), head, None)
    save_classifier(home / "plain", heads, {"fallback_language": "en"})
    (home / "plain" / "CARD.md").write_text("# plain\n\nIts own figures.\n")
    (home / "catalogue.toml").write_text(
        '[plain]\ntask = "sentiment"\nengine = "text-classifier"\nfolder = "plain"\ndemo = true\n'
    )
    settings = Settings(home=home, threads=1, catalogues=str(home / "catalogue.toml"))

    def run_one(**options: Any) -> dict[str, Any]:
        chosen = CompressionOptions.model_validate({"model": "plain", **options})
        folder = home / "run"
        folder.mkdir(exist_ok=True)
        request = Request({"texts": TEXTS}, chosen.model_dump(mode="json"), folder, "run", settings)
        made = dict(compress(request, Speaker(io.BytesIO())))
        raw = {**made["output"], "version": "v", "served": False}
        return {**made, "answer": Compression().decode(raw, None, chosen), "home": home}

    with one_thread():
        yield run_one


def test_it_is_smaller_and_hardly_different(run: Run) -> None:
    made = run(max_flips=0.05)
    answer: CompressionOutput = made["answer"]
    assert answer.bytes < 0.6 * answer.bytes_before
    assert 0 < answer.mean_drift <= answer.max_drift < 0.05
    assert answer.flips <= 0.05 and answer.speed > 0
    assert made["made"]["entry"] == {"task": "sentiment", "engine": "text-classifier", "demo": True}
    assert "int8, 5" in made["made"]["report"]["headline"]
    folder = made["home"] / "run" / "model"
    old, new = read_folder(made["home"] / "plain"), read_folder(folder)
    assert set(old.tensors) == set(new.tensors) and old.revision != new.revision
    card = (folder / "CARD.md").read_text()
    assert "Its own figures." in card and "Weights stored as int8" in card


def test_what_would_change_too_much_is_refused(run: Run) -> None:
    with pytest.raises(RunFailed, match="nothing is published") as caught:
        run(max_drift=1e-6)
    assert caught.value.code == "too_far"
    with pytest.raises(RunFailed, match="as small already"):
        run(to="fp16")
    with pytest.raises(RunFailed, match=r"those are .*plain"):
        run(model="redaction")


def test_scales_that_fit_nothing_are_refused(run: Run, tmp_path: Path) -> None:
    folder = run(max_flips=0.05)["home"] / "run" / "model"
    tensors = load_file(folder / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    for wrong in ({"x.int8-scale": torch.ones(3)}, {"en.bag.int8-scale": torch.ones(2)}):
        save_file({**tensors, **wrong}, tmp_path / "model.safetensors")
        with pytest.raises(ModelRefused, match="fits no table"):
            read_folder(tmp_path)
