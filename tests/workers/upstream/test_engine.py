"""An upstream as an engine, and through a desk into outcomes."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest

from lepton_tasks.nlp.embedding import Embedding
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from lepton_tasks.nlp.moderation import Moderation
from lepton_tasks.nlp.registry import AnyTask
from tests.support.held import Ignored, held
from tests.support.upstream import Upstream, upstream
from workers.catalogue.entries import CatalogueEntry
from workers.engines.loader import load_engine
from workers.engines.warm import warm_up
from workers.errors import CatalogueError, TemporaryFailure
from workers.generation.desk import Desk
from workers.generation.writing import WritingEngine
from workers.held import Item
from workers.outcomes import Done, Failed, Outcome

PATIENCE = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture
def engine(server: Upstream) -> WritingEngine:
    entry = CatalogueEntry(
        name="ours",
        task="generation",
        engine="openai-upstream",
        options={"url": server.url, "model": "large", "concurrency": 4},
    )
    engine = load_engine("generation", {"ours": entry}, "cpu", "ours")
    assert isinstance(engine, WritingEngine)
    return engine


def given(text: str) -> GenerationInput:
    return GenerationInput(text, "en", GenerationSpec(max_new_tokens=4))


def test_forward_writes_all_at_once_in_order(engine: WritingEngine, server: Upstream) -> None:
    server.most_under_way = 0
    server.gate.set()
    encoded = engine.tokenize([given(f"say {number}") for number in range(8)])
    assert [raw["text"] for raw in engine.forward(encoded)] == [str(one) for one in range(8)]
    assert (engine.name, engine.revision, engine.lane.tunable) == ("ours", "large", False)
    assert list(engine.tensors()) == []
    with pytest.raises(TemporaryFailure):
        engine.forward(engine.tokenize([given("status 503")]))


def test_a_desk_tells_what_may_pass_from_what_does_not(engine: WritingEngine) -> None:
    answers: queue.Queue[tuple[Item, Outcome]] = queue.Queue()

    class Finisher:
        def put(self, pairs: list[tuple[Item, Outcome]]) -> None:
            for pair in pairs:
                answers.put(pair)

    finisher: Any = Finisher()
    nobody: Any = Ignored()
    desk = Desk(engine.generator(), finisher, nobody, nobody, lambda job_id: False)
    desk.start()
    prompts = ["say yes", "status 400", "status 503 0.5", "status 401"]
    job = held(*prompts)
    inputs = [given(prompt) for prompt in prompts]
    encoded = engine.tokenize(inputs)
    desk.add([Item(job, place, inputs[place], encoded[place]) for place in range(4)])
    ended = [answers.get(timeout=PATIENCE) for _ in prompts]
    found = {item.place: outcome for item, outcome in ended}
    desk.stop()
    assert isinstance(found[0], Done)
    refused, away, wrong = found[1], found[2], found[3]
    assert isinstance(refused, Failed)
    assert (refused.code, refused.retryable) == ("upstream_refused", False)
    assert isinstance(away, Failed)
    assert (away.code, away.retryable, away.retry_after) == ("unavailable", True, 0.5)
    assert isinstance(wrong, Failed)
    assert (wrong.code, wrong.retryable) == ("model_unavailable", False)


def test_nothing_is_asked_before_the_first_job(server: Upstream, engine: WritingEngine) -> None:
    asked = len(server.bodies)
    warm_up(Moderation(), engine)
    assert len(server.bodies) == asked


def far(server: Upstream, task: str) -> CatalogueEntry:
    options = {"url": server.url, "model": "large"}
    return CatalogueEntry(name="ours", task=task, engine="openai-upstream", options=options)


def test_vectors_and_scores_are_an_upstreams_too(server: Upstream) -> None:
    tasks: list[tuple[AnyTask, str]] = [
        (Embedding(), "/v1/embeddings"),
        (Moderation(), "/v1/moderations"),
    ]
    outputs = []
    for task, path in tasks:
        engine = load_engine(task.name, {"ours": far(server, task.name)}, "cpu", "ours")
        options = task.options_model()
        model_input = task.encode("你好", options)
        [raw] = engine.forward(engine.tokenize([model_input]))
        outputs.append(task.decode(raw, model_input, options))
        assert server.paths[-1] == path
        assert server.bodies[-1]["input"] == "你好"
    vector, judged = outputs
    assert (vector.vector, vector.space) == ([0.6, 0.0, -0.8], "ours/3")
    assert judged.flagged
    assert (judged.category_scores["hate"], judged.category_scores["violence"]) == (0.5, 0.2)
    assert "self-harm" in judged.unsupported_categories
    assert "new" not in judged.categories


def test_a_task_that_no_upstream_serves_is_refused(server: Upstream) -> None:
    with pytest.raises(CatalogueError, match="serves chat, generation, embedding, moderation, not"):
        load_engine("sentiment", {"ours": far(server, "sentiment")}, "cpu", "ours")
