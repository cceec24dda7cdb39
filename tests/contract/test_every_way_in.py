"""One worker for all interactive tasks: each task's examples by Celery, by HTTP and in a file."""

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
from fastapi.testclient import TestClient

from api.app import create_app
from lepton_tasks.bulk.plan import make_plan
from lepton_tasks.bulk.progress import PlainDisplay
from lepton_tasks.bulk.run import BatchRun
from lepton_tasks.bulk.workspace import Mode, open_workspace
from lepton_tasks.celery.app import make_app
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.nlp.registry import AnyTask, interactive_tasks
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from tests.support.examples import assert_close, by_options
from tests.support.worker import WorkerProcess

TASKS = interactive_tasks()
WAIT = 120.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What the ways in go through; all of them lead to the same worker."""

    settings: Settings
    producer: Producer
    celery: Celery
    results: Celery
    http: TestClient
    headers: dict[str, str]


@pytest.fixture(scope="module")
def bench(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("ways")
    # A database of its own: the fixture `redis_url` empties the first one.
    settings = Settings(home=folder, redis_url=redis_server.url[:-1] + "9", lease_seconds=5.0)
    store = open_store(settings)
    worker = WorkerProcess(settings, store, folder / "worker.log", tasks=list(TASKS))
    with (
        worker,
        Producer(settings, store) as producer,
        TestClient(create_app(settings), base_url="http://test") as http,
    ):
        yield Bench(
            settings,
            producer,
            Celery(broker=settings.redis_url, set_as_current=False),
            make_app(settings, list(TASKS)),
            http,
            {"authorization": f"Bearer {store.keys.create('default', 'test')}"},
        )
    store.close()


def by_celery(bench: Bench, task: AnyTask, inputs: list[Any], options: dict[str, Any]) -> Any:
    sent = bench.celery.send_task(
        f"lepton.{task.name}",
        kwargs={"inputs": inputs, "options": options},
        queue=f"{task.name}.normal",
    )
    return AsyncResult(sent.id, app=bench.results).get(timeout=WAIT)


def by_http(bench: Bench, task: AnyTask, inputs: list[Any], options: dict[str, Any]) -> Any:
    body = {"task": task.name, "inputs": inputs, "options": options, "priority": "high"}
    taken = bench.http.post("/v1/jobs", json=body, headers=bench.headers)
    assert taken.status_code == 202, taken.text
    url = f"/v1/jobs/{taken.json()['id']}?wait=60"
    job: dict[str, Any] = {}
    for _ in range(int(WAIT // 60)):
        job = bench.http.get(url, headers=bench.headers).json()
        if job["state"] not in ("queued", "running"):
            break
    assert job["state"] == "succeeded", job
    assert job["model"]["name"] and job["model"]["revision"]
    return job["outputs"]


def by_file(
    bench: Bench, task: AnyTask, inputs: list[Any], options: dict[str, Any], folder: Path
) -> Any:
    source, out = folder / "in.jsonl", folder / "out.jsonl"
    name = "text" if task.item_model is None else "input"
    source.write_bytes(b"".join(orjson.dumps({name: one}) + b"\n" for one in inputs))
    plan = make_plan(
        bench.producer.admission,
        256,
        source=source,
        task=task.name,
        out=out,
        options=orjson.dumps(options).decode(),
    )
    workspace = open_workspace(plan, Mode.NEW)
    with workspace.outputs:
        display = PlainDisplay(lambda line: None)
        BatchRun(workspace, bench.producer, display, threading.Event()).run()
    assert plan.errors.read_bytes() == b""
    return [orjson.loads(line)["output"] for line in out.read_bytes().splitlines()]


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_way_in_gives_the_same_answers(bench: Bench, task: AnyTask, tmp_path: Path) -> None:
    groups = by_options(task.examples)
    for options, inputs in groups:
        wanted = by_celery(bench, task, inputs, options)
        assert len(wanted) == len(inputs)
        for one in wanted:
            task.output_model.model_validate_json(orjson.dumps(one))
        assert_close(by_http(bench, task, inputs, options), wanted)
    options, inputs = max(groups, key=lambda group: len(group[1]))
    wanted = by_celery(bench, task, inputs, options)
    assert_close(by_file(bench, task, inputs, options, tmp_path), wanted)


def test_a_conversation_is_remembered_and_erased(bench: Bench) -> None:
    options = {"conversation": "conv_ways"}
    found = []
    for said in ("推荐一个景点吧", "门票多少钱？", "谢谢"):
        item = {"messages": [{"role": "user", "content": said}]}
        submitted = bench.producer.submit("chat", item, options=options)
        found.append(bench.producer.wait(submitted.id, WAIT).output())
    assert [one["history"]["messages"] for one in found] == [0, 2, 4]
    url = "/v1/conversations/conv_ways"
    read = bench.http.get(url, headers=bench.headers).json()
    shown = [turn["messages"][-1]["content"] for turn in read["messages"]["data"]]
    assert shown == [one["message"]["content"] for one in found]
    assert bench.http.delete(url, headers=bench.headers).status_code == 200
    assert bench.http.get(url, headers=bench.headers).status_code == 404


def test_a_plain_celery_message_is_no_turn(bench: Bench) -> None:
    sent = bench.celery.send_task(
        "lepton.chat",
        kwargs={
            "input": {"messages": [{"role": "user", "content": "你好"}]},
            "options": {"conversation": "conv_celery"},
        },
        queue="chat.normal",
    )
    with pytest.raises(Exception, match="can be no turn of a conversation"):
        AsyncResult(sent.id, app=bench.results).get(timeout=WAIT)
    assert bench.producer.conversations.page("default") == []
