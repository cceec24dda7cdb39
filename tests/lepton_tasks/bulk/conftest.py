from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.bulk.plan import Plan, make_plan
from lepton_tasks.bulk.progress import Standing
from lepton_tasks.bulk.run import BatchRun
from lepton_tasks.bulk.summary import Summary
from lepton_tasks.bulk.workspace import Mode, open_workspace
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.producer import Producer
from lepton_tasks.requests import Admission
from lepton_tasks.settings import Settings

MakePlan = Callable[..., Plan]


@pytest.fixture
def plan_for(tmp_path: Path) -> MakePlan:
    """Make a plan over rows or bytes, with outputs in the test's folder."""

    def make(content: bytes | list[Any], name: str = "in.jsonl", **more: Any) -> Plan:
        source = tmp_path / name
        if isinstance(content, list):
            content = b"".join(orjson.dumps(row) + b"\n" for row in content)
        source.write_bytes(content)
        fields = {"source": source, "task": "moderation", "out": tmp_path / "out.jsonl", **more}
        return make_plan(Admission(find_tasks(), 256), 256, **fields)

    return make


@dataclass
class Notes:
    """A display that remembers."""

    standings: list[Standing] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    on_show: Callable[[Standing], None] = lambda standing: None

    def show(self, standing: Standing) -> None:
        self.standings.append(standing)
        self.on_show(standing)

    def note(self, line: str) -> None:
        self.lines.append(line)


class Bench:
    """Runs plans against one real store and one real Redis."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.producer = Producer(settings)
        self.store = self.producer.store
        self.notes = Notes()

    def bounded(self, most: int, clock: Callable[[], float]) -> Callable[[], float]:
        """From now on a tenant may have ``most`` jobs waiting; returns the clock that counts."""
        settings = self.settings.model_copy(update={"tenant_backlog": most})
        self.producer.close()
        self.producer = Producer(settings, self.store)
        bound = self.producer._gate._bound
        assert bound is not None
        bound._clock = clock
        return clock

    def run(
        self, plan: Plan, mode: Mode = Mode.NEW, stop: threading.Event | None = None, **more: Any
    ) -> Summary:
        workspace = open_workspace(plan, mode)
        with workspace.outputs:
            stop = stop or threading.Event()
            return BatchRun(workspace, self.producer, self.notes, stop, **more).run()


@pytest.fixture
def bench(settings: Settings, redis_url: str) -> Iterator[Bench]:
    bench = Bench(settings.model_copy(update={"redis_url": redis_url}))
    yield bench
    bench.producer.close()
    bench.store.close()


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The lines of an output file, all of which must be whole."""
    data = path.read_bytes()
    assert data.endswith(b"\n") or not data
    return [orjson.loads(line) for line in data.splitlines()]
