"""A real server whose worker is the test: a lease is there, jobs wait until they are finished."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
import pytest
import redis
import uvicorn

from api.app import create_app
from lepton_tasks.broker.chunks import Chunk
from lepton_tasks.broker.streams import channel, publish
from lepton_tasks.broker.wakeups import announce
from lepton_tasks.jobs import ClaimedJob, FinishedJob, Job
from lepton_tasks.nlp.moderation import Moderation, ModerationOptions
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store, open_store
from tests.support.sending import PATIENCE_SECONDS
from tests.support.serving import serving

T = TypeVar("T")


def asked_of(text: str) -> bytes:
    """Body of a request for a moderation."""
    return orjson.dumps({"input": text})


class Desk:
    """A client of the server, and the worker's side of its store."""

    def __init__(self, url: str, store: Store, client: redis.Redis) -> None:
        self.url = url
        self.store = store
        self.key = store.keys.create("acme", "test")
        self._redis = client

    def post(self, text: str, *, sent: int = 0) -> httpx.Response:
        """Ask for a moderation, for the first time or once more."""
        return httpx.post(
            f"{self.url}/v1/moderations",
            content=asked_of(text),
            headers=self.headers(sent),
            timeout=60,
        )

    @contextmanager
    def asking(self, body: bytes, path: str) -> Iterator[tuple[socket.socket, str]]:
        """Send a request and hang up at the end of the block; gives the link and the job's id."""
        before = {job.id for job in self.store.jobs.page("acme")}
        head = [f"POST {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in self.headers(0).items()]
        host, _, port = self.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as link:
            link.sendall("\r\n".join([*head, "", ""]).encode() + body)
            yield link, self.until(lambda: self._newest(before))

    def job(self, state: JobState) -> Job:
        """The newest job in that state, once there is one."""
        return self.until(lambda: next(iter(self.store.jobs.page("acme", state=state)), None))

    def until(self, found: Callable[[], T | None]) -> T:
        """What is found, once it is."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (value := found()) is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        return value

    def sendings(self) -> list[int]:
        """Which sending of each remembered request was the last."""
        keys: list[Any] = self._redis.keys("lepton:openai:*")
        values: list[Any] = self._redis.mget(keys) if keys else []
        return sorted(int(value.split(b"\n")[0]) for value in values if value)

    def _newest(self, before: Container[str]) -> str | None:
        fresh = (job.id for job in self.store.jobs.page("acme") if job.id not in before)
        return next(fresh, None)

    def headers(self, sent: int) -> dict[str, str]:
        """Headers of a request that was sent so often before."""
        return {
            "authorization": f"Bearer {self.key}",
            "content-type": "application/json",
            "x-stainless-retry-count": str(sent),
        }

    def finish(self, job_id: str, error: str | None = None) -> None:
        """Do a job as a worker does, with nothing found; or fail it with an error's code."""
        [claimed] = self.store.claims.claim("w1", [job_id])
        task = Moderation()
        outputs = [
            task.decode({}, task.encode(text, ModerationOptions()), ModerationOptions())
            for text in claimed.payload.inputs
        ]
        result = {
            "model": {"name": "none", "revision": "r1"},
            "outputs": [output.model_dump() for output in outputs],
        }
        failed = None if error is None else orjson.dumps({"code": error, "message": "no"}).decode()
        done = FinishedJob(claimed, None if error else orjson.dumps(result).decode(), failed)
        assert self.store.claims.finish([done]) == {job_id}
        announce(self._redis, [job_id])


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=tmp_path / "home", redis_url=redis_url)


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    store = open_store(settings)
    store.leases.register("w1", "w1@test", ["moderation"], 600)
    with (
        redis.Redis.from_url(settings.redis_url) as client,
        serving(uvicorn.Config(create_app(settings), log_config=None)) as url,
    ):
        yield Desk(url, store, client)
    store.close()


class Writer:
    """The worker's side of one job that streams."""

    def __init__(self, desk: Desk, client: redis.Redis) -> None:
        self._desk = desk
        self._redis = client
        self.claim: ClaimedJob

    def begin(self) -> None:
        [self.claim] = self._desk.store.claims.claim("w1", [self._desk.job(JobState.QUEUED).id])

    def say(self, index: int, text: str, fence: int = 1) -> None:
        publish(self._redis, [(channel(self.claim.id), Chunk(fence, index, text))])

    def end(self, result: dict[str, Any] | None, error: dict[str, str] | None = None) -> None:
        stored = {"model": {"name": "m", "revision": "r"}, "outputs": [result]}
        done = FinishedJob(
            self.claim,
            None if result is None else orjson.dumps(stored).decode(),
            None if error is None else orjson.dumps(error).decode(),
        )
        assert self._desk.store.claims.finish([done])
        announce(self._redis, [self.claim.id])


@pytest.fixture
def writer(desk: Desk, settings: Settings) -> Iterator[Writer]:
    with redis.Redis.from_url(settings.redis_url) as client:
        yield Writer(desk, client)
