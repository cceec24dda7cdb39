"""``make demo``: the main job end to end on the embedded default, checked as it goes."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from standardwebhooks import Webhook, WebhookVerificationError

from lepton_tasks.embedded.commands import lepton_command
from lepton_tasks.embedded.system import Ports, System, embedded_system
from lepton_tasks.errors import LeptonError
from lepton_tasks.launcher.ports import LOOPBACK, free_port
from lepton_tasks.launcher.signals import interrupt_on_signals
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import open_store

SAMPLE = Path(__file__).with_name("comments.jsonl")
OUT = Path("demo-out")
_WEBHOOK_SECONDS = 30.0


class DemoFailed(LeptonError):
    """A step of the demonstration did not do what it should."""

    code = "demo_failed"


def main() -> None:
    """Run the demonstration; exit 1 when anything is missing."""
    console = Console(stderr=True)
    began = time.monotonic()
    try:
        with interrupt_on_signals():
            run(console)
    except LeptonError as error:
        console.print(f"demo failed: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(130)
    console.print(f"done in {time.monotonic() - began:.1f} s; nothing is left running")


def run(console: Console) -> None:
    """Start everything, moderate the sample, verify the webhook, account for every line."""
    results, errors = OUT / "results.jsonl", OUT / "errors.jsonl"
    OUT.mkdir(exist_ok=True)
    console.rule("1. start the system: Redis, worker, io worker, API, Flower")
    settings = Settings(home=OUT.absolute() / "home")
    _upgrade(settings)
    with embedded_system(settings, console.print, Ports(free_port(), free_port())) as system:
        console.print(f"API {system.api_url}, Flower {system.flower_url} ({system.flower_login})")
        console.rule("2. one comment over HTTP")
        _ask(console, system)
        console.rule(f"3. moderate {SAMPLE.name}, with a webhook for the end")
        with _receiver(_secret(system)) as (url, events):
            _moderate(system, url, results, errors)
            console.rule("4. the webhook")
            _expect(console, events)
    console.rule("5. every line accounted for")
    lines, good, bad = (_count(path) for path in (SAMPLE, results, errors))
    console.print(f"{lines} lines in, {good} results, {bad} errors")
    if good + bad != lines:
        raise DemoFailed(f"{lines - good - bad} lines are missing")
    console.print(f"results: {results.absolute()}\nerrors:  {errors.absolute()}")


def _upgrade(settings: Settings) -> None:
    """Bring along the database of a demonstration that an earlier release made here."""
    database = Database(settings.store_url)
    try:
        upgrade_schema(database)
    finally:
        database.close()


def _ask(console: Console, system: System) -> None:
    store = open_store(system.settings)
    try:
        key = store.keys.create(system.settings.default_tenant, "demo")
    finally:
        store.close()
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(
        base_url=system.api_url or "", headers=headers, timeout=70, trust_env=False
    ) as client:
        body = {"task": "moderation", "input": "这家店的服务真好，下次还来！"}
        created = client.post("/v1/jobs", json=body).raise_for_status().json()
        job = client.get(f"/v1/jobs/{created['id']}?wait=60").raise_for_status().json()
    if job["state"] != "succeeded":
        raise DemoFailed(f"the job is {job['state']}")
    output = job["output"]
    console.print(f"{job['id']}: flagged {output['flagged']}, language {output['language']}")


def _moderate(system: System, webhook: str, results: Path, errors: Path) -> None:
    command = lepton_command(
        *("batch", "run", str(SAMPLE), "--task", "moderation", "-o", str(results)),
        *("--errors", str(errors), "--webhook", webhook, "--overwrite"),
    )
    environment = {**os.environ, **system.settings.environment()}
    code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        raise DemoFailed(f"`lepton batch run` ended with exit code {code}")


def _expect(console: Console, events: queue.Queue[dict[str, Any] | str]) -> None:
    try:
        event = events.get(timeout=_WEBHOOK_SECONDS)
    except queue.Empty:
        raise DemoFailed(f"no webhook came in {_WEBHOOK_SECONDS:g} s") from None
    if isinstance(event, str):
        raise DemoFailed(f"the webhook does not verify: {event}")
    counts = event["data"]["request_counts"]
    console.print(f"received and verified {event['type']} {event['id']}: {counts}")


def _secret(system: System) -> str:
    store = open_store(system.settings)
    try:
        return store.keys.webhook_secret(system.settings.default_tenant)
    finally:
        store.close()


@contextmanager
def _receiver(secret: str) -> Iterator[tuple[str, queue.Queue[dict[str, Any] | str]]]:
    """Receive webhooks on loopback, each verified with the Standard Webhooks library."""
    events: queue.Queue[dict[str, Any] | str] = queue.Queue()
    verifier = Webhook(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                verifier.verify(body, dict(self.headers.items()))
                events.put(json.loads(body))
                self.send_response(204)
            except WebhookVerificationError as error:
                events.put(str(error))
                self.send_response(400)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet; the demo prints what matters."""

    server = HTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/", events
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _count(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


if __name__ == "__main__":
    main()
