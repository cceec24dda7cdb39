"""Batches over real stores and a real Redis: order, accounts, crashes, cancels, deadlines."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from sqlalchemy import select

from lepton_tasks.batches import run
from lepton_tasks.batches.journal import BatchJournal
from lepton_tasks.batches.run import FileBusy, UploadedRun
from lepton_tasks.batches.watch import Interrupted, Watch
from lepton_tasks.bulk.errors import RunStopped, ShardMismatch
from lepton_tasks.bulk.outputs import Outputs
from lepton_tasks.errors import InvalidInput, LeaseLost, StorageUnavailable
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import BatchState, JobState
from lepton_tasks.store.batch_runs import BatchClaim, BatchRunStore
from lepton_tasks.store.batches import Batch
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.schema import upgrade_schema
from tests.support.orders import put
from tests.support.shard_worker import ShardWorker, jobs, judge
from tests.support.uploads import TENANT, Yard, asking, interrupted_at, packed, request_line


def kinds(count: int) -> list[dict[str, Any]]:
    """Lines of all kinds: one item and several, options, wrong bodies, items that fail."""
    bodies: list[Callable[[int], Any]] = [
        lambda n: asking(f"a fine comment {n}"),
        lambda n: asking(f"好评第 {n} 条", f"坏 {n}", block_at=0.5),
        lambda n: {"task": "moderation", "input": 7},
        lambda n: asking(f"crash {n}"),
        lambda n: asking(f"坏 {n}", block_at=0.5),
        lambda n: {"task": "nothing", "input": "a"},
        lambda n: asking(f"bad {n}", f"crash {n}", f"好 {n}"),
    ]
    return [
        request_line(f"评-{number}", bodies[number % len(bodies)](number))
        for number in range(1, count + 1)
    ]


def expected(line: dict[str, Any]) -> tuple[int, Any]:
    """Status of a line, and its body or the code of its error."""
    body = line["body"]
    texts = body.get("inputs", [body.get("input")])
    if body["task"] != "moderation":
        return 400, "unknown_task"
    if not isinstance(texts[0], str):
        return 400, "invalid_type"
    outputs = [judge(text) for text in texts]
    if all("error" in output for output in outputs):
        return 500, "model_error"
    return 200, {"outputs": outputs} if "inputs" in body else {"output": outputs[0]}


def check_accounts(yard: Yard, batch: Batch, lines: list[dict[str, Any]]) -> None:
    """Every line is in exactly one file, in order, with what became of it."""
    assert batch.state is BatchState.COMPLETED
    output, errors = yard.rows(batch.output_file_id), yard.rows(batch.error_file_id)
    wanted = [(line["custom_id"], *expected(line)) for line in lines]
    assert [
        (row["custom_id"], row["response"]["status_code"], row["response"]["body"])
        for row in output
    ] == [one for one in wanted if one[1] == 200]
    assert [
        (
            row["custom_id"],
            row["response"]["status_code"],
            row["response"]["body"]["error"]["code"],
        )
        for row in errors
    ] == [one for one in wanted if one[1] != 200]
    assert batch.lines == (len(lines), len(output), len(errors))
    assert (batch.output_bytes, batch.error_bytes) == (
        len(yard.content(batch.output_file_id)),
        len(yard.content(batch.error_file_id)),
    )
    assert not yard.storage.batch_folder(batch.id).exists()


def ordinals(yard: Yard, batch_id: str) -> list[int]:
    query = select(jobs.c.ordinal).where(jobs.c.batch_id == batch_id).order_by(jobs.c.ordinal)
    with yard.store.database.read() as connection:
        return list(connection.execute(query).scalars())


@pytest.fixture
def any_yard(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Yard]:
    database = Database(database_url)
    upgrade_schema(database)
    database.close()
    settings = Settings(home=tmp_path, database_url=database_url, redis_url=redis_url)
    yard = Yard(settings, window=60, shard_size=8)
    yield yard
    yard.close()


def test_every_line_comes_out_once_and_in_order(any_yard: Yard) -> None:
    lines = kinds(301)
    any_yard.order(lines, priority="normal")
    with ShardWorker(any_yard.settings.store_url, any_yard.settings.redis_url):
        batch = any_yard.run()
    check_accounts(any_yard, batch, lines)
    shards = any_yard.store.jobs.shards(TENANT, batch.id, 0, 1_000)
    assert [shard.ordinal for shard in shards] == ordinals(any_yard, batch.id)
    assert {str(shard.priority) for shard in shards} == {"normal"}
    assert {shard.deadline for shard in shards} == {batch.expires_at}
    assert all(shard.items <= 8 for shard in shards)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_packed_files_are_read_as_they_are(yard: Yard, pack: Callable[[bytes], bytes]) -> None:
    lines = kinds(20)
    yard.order(pack(packed(lines)))
    check_accounts(yard, yard.run(), lines)


@pytest.mark.usefixtures("worker")
def test_files_that_would_be_empty_are_not_made(yard: Yard) -> None:
    good = [request_line("a", asking("fine"))]
    yard.order(good)
    batch = yard.run()
    check_accounts(yard, batch, good)
    assert batch.error_file_id is None
    bad = [request_line("a", asking("crash"))]
    yard.order(bad)
    batch = yard.run()
    check_accounts(yard, batch, bad)
    assert batch.output_file_id is None


def test_a_file_with_faults_is_refused_and_nothing_is_queued(yard: Yard) -> None:
    yard.order([request_line("a", asking("好")), request_line("a", asking("b"), "/v1/other")])
    batch = yard.run()
    assert (batch.state, batch.lines) == (BatchState.FAILED, (0, 0, 0))
    assert batch.errors is not None
    assert [(error["code"], error["line"]) for error in batch.errors] == [("invalid_url", 2)]
    assert ordinals(yard, batch.id) == []
    assert not yard.storage.batch_folder(batch.id).exists()


def test_content_that_is_away_is_waited_for_until_the_deadline(yard: Yard) -> None:
    batch = yard.order([request_line("a", asking("好"))])
    assert batch.input_file_id is not None
    path = yard.storage.path(batch.input_file_id)
    path.rename(path.with_suffix(".away"))
    claim = yard.claim()
    with pytest.raises(StorageUnavailable, match="LEPTON_FILES_FOLDER"):
        yard.run(claim)
    assert yard.read(batch.id).state is BatchState.VALIDATING
    put(yard.store, batch.id, expires_at=now() - 1)
    yard.store.batch_runs.release(claim)
    ended = yard.run()
    assert ended.state is BatchState.FAILED
    assert ended.errors is not None
    assert ended.errors[0]["code"] == "file_unreadable"


def test_outputs_that_cannot_be_opened_are_waited_for(yard: Yard) -> None:
    yard.order([request_line("a", asking("好"))])
    claim = yard.claim()
    (yard.storage.make_batch_folder(claim.id) / run.OUTPUT).mkdir()
    with pytest.raises(RunStopped, match="cannot write") as stopped:
        yard.run(claim)
    assert not isinstance(stopped.value, FileBusy)


def test_a_file_that_is_damaged_after_it_was_validated_ends_its_batch(yard: Yard) -> None:
    content = gzip.compress(packed([request_line("a", asking("好"))]))
    batch = yard.order(content)
    claim = yard.claim()
    yard.store.batch_runs.validated(claim, 1)
    assert batch.input_file_id is not None
    yard.storage.path(batch.input_file_id).write_bytes(content[:-4])
    ended = yard.run(replace(claim, validated=True))
    assert ended.state is BatchState.FAILED
    assert ended.errors is not None
    assert ended.errors[0]["code"] == "file_unreadable"


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.ESTALE, errno.ENOENT])
def test_a_file_that_cannot_be_opened_for_now_is_waited_for(
    yard: Yard, worker: ShardWorker, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    good = [request_line("a", asking("好"))]
    yard.order(good)
    claim = yard.claim()
    again = UploadedRun(yard.bench, claim, Watch(claim))

    def fail(path: Path, *more: Any) -> Any:
        raise InvalidInput("cannot read") from OSError(reason, "for now", str(path))

    with monkeypatch.context() as broken:
        broken.setattr(run, "InputFile", fail)
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                again.run()
    again.run()
    check_accounts(yard, yard.read(claim.id), good)


def test_a_cancel_is_seen_where_no_line_comes(yard: Yard) -> None:
    yard.order(zstd.compress(b"") * 100_000)
    claim = yard.claim()
    watch = Watch(claim)
    yard.store.batches.cancel(TENANT, claim.id)
    watch.saw(BatchState.CANCELLING)
    assert yard.run(claim, watch).state is BatchState.CANCELLED


class Killed(BaseException):
    """Ends a run where it stands; no ``except`` of the run may catch it."""


class Fuse:
    """Raises Killed when the steps it is put around have been passed ``left`` times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        for owner, name in (
            (BatchJournal, "save"),
            (Outputs, "write"),
            (Outputs, "sync"),
            (Producer, "put"),
            (BatchRunStore, "validated"),
            (BatchRunStore, "progress"),
            (BatchRunStore, "finalizing"),
            (BatchRunStore, "finish"),
            (FileStorage, "keep"),
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
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = Yard(yard.settings, yard.store, window=8, shard_size=3, checkpoint_seconds=0.0)
    lines = kinds(7)
    fuse = Fuse(monkeypatch)
    crashes = 0
    while True:
        batch = eager.order(lines)
        fuse.left = crashes + 1
        try:
            eager.run()
        except Killed:
            crashes += 1
        else:
            break
        fuse.left = 0
        if eager.read(batch.id).state is not BatchState.COMPLETED:
            put(yard.store, batch.id, runner_until=now() - 1)
            eager.run(eager.claim("io-2"))
            check_accounts(eager, eager.read(batch.id), lines)
        shards = ordinals(eager, batch.id)
        assert shards == list(range(len(shards)))
    eager.close()
    assert crashes > 20


@pytest.mark.usefixtures("worker")
def test_who_takes_over_writes_the_same_bytes(yard: Yard) -> None:
    """The first runner wrote lines behind its journal, which the second writes again."""
    lines = kinds(400)
    steps = Yard(yard.settings, yard.store, window=40, shard_size=4, checkpoint_seconds=0.05)
    steps.order(lines)
    claim = steps.claim()
    watch = Watch(claim)
    stopper = interrupted_at(watch, steps, claim, 100)
    with pytest.raises(Interrupted):
        steps.run(claim, watch)
    stopper.join()
    folder = steps.storage.batch_folder(claim.id)
    known = steps.read(claim.id).output_bytes
    before = (folder / run.OUTPUT).read_bytes()[:known]
    assert before.count(b"\n") >= 50
    for name in (run.OUTPUT, run.ERRORS):
        with (folder / name).open("ab") as file:
            file.write(b'{"id":"batch_req_')
    put(yard.store, claim.id, runner_until=now() - 1)
    batch = steps.run(steps.claim("io-2"))
    check_accounts(steps, batch, lines)
    assert steps.content(batch.output_file_id).startswith(before)
    steps.close()


class Waiting(UploadedRun):
    """A run that does something in the place of its first wait, when its shards are queued."""

    def __init__(self, yard: Yard, claim: BatchClaim, watch: Watch, first: Callable[[], object]):
        super().__init__(yard.bench, claim, watch)
        self._first: Callable[[], object] | None = first

    def _wait(self) -> None:
        if self._first is None:
            super()._wait()
        else:
            self._first()
            self._first = None


def interrupted(yard: Yard, lines: list[dict[str, Any]]) -> str:
    """Have a batch interrupted when its first shards are queued and nothing is written."""
    yard.order(lines)
    claim = yard.claim()
    watch = Watch(claim)
    with pytest.raises(Interrupted):
        Waiting(yard, claim, watch, watch.interrupt).run()
    yard.store.batch_runs.release(claim)
    return claim.id


def test_a_cancel_keeps_what_is_done(yard: Yard) -> None:
    lines = [request_line(f"c-{number}", asking("fine")) for number in range(200)]
    narrow = Yard(yard.settings, yard.store, window=40, shard_size=5)
    batch_id = interrupted(narrow, lines)
    worker = ShardWorker(yard.settings.store_url, yard.settings.redis_url)
    assert worker.step(4, newest=False) == 4
    yard.store.batches.cancel(TENANT, batch_id)
    worker.close()
    batch = narrow.run()
    assert (batch.id, batch.state, batch.lines) == (batch_id, BatchState.CANCELLED, (200, 20, 180))
    assert [row["custom_id"] for row in yard.rows(batch.output_file_id)] == [
        f"c-{number}" for number in range(20)
    ]
    undone = yard.rows(batch.error_file_id)
    assert [row["custom_id"] for row in undone] == [f"c-{number}" for number in range(20, 200)]
    assert {row["error"]["code"] for row in undone} == {"batch_cancelled"}
    assert len(ordinals(yard, batch_id)) == 8
    narrow.close()


def test_a_cancel_during_a_run_calls_back_what_is_queued(yard: Yard) -> None:
    lines = [request_line(f"c-{number}", asking("fine")) for number in range(30)]
    yard.order(lines)
    claim = yard.claim()
    watch = Watch(claim)

    def cancel() -> None:
        put(yard.store, claim.id, state=BatchState.CANCELLING)
        watch.saw(BatchState.CANCELLING)

    assert Waiting(yard, claim, watch, cancel).run() is BatchState.CANCELLED
    assert yard.read(claim.id).lines == (30, 0, 30)
    states = {job.state for job in yard.store.jobs.shards(TENANT, claim.id, 0, 100)}
    assert states == {JobState.CANCELLED}


def test_a_cancel_before_its_file_was_read_leaves_no_files(yard: Yard) -> None:
    batch = yard.order([request_line("a", asking("fine"))] * 2)
    yard.store.batches.cancel(TENANT, batch.id)
    ended = yard.run()
    assert (ended.state, ended.lines, ended.errors) == (BatchState.CANCELLED, (0, 0, 0), None)
    assert (ended.output_file_id, ended.error_file_id) == (None, None)


def test_a_deadline_keeps_what_is_done(yard: Yard) -> None:
    lines = [request_line(f"c-{number}", asking("fine")) for number in range(60)]
    narrow = Yard(yard.settings, yard.store, window=40, shard_size=5)
    batch_id = interrupted(narrow, lines)
    worker = ShardWorker(yard.settings.store_url, yard.settings.redis_url)
    worker.step(2, newest=False)
    worker.close()
    put(yard.store, batch_id, expires_at=now() - 1)
    with yard.store.database.write() as connection:
        connection.execute(jobs.update().values(deadline=now() - 1))
    yard.store.outbox.expire_deadlines()
    batch = narrow.run()
    assert (batch.state, batch.lines) == (BatchState.EXPIRED, (60, 10, 50))
    undone = yard.rows(batch.error_file_id)
    assert {row["error"]["code"] for row in undone} == {"batch_expired"}
    assert [row["custom_id"] for row in undone] == [f"c-{number}" for number in range(10, 60)]
    narrow.close()


def test_what_was_never_begun_expires_with_all_its_lines(yard: Yard) -> None:
    batch = yard.order([request_line("a", asking("x")), request_line("b", {"task": "none"})])
    put(yard.store, batch.id, expires_at=now() - 1)
    ended = yard.run()
    assert (ended.state, ended.lines) == (BatchState.EXPIRED, (2, 0, 2))
    expired, wrong = yard.rows(ended.error_file_id)
    assert expired["error"]["code"] == "batch_expired"
    assert wrong["response"]["status_code"] == 400
    assert ordinals(yard, batch.id) == []


def test_other_rules_cut_what_is_left_anew(yard: Yard) -> None:
    lines = kinds(60)
    first = Yard(yard.settings, yard.store, window=30, shard_size=4)
    batch_id = interrupted(first, lines)
    had = len(ordinals(yard, batch_id))
    second = Yard(yard.settings, yard.store, shard_size=7)
    with ShardWorker(yard.settings.store_url, yard.settings.redis_url):
        check_accounts(second, second.run(), lines)
    assert len(ordinals(yard, batch_id)) > had
    first.close()
    second.close()


@pytest.mark.parametrize("lost", ["journal", "output", "folder"])
def test_a_folder_that_has_lost_something_begins_again(yard: Yard, lost: str) -> None:
    lines = kinds(80)
    steps = Yard(yard.settings, yard.store, window=40, shard_size=4, checkpoint_seconds=0.0)
    steps.order(lines)
    claim = steps.claim()
    watch = Watch(claim)
    with ShardWorker(yard.settings.store_url, yard.settings.redis_url):
        stopper = interrupted_at(watch, steps, claim, 20)
        with pytest.raises(Interrupted):
            steps.run(claim, watch)
        stopper.join()
        folder = steps.storage.batch_folder(claim.id)
        if lost == "folder":
            steps.storage.delete_batch(claim.id)
        elif lost == "output":
            (folder / run.OUTPUT).write_bytes(b"")
        else:
            (folder / "progress.json").unlink()
        check_accounts(steps, steps.run(claim), lines)
    steps.close()


def test_outputs_of_other_lines_are_not_believed(yard: Yard) -> None:
    lines = [request_line(f"c-{number}", asking("fine")) for number in range(8)]
    batch_id = interrupted(yard, lines)
    with yard.store.database.write() as connection:
        connection.execute(
            jobs.update().values(state="succeeded", result='{"outputs":[{"flagged":false}]}')
        )
    claim = yard.claim()
    running = UploadedRun(yard.bench, claim, Watch(claim))
    with pytest.raises(ShardMismatch):
        running.run()
    with ShardWorker(yard.settings.store_url, yard.settings.redis_url):
        assert running.run() is BatchState.COMPLETED
    assert ordinals(yard, batch_id) == [0, 1]
    check_accounts(yard, yard.read(batch_id), lines)


def test_files_that_another_process_has_open_are_left_alone(yard: Yard) -> None:
    yard.order([request_line("a", asking("fine"))])
    claim = yard.claim()
    folder = yard.storage.make_batch_folder(claim.id)
    with Outputs(folder / run.OUTPUT, folder / run.ERRORS), pytest.raises(FileBusy):
        yard.run(claim)
    with ShardWorker(yard.settings.store_url, yard.settings.redis_url):
        assert yard.run(claim).state is BatchState.COMPLETED


@pytest.mark.usefixtures("worker")
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = kinds(30)
    yard.order(lines)
    claim = yard.claim()
    running = UploadedRun(yard.bench, claim, Watch(claim))
    flush = os.fsync

    def full(descriptor: int) -> None:
        if claim.id in Path(f"/proc/self/fd/{descriptor}").readlink().parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunStopped, match="No space left"):
            running.run()
    assert running.run() is BatchState.COMPLETED
    check_accounts(yard, yard.read(claim.id), lines)


@pytest.mark.usefixtures("worker")
def test_a_run_that_was_relieved_ends_nothing(yard: Yard) -> None:
    yard.order([request_line("a", asking("fine"))])
    claim = yard.claim()
    put(yard.store, claim.id, runner_until=now() - 1)
    other = yard.claim("io-2")
    with pytest.raises(LeaseLost):
        yard.run(claim)
    assert yard.run(other).state is BatchState.COMPLETED
    assert ordinals(yard, claim.id) == [0]
