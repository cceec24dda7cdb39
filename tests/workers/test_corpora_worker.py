"""Corpora with a real worker: by HTTP, by Celery and in a file; changed, erased, of one tenant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from celery import Celery
from celery.result import AsyncResult

from lepton_tasks.bulk.plan import make_plan
from lepton_tasks.bulk.progress import PlainDisplay
from lepton_tasks.bulk.run import BatchRun
from lepton_tasks.bulk.workspace import Mode, open_workspace
from lepton_tasks.celery.app import make_app
from lepton_tasks.corpora import CorpusLimits, NewDocument
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.errors import InvalidInput
from lepton_tasks.jobs import Job
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import open_store
from tests.support.sending import eventually
from tests.support.worker import WorkerProcess

TASKS = ("chat", "question-answering", "recommendation", "similarity")
WAIT = 120.0
BRIDGE = "The old bridge over the river was built in 1871 by John Miller. It is forty metres long."
LIBRARY = "图书馆于1904年开放，藏书六万册。图书馆每周一闭馆，周日也不休息。"
GARDEN = "Tomatoes want a sunny garden, rich soil and plenty of water in summer."


@dataclass(frozen=True, slots=True)
class Bench:
    producer: Producer
    celery: Celery
    results: Celery

    def put(self, tenant: str, **texts: str) -> None:
        new = [NewDocument(name, text) for name, text in texts.items()]
        limits = CorpusLimits.of(self.producer.settings)
        self.producer.store.documents.put(tenant, "handbook", new, limits)

    def ended(self, task: str, item: Any, tenant: str = "default", **options: Any) -> Job:
        options = {"corpus": "handbook"} | options
        job = self.producer.submit(task, item, options=options, tenant=tenant)
        done = self.producer.wait(job.id, WAIT, tenant)
        assert done.state in (JobState.SUCCEEDED, JobState.FAILED), done.state
        return done

    def output(self, task: str, item: Any, tenant: str = "default", **options: Any) -> Any:
        done = self.ended(task, item, tenant, **options)
        assert done.state == JobState.SUCCEEDED, done.error
        return done.output()


@pytest.fixture(scope="module")
def bench(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("corpora")
    settings = Settings(home=folder, redis_url=redis_server.url[:-1] + "8", lease_seconds=5.0)
    store = open_store(settings)
    worker = WorkerProcess(settings, store, folder / "worker.log", tasks=TASKS)
    with worker, Producer(settings, store) as producer:
        bench = Bench(
            producer,
            Celery(broker=settings.redis_url, set_as_current=False),
            make_app(settings, TASKS),
        )
        for tenant in ("default", "other"):
            store.corpora.create(tenant, "handbook")
        bench.put("default", bridge=BRIDGE, 图书馆=LIBRARY, garden=GARDEN)
        bench.put("other", bridge="The new bridge was built in 2001 by Ann Smith.")
        yield bench
    store.close()


def test_an_answer_names_its_document_and_place(bench: Bench) -> None:
    question = "When was the bridge built?"
    found = bench.output("question-answering", {"question": question}, no_answer_below=0.0)
    assert (found["document"], found["answer"]) == ("bridge", "1871")
    assert BRIDGE[found["start"] : found["end"]] == "1871"
    sentence = found["sentence"]
    assert BRIDGE[sentence["start"] : sentence["end"]] == sentence["text"]
    found = bench.output(
        "question-answering", {"question": "图书馆是哪一年开放的？"}, no_answer_below=0.0
    )
    assert found["document"] == "图书馆"
    assert LIBRARY[found["start"] : found["end"]] == found["answer"]
    assert "1904" in found["answer"]
    none = bench.output("question-answering", {"question": "Привет?"}, no_answer_below=0.0)
    assert (none["document"], none["answer"], none["start"]) == (None, None, None)


def test_a_dialogue_is_answered_from_documents(bench: Bench) -> None:
    def asked(said: str, **options: Any) -> Any:
        return bench.output("chat", {"messages": [{"role": "user", "content": said}]}, **options)

    turn = {"conversation": "conv_handbook"}
    first, then = asked("When was the bridge built?", **turn), asked("图书馆哪一年开放？", **turn)
    for found, name, document in ((first, "bridge", BRIDGE), (then, "图书馆", LIBRARY)):
        [source] = found["sources"]
        assert source["document"] == name
        assert document[source["start"] : source["end"]] == found["message"]["content"]
    assert "1871" in first["message"]["content"] and "1904" in then["message"]["content"]
    assert (first["history"]["messages"], then["history"]["messages"]) == (0, 2)
    assert asked("Привет?")["sources"] == []
    assert asked("When was the bridge built?", corpus=None)["sources"] == []
    with pytest.raises(InvalidInput) as refused:
        asked("Hello", corpus="none")
    assert (refused.value.param, refused.value.code) == ("options.corpus", "corpus_not_found")


def test_a_tenant_is_answered_from_its_own_corpus(bench: Bench) -> None:
    asked = ("question-answering", {"question": "When was the bridge built?"})
    for _ in range(2):
        mine = bench.output(*asked, no_answer_below=0.0)
        theirs = bench.output(*asked, "other", no_answer_below=0.0)
        assert (mine["answer"], theirs["answer"]) == ("1871", "2001")
    own = bench.producer.store.corpora.get("default", "handbook").id
    with pytest.raises(InvalidInput) as refused:
        bench.output(*asked, "other", corpus=own)
    assert (refused.value.param, refused.value.code) == ("options.corpus", "corpus_not_found")


def test_copied_passages_and_near_documents(bench: Bench) -> None:
    text = "As is known, the old bridge over the river was built in 1871 by John Miller. " + LIBRARY
    found = bench.output("similarity", {"text": text}, mode="overlap")
    assert [one["document"] for one in found["documents"]] in (
        ["bridge", "图书馆"],
        ["图书馆", "bridge"],
    )
    assert found["copied_share"] > 0.8
    by_name = {one["document"]: one for one in found["documents"]}
    assert 0.3 < by_name["bridge"]["copied_share"] < found["copied_share"]
    [match] = by_name["bridge"]["copied"]
    assert text[match["text"]["start"] : match["text"]["end"]].startswith("the old bridge")
    assert BRIDGE[match["other"]["start"] : match["other"]["end"]].endswith("John Miller")

    near = bench.output("similarity", {"text": "How do I water tomatoes in my garden?"}, top=1)
    [one] = near["documents"]
    assert one["document"] == "garden" and one["score"] > 0.3
    assert (one["start"], one["end"]) == (0, len(GARDEN))
    nothing = bench.output("similarity", {"text": "Совсем другое"}, mode="overlap")
    assert (nothing["documents"], nothing["copied_share"]) == ([], 0.0)
    assert bench.output("similarity", {"text": "Совсем другое"})["documents"] == []


def test_documents_are_recommended(bench: Bench) -> None:
    history = ["How to water a garden in summer", "What soil do tomatoes want?"]
    found = bench.output("recommendation", {"history": history}, top=1)
    [best] = found["items"]
    assert (best["id"], best["place"]) == ("garden", None)
    assert best["reason"]["text"] in history
    had = bench.output("recommendation", {"history": [GARDEN]})
    assert "garden" not in {one["id"] for one in had["items"]}
    assert bench.output("recommendation", {"history": ["Привет"]})["items"] == []


def test_a_running_worker_sees_changes_and_forgets_what_is_erased(bench: Bench) -> None:
    def documents() -> set[str]:
        found = bench.output("similarity", {"text": "canary birds sing at dawn"}, mode="overlap")
        return {one["document"] for one in found["documents"]}

    assert documents() == set()
    bench.put("default", canary="Every day the canary birds sing at dawn in the yard.")
    assert documents() == {"canary"}
    bench.put("default", canary="Something else altogether.")
    assert documents() == set()
    bench.put("default", canary="The canary birds sing at dawn.")
    assert documents() == {"canary"}
    bench.producer.store.documents.delete("default", "handbook", "canary")
    assert documents() == set()


def test_what_is_wrong_is_told_before_anything_is_queued(bench: Bench) -> None:
    for item, options, param in (
        ({"text": "a"}, {"corpus": "none"}, "options.corpus"),
        ({"text": "a", "other": "b"}, {"corpus": "handbook"}, "input.other"),
        ({"text": "a"}, {}, "input.other"),
        ({"text": "a"}, {"corpus": ""}, "options.corpus"),
    ):
        with pytest.raises(InvalidInput) as refused:
            bench.producer.submit("similarity", item, options=options)
        assert refused.value.param == param
    assert bench.producer.store.jobs.page("nobody") == []


def test_a_corpus_that_is_deleted_meanwhile_fails_the_job(bench: Bench) -> None:
    store = bench.producer.store
    store.corpora.create("default", "short-lived")
    later = store.jobs.get(
        "default",
        bench.producer.submit(
            "similarity", {"text": "a"}, options={"corpus": "short-lived"}, run_at=4_000_000_000.0
        ).id,
    )
    store.corpora.delete("default", "short-lived")
    with store.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET run_after = 0, published_at = NULL WHERE id = ?", (later.id,)
        )
    done = bench.producer.wait(later.id, WAIT)
    assert done.state == JobState.FAILED
    assert done.error is not None and done.error["code"] == "corpus_not_found"


def test_celery_and_files_look_into_corpora_too(bench: Bench, tmp_path: Path) -> None:
    items = [{"question": "When was the bridge built?"}, {"question": "图书馆是哪一年开放的？"}]
    options = {"corpus": "handbook", "no_answer_below": 0.0}
    sent = bench.celery.send_task(
        "lepton.question-answering",
        kwargs={"inputs": items, "options": options},
        queue="question-answering.normal",
    )
    wanted = AsyncResult(sent.id, app=bench.results).get(timeout=WAIT)
    assert [one["document"] for one in wanted] == ["bridge", "图书馆"]

    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [{"input": one} for one in items] + [{"input": {**items[0], "context": "x"}}]
    source.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    plan = make_plan(
        bench.producer.admission,
        256,
        source=source,
        task="question-answering",
        out=out,
        options=orjson.dumps(options).decode(),
    )
    workspace = open_workspace(plan, Mode.NEW)
    with workspace.outputs:
        display = PlainDisplay(lambda line: None)
        BatchRun(workspace, bench.producer, display, threading.Event()).run()
    found = [orjson.loads(line)["output"] for line in out.read_bytes().splitlines()]
    assert found == wanted
    [bad] = [orjson.loads(line) for line in plan.errors.read_bytes().splitlines()]
    assert (bad["line"], bad["error"]["code"]) == (3, "invalid_item")


def test_a_plain_message_that_names_no_corpus_of_ours_fails_with_the_reason(bench: Bench) -> None:
    sent = bench.celery.send_task(
        "lepton.similarity",
        kwargs={"input": {"text": "a"}, "options": {"corpus": "none"}},
        queue="similarity.normal",
    )
    store = bench.producer.store
    eventually(lambda: bool(store.jobs.find("default", [sent.id])))
    done = bench.producer.wait(sent.id, WAIT)
    assert done.error is not None and done.error["code"] == "corpus_not_found"
