"""Summaries in new words: tiny encoder-decoder models behind the task, warm and by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.summarisation import Summarisation, SummarisationOptions
from tests.support.models import SENTENCES, one_thread, save_seq2seq
from workers.catalogue.entries import DEFAULT_CATALOGUE, CatalogueEntry, choose, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.engines.warm import warm_up
from workers.errors import CatalogueError
from workers.offline import answer_all, shipped_engine

TASK = Summarisation()
TEXTS = [" ".join(SENTENCES[:4]), SENTENCES[0], SENTENCES[2] * 3]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = save_seq2seq(tmp_path_factory.mktemp("bart"), "bart", min_length=20)
    options = {"beams": 2, "max_new_tokens": 40}
    entry = CatalogueEntry(
        name="bart-large-cnn",
        task="summarisation",
        engine="encoder-decoder",
        folder=folder,
        options=options,
    )
    return load_engine("summarisation", {entry.name: entry}, "cpu", entry.name)


def options(**given: object) -> SummarisationOptions:
    return SummarisationOptions.model_validate({"kind": "abstractive", **given})


def test_texts_together_as_alone(engine: Engine) -> None:
    together = answer_all(TASK, engine, TEXTS, options())
    assert together == [answer_all(TASK, engine, [one], options())[0] for one in TEXTS]
    assert all(one.kind == "abstractive" and one.summary for one in together)


def test_a_length_of_the_options_passes_the_models_least(engine: Engine) -> None:
    (encoded,) = engine.tokenize([TASK.encode(TEXTS[0], options(max_characters=6))])
    (raw,) = engine.forward([encoded])
    assert raw["completion_tokens"] <= encoded.tokens.max_new_tokens == 32
    (output,) = answer_all(TASK, engine, TEXTS[:1], options(max_characters=6))
    assert len(output.summary) <= 6


def test_it_is_warmed_by_examples_that_it_does_not_serve(engine: Engine) -> None:
    warm_up(TASK, engine)


def test_extractive_engines_and_kinds_do_not_mix(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="makes no extractive summaries"):
        answer_all(TASK, engine, TEXTS[:1], SummarisationOptions(model="bart-large-cnn"))
    with pytest.raises(InvalidInput, match="makes no abstractive summaries"):
        answer_all(TASK, shipped_engine("summarisation"), TEXTS[:1], options(model="summarisation"))


def test_a_model_that_is_not_there_names_the_command(tmp_path: Path) -> None:
    for language, model in (("en", "bart-large-cnn"), ("zh", "mt5-xlsum")):
        wanted = TASK.model_of(options(language=language))
        with pytest.raises(CatalogueError, match=f"`lepton models pull {model}` fetches"):
            choose(read_catalogue(DEFAULT_CATALOGUE), "summarisation", wanted)
