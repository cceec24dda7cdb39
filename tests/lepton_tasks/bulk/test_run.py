"""Runs over real stores and a real Redis: order, accounts, interruption, crashes, cancelling."""

from __future__ import annotations

import gzip
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from lepton_tasks.bulk import feeder, run
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.journal import Journal
from lepton_tasks.bulk.outputs import Outputs
from lepton_tasks.bulk.plan import Plan
from lepton_tasks.bulk.progress import Standing
from lepton_tasks.bulk.summary import Ending, Summary
from lepton_tasks.bulk.workspace import Mode, Workspace
from lepton_tasks.errors import InvalidInput
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import BatchState
from lepton_tasks.store.batches import BatchStore
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from tests.lepton_tasks.bulk.conftest import Bench, MakePlan, rows_of
from tests.support.shard_worker import ShardWorker, jobs, judge

TENANT = "default"


@pytest.fixture
def worker(bench: Bench) -> Iterator[ShardWorker]:
    with ShardWorker(bench.settings.store_url, bench.settings.redis_url) as worker:
        yield worker


def mixed_rows(count: int) -> list[Any]:
    """Rows of all kinds: with id and without, in both languages, bad ones, failing ones."""
    kinds: list[Callable[[int], Any]] = [
        lambda n: f"a fine comment {n}",
        lambda n: {"id": n, "text": f"好评第 {n} 条"},
        lambda n: {"id": f"c-{n}", "text": f"a bad comment {n}"},
        lambda n: n,
        lambda n: f"crash {n}",
        lambda n: {"id": n, "text": f"坏 {n}", "extra": [1]},
        lambda n: {"id": f"e-{n}", "text": " "},
    ]
    return [kinds[number % len(kinds)](number) for number in range(1, count + 1)]


def check_accounts(plan: Plan, rows: list[Any], summary: Summary) -> None:
    """Every row is in exactly one file, in order, with its own output."""
    results, problems = rows_of(plan.out), rows_of(plan.errors)
    wanted: list[dict[str, Any]] = []
    bad: list[tuple[int, Any, str]] = []
    for number, row in enumerate(rows, 1):
        row_id = row.get("id") if isinstance(row, dict) else None
        text = row.get("text") if isinstance(row, dict) else row
        if not isinstance(text, str):
            bad.append((number, None, "invalid_type"))
        elif not text.strip():
            bad.append((number, row_id, "empty_text"))
        elif "crash" in text:
            bad.append((number, row_id, "model_error"))
        else:
            wanted.append({"id": row_id, "line": number, "output": judge(text)})
    assert results == wanted
    assert [(one["line"], one["id"], one["error"]["code"]) for one in problems] == bad
    assert (summary.tally.lines, summary.tally.ok, summary.tally.errors) == (
        len(rows),
        len(wanted),
        len(bad),
    )
    assert not plan.journal.exists()


@pytest.fixture
def any_bench(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Bench]:
    database = Database(database_url)
    upgrade_schema(database)
    database.close()
    settings = Settings(home=tmp_path, database_url=database_url, redis_url=redis_url)
    bench = Bench(settings)
    yield bench
    bench.producer.close()
    bench.store.close()


def test_every_line_comes_out_once_and_in_order(any_bench: Bench, plan_for: MakePlan) -> None:
    rows = mixed_rows(301)
    plan = plan_for(rows, shard_size=5, webhook="http://hooks.test/done")
    with ShardWorker(any_bench.settings.store_url, any_bench.settings.redis_url):
        summary = any_bench.run(plan, window=60)
    check_accounts(plan, rows, summary)
    assert summary.ending is Ending.COMPLETED

    assert summary.tally.languages == {"en": 86, "zh": 86}
    assert summary.tally.categories == {"toxicity": 86}
    assert summary.tally.flagged_share == 0.5
    assert summary.tally.error_codes == {"invalid_type": 43, "empty_text": 43, "model_error": 43}

    batch = any_bench.store.batches.get(TENANT, summary.batch_id)
    assert (batch.state, batch.total_items) == (BatchState.COMPLETED, 301)
    assert (batch.done_items, batch.failed_items) == (301, 129)
    [delivery] = any_bench.store.deliveries.claim_due(10, 30)
    assert delivery.event_type == "batch.completed"


def test_the_window_bounds_what_is_queued(bench: Bench, plan_for: MakePlan) -> None:
    stop = threading.Event()
    bench.notes.on_show = lambda standing: stop.set()
    plan = plan_for(["fine"] * 500, shard_size=5)
    bench.run(plan, stop=stop, window=100)
    with bench.store.database.read() as connection:
        assert connection.execute(select(func.sum(jobs.c["items"]))).scalar() == 100


def test_a_file_without_lines_completes(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(b"\n\n")
    summary = bench.run(plan)
    check_accounts(plan, [], summary)
    assert bench.store.batches.get(TENANT, summary.batch_id).state is BatchState.COMPLETED


def test_a_file_of_bad_lines_needs_no_worker(bench: Bench, plan_for: MakePlan) -> None:
    rows = list(range(1, 301))
    plan = plan_for(rows)
    check_accounts(plan, rows, bench.run(plan, window=50))


@pytest.mark.usefixtures("worker")
def test_a_broken_end_is_told(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(gzip.compress(b'"fine"\n' * 10)[:-4], name="in.jsonl.gz")
    summary = bench.run(plan)
    assert summary.ending is Ending.INCOMPLETE
    assert len(rows_of(plan.out)) == 10
    [problem] = rows_of(plan.errors)
    assert (problem["line"], problem["error"]["code"]) == (11, "broken_gzip")
    assert bench.store.batches.get(TENANT, summary.batch_id).total_items == 11


def test_stopping_keeps_what_is_done_and_resuming_goes_on(bench: Bench, plan_for: MakePlan) -> None:
    rows = mixed_rows(400)
    plan = plan_for(rows, shard_size=4)
    stop = threading.Event()

    def stop_later(standing: Standing) -> None:
        if standing.lines >= 100:
            stop.set()

    bench.notes.on_show = stop_later
    with ShardWorker(bench.settings.store_url, bench.settings.redis_url):
        first = bench.run(plan, stop=stop, window=40)
        assert first.ending is Ending.INTERRUPTED
        done = len(rows_of(plan.out)) + len(rows_of(plan.errors))
        assert 100 <= done == first.tally.lines < 400

        bench.notes.on_show = lambda standing: None
        second = bench.run(plan, Mode.RESUME)
    assert (second.batch_id, second.ending) == (first.batch_id, Ending.COMPLETED)
    assert second.seconds > first.seconds
    check_accounts(plan, rows, second)
    assert bench.notes.standings[-1].fresh_lines == 400 - done


class Killed(BaseException):
    """Ends a run where it stands; no ``except`` of the run may catch it."""


class Fuse:
    """Raises Killed when the steps it is put around have been passed ``left`` times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        for owner, name in (
            (Journal, "save"),
            (Outputs, "write"),
            (Outputs, "sync"),
            (Producer, "put"),
            (BatchStore, "create"),
            (BatchStore, "seal"),
            (Workspace, "finish"),
        ):
            monkeypatch.setattr(owner, name, self._around(getattr(owner, name)))

    def _around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            self._burn()
            result = step(*arguments, **named)
            self._burn()
            return result

        return wrapped

    def _burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.mark.usefixtures("worker")
def test_a_crash_at_any_step_loses_and_repeats_nothing(
    bench: Bench, plan_for: MakePlan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = mixed_rows(15)
    fuse = Fuse(monkeypatch)
    crashes = 0
    while True:
        plan = plan_for(rows, shard_size=3, out=tmp_path / f"out{crashes}.jsonl")
        fuse.left = crashes + 1
        try:
            bench.run(plan, window=8, checkpoint_seconds=0.0)
        except Killed:
            crashes += 1
        else:
            break
        fuse.left = 0
        if not plan.journal.exists():
            # Killed before the first or after the last thing that it does.
            mode = Mode.OVERWRITE if not rows_of(plan.out) else None
        else:
            mode = Mode.RESUME
        if mode is None:
            assert len(rows_of(plan.out)) + len(rows_of(plan.errors)) == 15
            continue
        summary = bench.run(plan, mode, window=8, checkpoint_seconds=0.0)
        check_accounts(plan, rows, summary)
        batch = bench.store.batches.get(TENANT, summary.batch_id)
        assert (batch.state, batch.done_items) == (BatchState.COMPLETED, 15)
        with bench.store.database.read() as connection:
            ordinals = connection.execute(
                select(jobs.c.ordinal).where(jobs.c.batch_id == summary.batch_id)
            ).scalars()
            assert sorted(ordinals) == list(range(5))
    assert crashes > 30


def _as_parquet(rows: list[Any]) -> bytes:
    file = io.BytesIO()
    columns = {"id": [row["id"] for row in rows], "text": [row["text"] for row in rows]}
    pq.write_table(pa.table(columns), file, row_group_size=32)
    return file.getvalue()


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("parquet", [False, True])
def test_a_crash_of_every_session_still_gets_there(
    bench: Bench, plan_for: MakePlan, monkeypatch: pytest.MonkeyPatch, parquet: bool
) -> None:
    rows = mixed_rows(80)
    if parquet:
        rows = [row for row in mixed_rows(180) if isinstance(row, dict)][:80]
        rows = [{**row, "id": str(row["id"])} for row in rows]
        more = {"name": "in.parquet", "text_column": "text", "id_column": "id"}
        plan = plan_for(_as_parquet(rows), shard_size=3, **more)
    else:
        plan = plan_for(rows, shard_size=3)
    fuse = Fuse(monkeypatch)
    mode, sessions = Mode.NEW, 0
    while True:
        sessions += 1
        fuse.left = 20 + sessions % 7
        try:
            summary = bench.run(plan, mode, window=12, checkpoint_seconds=0.0)
        except Killed:
            mode = Mode.RESUME
        else:
            break
    check_accounts(plan, rows, summary)
    assert sessions > 3


@pytest.mark.usefixtures("worker")
def test_what_was_torn_off_behind_the_journal_is_written_again(
    bench: Bench, plan_for: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = mixed_rows(60)
    plan = plan_for(rows, shard_size=4)
    Fuse(monkeypatch).left = 24
    with pytest.raises(Killed):
        bench.run(plan, window=16, checkpoint_seconds=0.0)
    for path in (plan.out, plan.errors):
        path.write_bytes(path.read_bytes() + b'{"id":null,"li')
    check_accounts(plan, rows, bench.run(plan, Mode.RESUME))


def interrupted(bench: Bench, plan: Plan) -> Journal:
    """Interrupt a run at once; nothing was written, its first shards are queued."""
    stop = threading.Event()
    bench.notes.on_show = lambda standing: stop.set()
    assert bench.run(plan, stop=stop).ending is Ending.INTERRUPTED
    bench.notes.on_show = lambda standing: None
    return Journal.load(plan.journal)


def test_overwriting_cancels_the_batch_that_is_given_up(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(["fine"] * 10, shard_size=5)
    old = interrupted(bench, plan).batch_id
    with ShardWorker(bench.settings.store_url, bench.settings.redis_url):
        summary = bench.run(plan, Mode.OVERWRITE)
    assert summary.batch_id != old
    assert bench.store.batches.get(TENANT, old).state is BatchState.CANCELLED
    check_accounts(plan, ["fine"] * 10, summary)


def test_a_cancelled_batch_accounts_for_all_lines(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(["fine"] * 200, shard_size=5)
    stop = threading.Event()
    bench.notes.on_show = lambda standing: stop.set()
    batch_id = bench.run(plan, stop=stop, window=40).batch_id
    bench.notes.on_show = lambda standing: None
    bench.store.batches.cancel(TENANT, batch_id)

    summary = bench.run(plan, Mode.RESUME, window=40)
    assert summary.ending is Ending.CANCELLED
    assert rows_of(plan.out) == []
    problems = rows_of(plan.errors)
    assert [problem["line"] for problem in problems] == list(range(1, 201))
    assert {problem["error"]["code"] for problem in problems} == {"cancelled"}
    with bench.store.database.read() as connection:
        assert connection.execute(select(func.sum(jobs.c["items"]))).scalar() == 40
    assert not plan.journal.exists()


def test_another_store_is_not_taken_for_the_first(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(["fine"] * 10)
    journal = interrupted(bench, plan)
    journal.batch_id, journal.next_cut = "batch_elsewhere", 1
    journal.save(plan.journal)
    with pytest.raises(InvalidInput, match="this store has no batch_elsewhere"):
        bench.run(plan, Mode.RESUME)


def test_outputs_that_do_not_fit_the_lines_stop_the_run(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(["fine"] * 10)
    interrupted(bench, plan)
    with bench.store.database.write() as connection:
        connection.execute(
            jobs.update().values(state="succeeded", result='{"outputs":[{"flagged":false}]}')
        )
    with pytest.raises(RunStopped, match="1 outputs for 10 lines"):
        bench.run(plan, Mode.RESUME)
    assert plan.journal.exists()


def test_missing_workers_are_told_once(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(["fine"])
    interrupted(bench, plan)
    assert bench.notes.lines == [
        "no worker for moderation is running; start one with `lepton worker --tasks moderation`. "
        "Waiting…"
    ]


def test_a_run_waits_for_room_in_the_backlog_and_says_so(
    bench: Bench, plan_for: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeder, "_LONGEST_WAIT", 0.01)
    monkeypatch.setattr(run, "_PATIENCE_SECONDS", 0.0)
    bench.bounded(2, lambda: 100 * time.monotonic())
    rows = mixed_rows(120)
    plan = plan_for(rows, shard_size=2)
    worker = ShardWorker(bench.settings.store_url, bench.settings.redis_url)

    def told() -> list[str]:
        return [line for line in bench.notes.lines if "LEPTON_TENANT_BACKLOG" in line]

    def work(standing: Standing) -> None:
        if told():
            worker.step()

    bench.notes.on_show = work
    summary = bench.run(plan)
    worker.close()
    check_accounts(plan, rows, summary)
    assert summary.ending is Ending.COMPLETED
    assert "moderation.bulk holds as many jobs of tenant default as it may" in told()[0]
    assert bench.notes.lines[-1] == "there is room again"


@pytest.mark.usefixtures("worker")
def test_file_names_need_not_be_utf8(bench: Bench, plan_for: MakePlan, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    plan = plan_for(["fine"], name=os.fsdecode(b"caf\xe9-in.jsonl"), out=out)
    summary = bench.run(plan)
    check_accounts(plan, ["fine"], summary)
    assert summary.out.endswith(r"caf\xe9.jsonl")


@pytest.mark.usefixtures("worker")
def test_a_running_worker_is_not_missed(bench: Bench, plan_for: MakePlan) -> None:
    bench.run(plan_for(["fine"]))
    assert bench.notes.lines == []


def test_a_system_that_fails_ends_the_run(bench: Bench, plan_for: MakePlan) -> None:
    def watch() -> None:
        raise RunStopped("the worker crashed again and again")

    plan = plan_for(["fine"])
    with pytest.raises(RunStopped, match="crashed"):
        bench.run(plan, watch=watch)
    assert plan.journal.exists()
