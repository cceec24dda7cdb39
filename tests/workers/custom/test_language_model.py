"""Language models in this process: learned from nothing, resumed, bounded, refused."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from lepton_tasks.nlp.training import Training, TrainingOptions, TrainingOutput
from lepton_tasks.settings import Settings
from lepton_tasks.versions import Versions
from tests.support.models import one_thread
from tests.support.texts import days
from workers.catalogue.entries import load_catalogue
from workers.custom.language_model import train_language_model
from workers.engines.loader import load_engine
from workers.longruns.child import Paused, Request, RunFailed, Speaker
from workers.longruns.publishing import publish

SMALL = {"width": 32, "layers": 1, "context": 24, "batch": 2, "vocabulary": 300, "steps": 40}
Write = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Train on texts or a file; ``speaker`` and ``folder`` are those of an earlier run."""

    def run(
        item: dict[str, Any],
        speaker: Speaker | None = None,
        folder: str = "run",
        changed: dict[str, Any] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        settings = Settings(home=tmp_path, threads=1, data_folder=tmp_path, **(changed or {}))
        chosen = TrainingOptions.model_validate(
            {"model": "writer", "method": "language-model", **SMALL, **options}
        )
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        request = Request(item, chosen.model_dump(mode="json"), place, folder, settings)
        return dict(train_language_model(request, speaker or Speaker(io.BytesIO())))

    return run


def test_a_writer_is_made_reported_and_served_at_once(tmp_path: Path, write: Write) -> None:
    out = io.BytesIO()
    texts = [*days(80, "en"), *days(80, "zh")]
    made = write({"texts": texts}, Speaker(out), rate=0.01, steps=60, seed=3)
    output: TrainingOutput = Training().decode(
        {**made["output"], "version": "v", "served": True},
        None,
        TrainingOptions(model="writer", method="language-model"),
    )
    report = output.language_model
    assert report is not None and output.new is None and output.labels == []
    assert (output.rows, output.warnings) == ({"en": 80, "zh": 80}, [])
    assert output.trained + output.held_out == 160
    assert set(report.held_out) <= {"en", "zh"}
    assert all(1 < one.perplexity < 100 for one in report.held_out.values())
    stages = {orjson.loads(line)["progress"]["stage"] for line in out.getvalue().splitlines()}
    assert stages == {"reading", "tokenizing", "training", "measuring"}
    card = (tmp_path / "run" / "model" / "CARD.md").read_text()
    assert "steps 60 " in card and not any(text in card for text in texts)
    settings = Settings(home=tmp_path)
    versions = Versions(settings.model_versions)
    version = publish(versions, "run", made["made"], tmp_path / "run" / "model")
    catalogue = load_catalogue(settings)
    assert catalogue["writer"].version == version
    engine = load_engine("generation", {"writer": catalogue["writer"]}, "cpu", "writer")
    asked = GenerationInput("今天", "zh", GenerationSpec(max_new_tokens=8))
    [text] = engine.forward(engine.tokenize([asked]))
    assert text["completion_tokens"] <= 8
    assert made["made"]["report"]["command"].startswith("lepton train FILE --name writer --method")
    # The name is known by now: what is made next has to be asked to be served.
    assert write({"texts": texts}, folder="again", steps=1)["made"]["serve"] is False


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path, write: Write) -> None:
    item = {"texts": days(120, "zh")}
    whole = write(item, folder="whole")
    for at in (1, 13, 27):
        speaker = Paused_at(at)
        with pytest.raises(Paused):
            write(item, speaker, folder="parts")
    resumed = write(item, folder="parts")
    assert (whole["output"]["resumed"], resumed["output"]["resumed"]) == (False, True)
    weights = [tmp_path / one / "model" / "model.safetensors" for one in ("whole", "parts")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert whole["output"]["language_model"] == resumed["output"]["language_model"]
    # Another seed is another run, in the same folder too.
    assert write(item, folder="parts", seed=8)["output"]["resumed"] is False
    assert weights[0].read_bytes() != weights[1].read_bytes()


class Paused_at(Speaker):
    """Asks for the end once so many steps have been told."""

    def __init__(self, step: int) -> None:
        super().__init__(io.BytesIO())
        self._at = step

    def progress(self, stage: str, fraction: float, **figures: float | None) -> None:
        self.pausing = self.pausing or (figures.get("step") or 0) >= self._at
        super().progress(stage, fraction, **figures)


def test_what_cannot_be_learned_from_is_named(tmp_path: Path, write: Write) -> None:
    def fault(item: dict[str, Any], **more: Any) -> str:
        with pytest.raises(RunFailed) as caught:
            write(item, **more)
        assert "SECRET" not in str(caught.value)
        return f"{caught.value.code}: {caught.value}"

    (tmp_path / "long.txt").write_bytes(b"a line\n\n" + b"SECRET" * 50_000)
    (tmp_path / "odd.txt").write_bytes(b"a line\n\n\xff SECRET")
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\n{"text": 5, "SECRET": 1}\n')
    (tmp_path / "empty.txt").write_text("\n\n")
    assert "wrong_texts: long.txt, line 3: it has over 262,144" in fault({"file": "long.txt"})
    assert "odd.txt, line 3: it is no UTF-8" in fault({"file": "odd.txt"})
    assert "bad.jsonl, line 2: it has to be" in fault({"file": "bad.jsonl"})
    assert "empty.txt: there is no text" in fault({"file": "empty.txt"})
    assert "there is no file 'none.txt'" in fault({"file": "none.txt"})
    assert "learns from texts or a file" in fault({"rows": []})
    same = ["the same SECRET " * 20] * 40
    assert "there are 1 documents" in fault({"texts": same})
    assert "lower context" in fault({"texts": days(60, "en")}, context=4_096)
    large = fault({"texts": same}, width=1024, layers=24, context=4096, batch=256)
    assert "too_large: " in large and "LEPTON_TRAINING_MEMORY_MB" in large
    assert "choose another name" in fault({"texts": same}, model="sentiment")
    (tmp_path / "big.txt").write_bytes(b"x\n" * 600_000)
    bounded = fault({"file": "big.txt"}, changed={"training_file_mb": 1})
    assert "file_too_large" in bounded and "LEPTON_TRAINING_FILE_MB" in bounded


def test_few_documents_of_a_language_are_told(write: Write) -> None:
    texts = [*days(100, "en"), *days(2, "zh")]
    made = write({"texts": texts}, steps=2)
    warnings = made["output"]["warnings"]
    assert "zh: 2 documents of 102; that is too few" in warnings[0]
    assert made["output"]["rows"] == {"en": 100, "zh": 2}
    told = [one for one in warnings if "no document was held out" in one]
    assert bool(told) is ("zh" not in made["output"]["language_model"]["held_out"])


def test_only_what_beats_ngrams_is_published_where_that_is_asked(write: Write) -> None:
    with pytest.raises(RunFailed, match="that of n-grams") as caught:
        write({"texts": days(120, "en")}, steps=1, require_better=True)
    assert caught.value.code == "not_better"


def test_a_file_of_either_kind_gives_the_same(tmp_path: Path, write: Write) -> None:
    texts = days(80, "zh")
    (tmp_path / "a.txt").write_text("\n\n".join(texts), encoding="utf-8")
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(orjson.dumps({"text": one}) for one in texts))
    for name, item in {
        "t": {"texts": texts},
        "f": {"file": "a.txt"},
        "j": {"file": "a.jsonl"},
    }.items():
        write(item, folder=name, steps=3)
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in "tfj"]
    assert all(one == other for one, other in itertools.pairwise(weights))
