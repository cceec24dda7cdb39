"""Trainings in this process: every method, from nothing and from a base, in both languages."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.language import detect_language
from lepton_tasks.nlp.training import Training, TrainingOptions, TrainingOutput
from lepton_tasks.settings import Settings
from tests.support.encoders import write_encoder
from tests.support.labelled import opinions
from tests.support.models import one_thread
from workers.catalogue.entries import CatalogueEntry
from workers.custom.training import train
from workers.engines.loader import load_engine
from workers.features.ngrams import NgramSpec
from workers.longruns.child import Request, RunFailed, Speaker
from workers.training.classifier import LanguageHeads, SoftmaxHead, save_classifier

SLANG = [
    {"text": f"{text} {number}", "label": label}
    for number in range(14)
    for text, label in (
        ("that slaps", "positive"),
        ("so mid", "negative"),
        ("绝绝子", "positive"),
        ("拉胯", "negative"),
    )
]
Train = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("custom")


@pytest.fixture(scope="module")
def run(home: Path) -> Iterator[Train]:
    """Train; what was made lies in a folder of its model's name, and is in the catalogue."""
    write_encoder(home / "encoder")
    catalogue = home / "catalogue.toml"
    catalogue.write_text("")
    settings = Settings(home=home, threads=1, catalogues=str(catalogue))

    def train_one(rows: list[dict[str, str]], **options: Any) -> dict[str, Any]:
        chosen = TrainingOptions.model_validate(options)
        folder = home / chosen.model
        folder.mkdir()
        request = Request(
            {"rows": rows}, chosen.model_dump(mode="json"), folder, chosen.model, settings
        )
        made = dict(train(request, Speaker(io.BytesIO())))
        raw = {**made["output"], "version": "v", "served": False}
        made["answer"] = Training().decode(raw, None, chosen)
        entry = made["made"]["entry"]
        fields = [f"{name} = {orjson.dumps(value).decode()}\n" for name, value in entry.items()]
        with catalogue.open("a") as file:
            file.write(f'[{chosen.model}]\n{"".join(fields)}folder = "{folder / "model"}"\n')
        return made

    with one_thread():
        yield train_one


@pytest.fixture(scope="module")
def known(run: Train) -> str:
    """A model that knows opinions."""
    run(opinions(120), model="known", task="sentiment")
    return "known"


def served(home: Path, made: dict[str, Any], rows: list[dict[str, str]]) -> float:
    """How often what was made, as a worker loads it, says what the rows say."""
    name = made["answer"].model
    fields = {**made["made"]["entry"], "name": name, "folder": home / name / "model"}
    entry = CatalogueEntry.model_validate(fields)
    engine = load_engine(entry.task, {name: entry}, "cpu", name)
    inputs = [ModelInput(row["text"], detect_language(row["text"])) for row in rows]
    found = engine.forward(engine.tokenize(inputs))
    said = [max(scores, key=lambda label: scores[label]) for scores in found]
    return sum(one == row["label"] for one, row in zip(said, rows, strict=True)) / len(rows)


def test_what_was_made_goes_on_from_its_base_and_beats_it(
    home: Path, run: Train, known: str
) -> None:
    made = run(SLANG, model="slang", base=known, require_better=True)
    answer: TrainingOutput = made["answer"]
    assert answer.base is not None and answer.new is not None
    assert answer.new.f1 > answer.base.f1
    assert (answer.task, answer.languages) == ("sentiment", ["en", "zh"])
    assert answer.trained + answer.held_out == len(SLANG)
    assert "encoder_folder" not in made["made"]["entry"]
    # What the base knew is not forgotten.
    assert served(home, made, opinions(80, seed=5)) > 0.9
    assert served(home, made, SLANG) > 0.95
    card = (home / "slang" / "model" / "CARD.md").read_text()
    assert "went on from `known`" in card and "slaps" not in card and "绝" not in card


def test_labels_of_its_own_make_heads_of_their_own(home: Path, run: Train, known: str) -> None:
    rows = [{**row, "label": f"{row['label']}!"} for row in opinions(60)]
    made = run(rows, model="own", base=known, task="classification")
    assert made["answer"].base is None
    assert made["answer"].labels == ["negative!", "positive!"]
    with pytest.raises(RunFailed, match="sentiment has the labels negative, neutral, positive"):
        run(rows, model="own-sentiment", base=known)


def test_an_encoder_is_stood_on_only_where_it_reads_the_language(run: Train, known: str) -> None:
    rows = [{**row, "label": f"{row['label']}!"} for row in opinions(60)]
    for method in ("encoder-head", "lora"):
        with pytest.raises(RunFailed, match="no encoder reads en or zh"):
            run(rows, model=f"unread-{method}", base=known, method=method, task="classification")


def test_an_encoder_and_its_layers_are_learned_over(home: Path, run: Train) -> None:

    head = SoftmaxHead(np.zeros((32, 2)), np.zeros(2))
    grams = SoftmaxHead(np.zeros((1 << 8, 2)), np.zeros(2))
    labels = ["negative", "positive"]
    heads = {"en": LanguageHeads(labels, NgramSpec(1 << 8, (2, 3), (1, 1)), grams, head)}
    save_classifier(home / "blank", heads, {"fallback_language": "en"})
    with (home / "catalogue.toml").open("a") as file:
        file.write(
            '[blank]\ntask = "sentiment"\nengine = "text-classifier"\nfolder = "blank"\n'
            'encoder_folder = "encoder"\nmax_tokens = 64\n'
        )
    rows = [
        {"text": f"{letters} {number}", "label": label}
        for number in range(30)
        for letters, label in (("aab aba baa", "negative"), ("zzy zyz yzz", "positive"))
    ]
    marked = [{**row, "label": f"{row['label']}!"} for row in rows]
    for method in ("encoder-head", "lora", "top-layers"):
        made = run(rows, model=f"on-{method}", base="blank", method=method, epochs=12, layers=1)
        answer: TrainingOutput = made["answer"]
        assert answer.base is not None and answer.new is not None
        assert answer.new.f1 > answer.base.f1
        assert made["made"]["entry"]["encoder_folder"] == str(home / "encoder")
        assert served(home, made, rows) > 0.8
        own = run(marked, model=f"new-{method}", base="blank", method=method, task="classification")
        assert own["answer"].new.f1 > own["answer"].majority.f1
        assert served(home, own, marked) > 0.8
    goes_on = {"lora": ("lora", "top-layers"), "top-layers": ("top-layers", "encoder-head")}
    for base, methods in goes_on.items():
        for method in methods:
            name = f"{method}-on-{base}"
            again = run(rows, model=name, base=f"on-{base}", method=method, epochs=12, layers=1)
            assert served(home, again, rows) >= 0.8
    own = {"base": "blank", "method": "top-layers", "epochs": 12, "layers": 1}
    small = run(rows, model="reduced", rank=4, **own)
    assert served(home, small, rows) >= 0.8
    stored = [
        (home / name / "model" / "model.safetensors").stat().st_size
        for name in ("reduced", "on-top-layers")
    ]
    assert stored[0] < stored[1]
    again = run(rows, model="on-reduced", **{**own, "base": "reduced"})
    assert served(home, again, rows) >= 0.8
    with pytest.raises(RunFailed, match="adapters have the rank 16"):
        run(rows, model="no-rank", base="on-lora", method="lora", rank=4)
    with pytest.raises(RunFailed, match="were tuned whole: take top-layers"):
        run(rows, model="no-lora", base="on-top-layers", method="lora")


def test_what_is_no_better_is_refused(run: Train) -> None:
    first = run(SLANG, model="first")
    assert first["answer"].new.f1 == 1.0
    with pytest.raises(RunFailed, match="nothing is published") as caught:
        run(SLANG, model="worse", base="first", require_better=True)
    assert caught.value.code == "not_better"


def test_wrong_names_are_told(run: Train, known: str) -> None:
    rows = opinions(20)
    with pytest.raises(RunFailed, match="no text classifier of the catalogue; those are"):
        run(rows, model="based", base="redaction")
    with pytest.raises(RunFailed, match="choose another name"):
        run(rows, model="redaction")
    with pytest.raises(RunFailed, match="sentiment has the labels"):
        run([{**row, "label": row["label"][:2]} for row in rows], model="odd", task="sentiment")
