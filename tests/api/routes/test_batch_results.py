"""Results of a batch over HTTP while it runs: pages, events, and going on where one was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

import api.services
from api.app import create_app
from api.result_watch import ResultWatch
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from tests.support.api import error_of
from tests.support.batch_files import TENANT, WrittenBatch, lines_of
from tests.support.serving import serving


@dataclass(frozen=True)
class Results:
    """A server, its client, and the folder that runners write to."""

    client: httpx.Client
    store: Store
    storage: FileStorage
    other_key: str

    def batch(self) -> WrittenBatch:
        return WrittenBatch(self.store, self.storage)

    def page(self, batch: WrittenBatch, **query: Any) -> dict[str, Any]:
        answer = self.client.get(f"/v1/batches/{batch.id}/results", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @contextmanager
    def events(self, batch: WrittenBatch, **headers: str) -> Iterator[Iterator[dict[str, str]]]:
        """The events of a stream, comments left out."""
        with self.client.stream(
            "GET",
            f"/v1/batches/{batch.id}/results",
            headers={"accept": "text/event-stream"} | headers,
        ) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in lines:
        if line.startswith((":", "retry:")):
            continue
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield event
            event = {}


@pytest.fixture(scope="module")
def results(
    redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Results]:
    home = tmp_path_factory.mktemp("results")
    settings = Settings(home=home, redis_url=redis_server.url[:-1] + "9")
    store = open_store(settings)
    key, other = (store.keys.create(tenant, "test") for tenant in (TENANT, "other"))
    headers = {"authorization": f"Bearer {key}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.services, "ResultWatch", partial(ResultWatch, poll_seconds=0.05))
        with (
            serving(uvicorn.Config(create_app(settings), log_config=None)) as url,
            httpx.Client(base_url=url, headers=headers, timeout=60) as client,
        ):
            yield Results(client, store, FileStorage(settings.files), other)
    store.close()


def test_pages_hold_what_is_final_so_far(results: Results) -> None:
    batch = results.batch()
    empty = results.page(batch)
    assert empty == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
        "next": "0",
        "status": "in_progress",
    }
    batch.write(lines_of("a", "茶"), lines_of("坏"))
    first = results.page(batch, limit=1)
    [line] = first["data"]
    cursor = line.pop("cursor")
    assert line == {"id": "batch_req_a", "custom_id": "a", "error": None}
    assert cursor == first["first_id"] == first["last_id"] == first["next"]
    assert first["has_more"]
    second = results.page(batch, after=cursor)
    assert ([one["custom_id"] for one in second["data"]], second["has_more"]) == (["茶"], False)
    assert results.page(batch, after=second["next"])["next"] == second["next"]
    [wrong] = results.page(batch, file="errors")["data"]
    assert wrong["custom_id"] == "坏"
    batch.end()
    assert results.page(batch, limit=1) == first | {
        "status": "completed",
        "data": [line | {"cursor": cursor}],
    }
    assert results.page(batch, after=second["next"])["status"] == "completed"


def test_what_is_wrong_is_said(results: Results) -> None:
    batch = results.batch()
    batch.write(lines_of("a"))
    url = f"/v1/batches/{batch.id}/results"
    for query, param in (
        ("after=3", "after"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("file=input", "file"),
    ):
        assert error_of(results.client.get(f"{url}?{query}"), 400)["param"] == param
    stream = {"accept": "text/event-stream", "last-event-id": "3"}
    assert error_of(results.client.get(url, headers=stream), 400)["param"] == "Last-Event-ID"
    other = {"authorization": f"Bearer {results.other_key}"}
    assert error_of(results.client.get(url, headers=other), 404)["code"] == "not_found"
    output, _ = batch.end()
    assert output is not None
    results.store.files.delete(TENANT, output)
    assert error_of(results.client.get(url), 410)["code"] == "deleted"
    command = new_id("batch")
    results.store.batches.create(TENANT, command, "moderation", Priority.BULK, "a.jsonl")
    missing = results.client.get(f"/v1/batches/{command}/results")
    assert error_of(missing, 404)["code"] == "not_found"


def test_events_come_while_lines_are_written_and_end_with_done(results: Results) -> None:
    batch = results.batch()
    batch.write(lines_of("a"))
    got: list[dict[str, str]] = []
    with results.events(batch) as events:
        got.append(next(events))
        batch.write(lines_of("茶", "b"))
        got += [next(events), next(events)]
        batch.write(lines_of("c"))
        output, _ = batch.end()
        got += list(events)
    *lines, done = got
    assert output is not None
    whole = results.client.get(f"/v1/files/{output}/content").content
    assert b"".join(event["data"].encode() + b"\n" for event in lines) == whole
    for event in lines:
        assert whole[: int(event["id"])].endswith(event["data"].encode() + b"\n")
    assert (done["event"], done["id"]) == ("done", str(len(whole)))
    assert orjson.loads(done["data"]) == {
        "batch_id": batch.id,
        "status": "completed",
        "cursor": str(len(whole)),
    }
    with results.events(batch, **{"last-event-id": lines[1]["id"]}) as events:
        assert list(events) == got[2:]


def test_a_stream_that_was_left_is_resumed(results: Results) -> None:
    batch = results.batch()
    batch.write(lines_of("a", "b"))
    with results.events(batch) as events:
        first = next(events)
    batch.write(lines_of("c"))
    batch.end()
    with results.events(batch, **{"last-event-id": first["id"]}) as events:
        names = [orjson.loads(event["data"]).get("custom_id") for event in events]
    assert names == ["b", "c", None]
