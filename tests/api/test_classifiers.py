"""Jobs that name a classifier: one that does not exist is refused with the option's name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.classifiers import check_classifier
from api.openai.catalogue import ModelList
from lepton_tasks.errors import InvalidInput
from lepton_tasks.jobs import NewJob
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.requests import Admission, JobRequest
from lepton_tasks.settings import Settings
from tests.support.labelled import opinions

GATE = Admission(find_tasks(), 4)
ROWS = {"rows": opinions(12)}


class Listed:
    """A catalogue that knows some names, and counts how often it was asked."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self.asked = 0

    async def of_engine(self, engine: str) -> frozenset[str]:
        self.asked += 1
        return self._names


def job(task: str, item: Any, tenant: str = "default", **options: Any) -> NewJob:
    return GATE.admit(tenant, JobRequest(task, input=item, options=options))


def check(models: Any, asked: NewJob, **changed: Any) -> None:
    services: Any = SimpleNamespace(settings=Settings(**changed), models=models)
    asyncio.run(check_classifier(services, asked))


def test_what_is_no_classifier_is_refused_by_the_name_of_its_option() -> None:
    models = Listed(["sentiment", "topics"])
    wrong = {"training": "base", "compression": "model"}
    jobs = {
        "training": job("training", ROWS, model="m", base="nothing"),
        "compression": job("compression", {"texts": ["好"]}, model="nothing"),
    }
    for task, option in wrong.items():
        with pytest.raises(InvalidInput, match="those are sentiment, topics") as caught:
            check(models, jobs[task])
        assert caught.value.param == f"options.{option}"
    check(models, job("training", ROWS, model="m", base="topics"))
    check(Listed([]), jobs["training"])  # nothing is known there


def test_the_catalogue_is_asked_only_where_it_matters() -> None:
    models = Listed(["sentiment"])
    check(models, job("training", ROWS, model="m"))
    check(models, job("sentiment", "好"))
    check(models, job("training", ROWS, "stranger", model="m", base="nothing"))
    assert models.asked == 0
    with pytest.raises(InvalidInput):
        stranger = job("training", ROWS, "stranger", model="m", base="nothing")
        check(models, stranger, training_tenants="*")


def test_the_list_is_that_of_the_model_side(tmp_path: Path) -> None:
    async def listed() -> tuple[frozenset[str], dict[str, str]]:
        models = ModelList(Settings(home=tmp_path))
        found = await models.of_engine("text-classifier")
        return found, await models.tasks_by_name({"sentiment"})

    classifiers, named = asyncio.run(listed())
    assert {"sentiment", "topics"} <= classifiers and "small-writer" not in classifiers
    assert named["sentiment"] == "sentiment"
