"""Any order of events of a batch, on both databases: an end is final, and told once.

``LEPTON_TEST_EXAMPLES=5000`` runs as many sequences on each database.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from lepton_tasks.errors import LeaseLost
from lepton_tasks.ids import new_id
from lepton_tasks.states import BATCH_TERMINAL, BatchState, batch_sources
from lepton_tasks.store.batch_runs import BatchClaim, LineCounts, Made, MadeFile
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.database import now
from lepton_tasks.store.file_tables import FileRow
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import DeliveryRow
from tests.support.orders import a_file, an_order, put

EXAMPLES = int(os.environ.get("LEPTON_TEST_EXAMPLES", "25"))
TENANT = "acme"
HOOK = "https://example.test/hook"
FAULT = {"code": "invalid_url", "line": 1, "message": "no", "param": "url"}

RUNNERS = st.sampled_from(["io-1", "io-2"])
ENDS = st.sampled_from([BatchState.COMPLETED, BatchState.EXPIRED, BatchState.FAILED])

batches = BatchRow.__table__  # type: ignore[attr-defined]
files = FileRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]


@dataclass
class Known:
    """What must be true of a batch."""

    id: str
    key: str | None
    state: BatchState = BatchState.VALIDATING
    runner: str | None = None
    fence: int = 0
    files: int = 0

    @property
    def is_free(self) -> bool:
        return self.state not in BATCH_TERMINAL and self.runner is None

    def is_run_by(self, claim: BatchClaim) -> bool:
        return self.runner == claim.holder and self.fence == claim.fence

    def end(self, ended: BatchState) -> None:
        cancelled = self.state is BatchState.CANCELLING
        self.state = BatchState.CANCELLED if cancelled else ended
        self.runner = None


class Life(RuleBasedStateMachine):
    """Events in any order, and beside the store a model of what should come of them."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Known] = []
        self.claims: list[BatchClaim] = []

    @initialize()
    def begin(self) -> None:
        with self.store.database.write(durable=False) as connection:
            for table in (batches, files, deliveries):
                connection.execute(table.delete())
        a_file(self.store)
        self.order(None)

    def _open(self) -> list[Known]:
        return [batch for batch in self.known if batch.state not in BATCH_TERMINAL]

    def _drawn(self, data: st.DataObject) -> tuple[BatchClaim, Known]:
        claim = data.draw(st.sampled_from(self.claims))
        return claim, next(batch for batch in self.known if batch.id == claim.id)

    # What may happen.

    @precondition(lambda self: len(self._open()) < 3)
    @rule(key=st.sampled_from([None, "k-1", "k-2"]))
    def order(self, key: str | None) -> None:
        made = self.store.batch_orders.create(TENANT, new_id("batch"), an_order(key, webhook=HOOK))
        earlier = [batch for batch in self.known if key is not None and batch.key == key]
        assert made.replayed == bool(earlier)
        if earlier:
            assert made.batch.id == earlier[0].id
        else:
            self.known.append(Known(made.batch.id, key))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(self.known))
        self.store.batches.cancel("other", batch.id)
        self.store.batches.cancel(TENANT, batch.id)
        if batch.state in batch_sources(BatchState.CANCELLING):
            batch.state = BatchState.CANCELLING

    @rule(runner=RUNNERS)
    def claim(self, runner: str) -> None:
        claim = self.store.batch_runs.claim(runner, 600)
        free = [batch for batch in self.known if batch.is_free]
        assert (claim is None) == (not free)
        if claim is not None:
            assert (claim.id, claim.state) == (free[0].id, free[0].state)
            free[0].runner, free[0].fence = runner, claim.fence
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def fall_silent(self, data: st.DataObject) -> None:
        """The runner of a batch, until another may have it."""
        _, batch = self._drawn(data)
        if batch.runner is not None:
            put(self.store, batch.id, runner_until=now() - 1, runner="silent")
            batch.runner = None

    def _written(self, claim: BatchClaim, batch: Known, write: Callable[[], BatchState]) -> bool:
        """Whether a write was taken: only of whoever runs the batch."""
        if not batch.is_run_by(claim):
            with pytest.raises(LeaseLost):
                write()
            return False
        write()
        return True

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def validated(self, data: st.DataObject) -> None:
        claim, batch = self._drawn(data)
        if (
            self._written(claim, batch, partial(self.store.batch_runs.validated, claim, 9))
            and batch.state is BatchState.VALIDATING
        ):
            batch.state = BatchState.IN_PROGRESS

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def progress(self, data: st.DataObject) -> None:
        claim, batch = self._drawn(data)
        counts = LineCounts(3, 1)
        self._written(claim, batch, partial(self.store.batch_runs.progress, claim, counts, 30, 10))

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def finalizing(self, data: st.DataObject) -> None:
        claim, batch = self._drawn(data)
        if (
            self._written(claim, batch, partial(self.store.batch_runs.finalizing, claim))
            and batch.state is BatchState.IN_PROGRESS
        ):
            batch.state = BatchState.FINALIZING

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), ended=ENDS, with_file=st.booleans())
    def finish(self, data: st.DataObject, ended: BatchState, with_file: bool) -> None:
        claim, batch = self._drawn(data)
        runs = self.store.batch_runs
        if ended is BatchState.FAILED:
            write, with_file = partial(runs.refuse, claim, [FAULT]), False
        else:
            made = Made(LineCounts(8, 1), MadeFile(new_id("file"), 80) if with_file else None)
            write = partial(runs.finish, claim, ended, made)
        may = {*batch_sources(ended), BatchState.CANCELLING}
        if batch.is_run_by(claim) and batch.state not in may:
            with pytest.raises(LeaseLost):
                write()
        elif self._written(claim, batch, write):
            batch.end(ended)
            batch.files += with_file

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        claim, batch = self._drawn(data)
        self.store.batch_runs.release(claim)
        if batch.is_run_by(claim):
            batch.runner = None

    # What must always be true.

    @invariant()
    def the_store_is_as_it_should_be(self) -> None:
        with self.store.database.read() as connection:
            rows = {row.id: row for row in connection.execute(select(batches)).all()}
            made = connection.execute(select(files.c.id).where(files.c.purpose != "batch")).all()
        assert rows.keys() == {batch.id for batch in self.known}
        for batch in self.known:
            row = rows[batch.id]
            assert row.state == batch.state
            assert (row.finished_at is not None) == (batch.state in BATCH_TERMINAL)
            assert (row.errors is not None) == (batch.state is BatchState.FAILED)
            if batch.state in BATCH_TERMINAL:
                assert (row.runner, row.runner_until) == (None, None)
        assert len(made) == sum(batch.files for batch in self.known)

    @invariant()
    def each_end_is_told_once(self) -> None:
        with self.store.database.read() as connection:
            rows = connection.execute(select(deliveries)).all()
        told = sorted((orjson.loads(row.body)["data"]["id"], row.event_type) for row in rows)
        ended = [batch for batch in self.known if batch.state in BATCH_TERMINAL]
        assert told == sorted((batch.id, f"batch.{batch.state}") for batch in ended)


@pytest.mark.timeout(3600 if EXAMPLES > 1000 else 180)
def test_any_order_of_events(quick_store: Store) -> None:
    class LifeHere(Life):
        store = quick_store

    run_state_machine_as_test(
        LifeHere,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
