"""Jobs as workers see them: claim, adopt, finish, release; every write checks the fence."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sqlalchemy import Connection, literal_column, select, update

from lepton_tasks.jobs import ClaimedJob, FinishedJob
from lepton_tasks.states import JobState
from lepton_tasks.store.adoptions import Adoption, adopt
from lepton_tasks.store.claim_statements import (
    claim_statement,
    claimed,
    finish_statement,
    new_claim,
    release_statement,
    retry_statement,
)
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.rowset import bind_rows
from lepton_tasks.store.settle import settle
from lepton_tasks.store.tables import JobRow

jobs = JobRow.__table__  # type: ignore[attr-defined]


class ClaimStore:
    """The workers' side of the jobs table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claim_statement = claim_statement(database.dialect)
        self._finish_statement = finish_statement(database.dialect)
        self._release_statement = release_statement(database.dialect)
        self._retry_statement = retry_statement(database.dialect)
        self.calls_owed = threading.Event()
        """Set when an end that went through here may owe calls (`follow_ups.py`)."""

    def claim(
        self, worker_id: str, job_ids: Sequence[str], adoptions: Sequence[Adoption] = ()
    ) -> list[ClaimedJob]:
        """Take ownership of a whole fetch in one transaction.

        An id that does not come back was a duplicate, cancelled, expired or not yet
        due; its message is acknowledged and dropped all the same. A row that is
        queued but not due goes back to the reconciler, which publishes it in time.

        Without adoptions the disk is not waited for: a claim that a power cut undoes
        leaves its job queued, and the reconciler misses the message. A worker that
        outlives the database's crash cannot write then, because its claim id is gone.
        """
        claims = self._database.transact(
            lambda connection: self._claim(connection, worker_id, job_ids, adoptions),
            durable=bool(adoptions),
        )
        if any(adoption.canvas is not None for adoption in adoptions):
            self.calls_owed.set()
        return claims

    def _claim(
        self,
        connection: Connection,
        worker_id: str,
        job_ids: Sequence[str],
        adoptions: Sequence[Adoption],
    ) -> list[ClaimedJob]:
        ids = [*job_ids, *(adopt(connection, adoptions) if adoptions else ())]
        if not ids:
            return []
        rows = connection.execute(
            self._claim_statement,
            {"wanted": bind_rows((job_id,) for job_id in ids), **new_claim(worker_id)},
        ).all()
        if len(rows) < len(ids):
            connection.execute(
                update(jobs)
                .where(
                    jobs.c.id.in_(ids), jobs.c.state == JobState.QUEUED, jobs.c.run_after > now()
                )
                .values(published_at=None)
            )
        order = {job_id: place for place, job_id in enumerate(ids)}
        return sorted((claimed(row) for row in rows), key=lambda job: order[job.id])

    def finish(self, finished: Sequence[FinishedJob]) -> set[str]:
        """Write results, batch counts and webhook deliveries in one transaction.

        Returns:
            Ids whose result was taken. One that is missing had another owner by
            now (its fence moved on); the stale result was not written.
        """
        if not finished:
            return set()
        ids, owed = self._database.transact(lambda connection: self._finish(connection, finished))
        if owed:
            self.calls_owed.set()
        return ids

    def _finish(
        self, connection: Connection, finished: Sequence[FinishedJob]
    ) -> tuple[set[str], bool]:
        rows = connection.execute(
            self._finish_statement,
            {
                "outcome": bind_rows(
                    (
                        item.claim.id,
                        item.claim.fence,
                        item.claim.claim_id,
                        item.state,
                        item.result,
                        item.error,
                    )
                    for item in finished
                )
            },
        ).all()
        owed = settle(connection, rows, {item.claim.id: item.failed_items for item in finished})
        return {row.id for row in rows}, owed

    def cancelled(self, worker_id: str) -> list[str]:
        """Ids of the jobs that a worker runs and whose tenants want no answer any more."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.id).where(
                    jobs.c.state == literal_column("'running'"),  # so that the partial index fits
                    jobs.c.worker_id == worker_id,
                    jobs.c.cancel_requested,
                )
            ).all()
        return [row.id for row in rows]

    def held_by(self, worker_id: str) -> set[tuple[str, str]]:
        """Id and claim id of each job that a worker runs."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.id, jobs.c.claim_id).where(
                    jobs.c.state == literal_column("'running'"),  # so that the partial index fits
                    jobs.c.worker_id == worker_id,
                )
            ).all()
        return {(row.id, row.claim_id) for row in rows}

    def release(self, claims: Sequence[ClaimedJob]) -> list[str]:
        """Give back jobs that were not started; no attempt is counted, the fence stays.

        Returns:
            Ids that wait again: in the queue and unpublished, a suspect for running alone.
        """
        if not claims:
            return []

        def work(connection: Connection) -> list[str]:
            mine = bind_rows((claim.id, claim.fence, claim.claim_id) for claim in claims)
            rows = connection.execute(self._release_statement, {"mine": mine}).all()
            return [row.id for row in rows]

        return self._database.transact(work)

    def retry(self, claims: Sequence[tuple[ClaimedJob, float]]) -> set[str]:
        """Put jobs back whose failure may pass, each due in so many seconds.

        Returns:
            Ids that wait again: in the queue and unpublished, a suspect for running alone.
            One that is missing is final: it has another owner by now, its tenant has
            cancelled it, or its deadline comes first.
        """
        if not claims:
            return set()

        def work(connection: Connection) -> set[str]:
            mine = bind_rows((one.id, one.fence, one.claim_id, wait) for one, wait in claims)
            rows = connection.execute(self._retry_statement, {"again": mine}).all()
            return {row.id for row in rows}

        return self._database.transact(work)
