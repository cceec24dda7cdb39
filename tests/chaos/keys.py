"""One idempotency key, many posts at once; and an API that dies before it could answer."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from sqlalchemy import func, select

from lepton_tasks.embedded.commands import api_command
from lepton_tasks.launcher.ports import LOOPBACK, free_port
from lepton_tasks.store.tables import JobRow
from tests.chaos.rig import TASK, Rig, Setup, running, until

jobs = JobRow.__table__  # type: ignore[attr-defined]

_TENANT: Final = "acme"
_PUBLISH_SECONDS: Final = 10.0
_TRIES: Final = 6


class ApiProcess:
    """The API as a process of its own, that may be killed and started again."""

    def __init__(self, rig: Rig, publish_seconds: float) -> None:
        self._rig = rig
        self.port = free_port()
        self._environment = {
            **os.environ,
            **rig.settings.environment(),
            "LEPTON_PUBLISH_TIMEOUT": str(publish_seconds),
        }
        self._log = rig.folder / "api.log"
        key = rig.store.keys.create(_TENANT, "chaos")
        self.headers = {"authorization": f"Bearer {key}"}
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                api_command(self.port, LOOPBACK),
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, "the API did not start", self._log.read_text)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def client(self, connections: int = 1) -> httpx.Client:
        """A client with the key of its tenant."""
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        return httpx.Client(
            base_url=f"http://{LOOPBACK}:{self.port}",
            headers=self.headers,
            timeout=90.0,
            limits=limits,
            trust_env=False,
        )

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(
                f"http://{LOOPBACK}:{self.port}/healthz", timeout=5.0, trust_env=False
            ).is_success
        return False


@contextmanager
def api(
    database_url: str, folder: Path, publish_seconds: float
) -> Iterator[tuple[Rig, ApiProcess]]:
    """An API and no worker: what is looked at is what it stores."""
    with running(database_url, folder, Setup(), start=False) as rig:
        process = ApiProcess(rig, publish_seconds)
        try:
            yield rig, process
        finally:
            process.kill()


def same_key(database_url: str, folder: Path, keys: int, posts: int) -> dict[str, int]:
    """Post each key ``posts`` times at once, then once with another body; count what is wrong."""
    wrong: Counter[str] = Counter()
    with (
        api(database_url, folder, 0.25) as (rig, process),
        process.client(posts) as client,
        ThreadPoolExecutor(posts) as pool,
    ):
        for number in range(keys):
            key = f"same-{number}"
            post = partial(_insist, client, key, "answer")
            answers = list(pool.map(lambda _, post=post: post(), range(posts)))
            ids = {body["id"] for status, body in answers if status < 300}
            wrong["refused posts"] += sum(status >= 300 for status, _ in answers)
            wrong["answers that name another job"] += len(ids) - 1
            wrong["keys with two jobs"] += _count(rig, key) - 1
            status, _ = _insist(client, key, "answer 别的")
            wrong["changed bodies that were not refused by 422"] += status != 422
    return {name: count for name, count in wrong.items() if count}


def killed_after_commit(database_url: str, folder: Path, times: int) -> tuple[dict[str, int], int]:
    """Kill the API when it has committed and not yet answered; ask again with the same key.

    Redis is silent then, and the API waits for it: most often after its commit, and it is
    tried again where it was before. Returns what was wrong, and how many posts had no answer.
    """
    wrong: Counter[str] = Counter()
    unanswered = 0
    with api(database_url, folder, _PUBLISH_SECONDS) as (rig, process):
        for number in range(_TRIES * times):
            if unanswered == times:
                break
            key = f"killed-{number}"
            with process.client() as client:
                got = _post_and_kill(rig, process, client, key)
            unanswered += not got
            process.start()
            with process.client() as client:
                status, body = _post(client, key, "answer")
            wrong["refused posts"] += status >= 300
            wrong["keys with two jobs"] += _count(rig, key) - 1
            wrong["another id than the stored one"] += _stored(rig, key) != body.get("id")
    return {name: count for name, count in wrong.items() if count}, unanswered


def _post_and_kill(
    rig: Rig, process: ApiProcess, client: httpx.Client, key: str
) -> list[tuple[int, Any]]:
    got: list[tuple[int, Any]] = []

    def post() -> None:
        with suppress(httpx.TransportError):
            got.append(_post(client, key, "answer"))

    server = psutil.Process(rig.redis.pid())
    posting = threading.Thread(target=post)
    # The API asks for a queue's length before a commit, unless it has done so within a second.
    _post(client, f"before-{key}", "answer")
    server.suspend()
    try:
        posting.start()
        until(lambda: _count(rig, key) == 1, "the job was never stored")
        process.kill()
        posting.join()
    finally:
        server.resume()
    return got


def _post(client: httpx.Client, key: str, verb: str) -> tuple[int, Any]:
    answer = client.post(
        "/v1/jobs",
        json={"task": TASK, "input": f"{key} {verb}"},
        headers={"idempotency-key": key},
    )
    return answer.status_code, answer.json()


def _insist(client: httpx.Client, key: str, verb: str) -> tuple[int, Any]:
    """Post until there is an answer: a connection that idled may be closed as it is used."""
    for _ in range(_TRIES):
        with suppress(httpx.TransportError):
            return _post(client, key, verb)
    return _post(client, key, verb)


def _count(rig: Rig, key: str) -> int:
    with rig.store.database.read() as connection:
        query = select(func.count()).where(jobs.c.idempotency_key == key)
        return int(connection.execute(query).scalar_one())


def _stored(rig: Rig, key: str) -> str | None:
    with rig.store.database.read() as connection:
        return connection.execute(
            select(jobs.c.id).where(jobs.c.idempotency_key == key)
        ).scalar_one_or_none()
