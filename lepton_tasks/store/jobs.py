"""Jobs as producers see them: insert, read, list, cancel. Every read names its tenant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import NotFound, StoreUnavailable
from lepton_tasks.jobs import Job, NewJob, Submitted
from lepton_tasks.queues import Priority
from lepton_tasks.states import TERMINAL, WAITING, JobState
from lepton_tasks.store.backlog import count_queued
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.insertion import Allow, Outcome, TornGroups, find_earlier, insert_rows
from lepton_tasks.store.paging import newest_first
from lepton_tasks.store.progress import JobProgressRow
from lepton_tasks.store.settle import SETTLED_COLUMNS, settle
from lepton_tasks.store.tables import JobRow
from lepton_tasks.store.tombstones import buried, missing

jobs = JobRow.__table__  # type: ignore[attr-defined]
progress = JobProgressRow.__table__  # type: ignore[attr-defined]

_VIEW = [
    jobs.c[name]
    for name in [
        "id",
        "tenant",
        "task",
        "priority",
        "state",
        "single",
        "items",
        "attempts",
        "created_at",
        "started_at",
        "finished_at",
        "run_after",
        "deadline",
        "cancel_requested",
        "batch_id",
        "ordinal",
        "metadata",
        "result",
        "error",
    ]
]
# Made once: putting it together costs more than the database takes.
_ONE: Select[Any] = (
    select(*_VIEW, progress.c.detail.label("progress"), progress.c.updated_at)
    .select_from(jobs.outerjoin(progress, progress.c.job_id == jobs.c.id))
    .where(jobs.c.tenant == bindparam("of_tenant"), jobs.c.id == bindparam("job_id"))
)
_PAGE = 500


class JobStore:
    """The producers' side of the jobs table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, new: Sequence[NewJob]) -> list[Submitted]:
        """Store jobs in one transaction; all of them or none.

        A due job is written as published, because its producer publishes it next;
        one with a later ``run_at`` waits for the reconciler.

        Returns:
            One answer a job, in order. A job whose idempotency key its tenant used
            before with the same body is answered with the earlier job.

        Raises:
            IdempotencyConflict: the key was used with another body.
            Gone: the key's job has been deleted.
        """
        [outcome] = self.insert_groups([new])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.answers

    def insert_groups(
        self,
        groups: Sequence[Sequence[NewJob]],
        allow: Allow | None = None,
        durable: bool = True,
    ) -> list[Outcome]:
        """Store several callers' jobs in one transaction; each caller's all or none.

        Due jobs count as published where ``allow`` lets them be; the others wait for the
        feeder. Without it all of them do, as in :meth:`insert`. Where not ``durable``, the
        database's ``flush`` is still to be called before anybody is told.

        Returns:
            What became of each caller's jobs: stored, or the exception that this caller
            alone should see.

        Raises:
            StoreUnavailable: the database cannot be used; nothing was stored.
        """
        try:
            return self._database.transact(
                lambda connection: insert_rows(connection, groups, allow), durable
            )
        except TornGroups as torn:
            errors = torn.errors
        except (DBAPIError, ValueError, TypeError) as error:
            if len(groups) == 1:
                return [error]
            return self._insert_halves(groups, allow, durable)
        kept = [group for place, group in enumerate(groups) if place not in errors]
        others = iter(self.insert_groups(kept, allow, durable))
        return [errors[n] if n in errors else next(others) for n in range(len(groups))]

    def _insert_halves(
        self, groups: Sequence[Sequence[NewJob]], allow: Allow | None, durable: bool
    ) -> list[Outcome]:
        """Find the row that cannot be stored, so that its neighbours are."""
        outcomes: list[Outcome] = []
        middle = len(groups) // 2
        for half in (groups[:middle], groups[middle:]):
            try:
                outcomes += self.insert_groups(half, allow, durable)
            except StoreUnavailable as error:
                outcomes += [error] * len(half)
        return outcomes

    def earlier(self, again: Sequence[NewJob]) -> list[Submitted] | None:
        """Answer jobs that have all been submitted before, by their keys; None where one is new.

        Raises:
            IdempotencyConflict: a key was used before for another job.
            Gone: the job of a key has been deleted.
        """
        if any(job.idempotency_key is None for job in again):
            return None
        with self._database.read() as connection:
            return find_earlier(connection, again)

    def count_queued(self, tenant: str, task: str, priority: Priority, most: int) -> int:
        """Queued jobs of a tenant in a queue, published or not, counted up to ``most``."""
        with self._database.read() as connection:
            return count_queued(connection, task, priority, tenant, most)

    def get(self, tenant: str, job_id: str) -> Job:
        """Read one job.

        Raises:
            NotFound: the tenant has no such job, or (Gone) none any more.
        """
        with self._database.read() as connection:
            row: Any = connection.execute(_ONE, {"of_tenant": tenant, "job_id": job_id}).first()
            if row is None:
                raise missing(connection, job_id, tenant)
        return _view(row)

    def find(self, tenant: str, job_ids: Sequence[str]) -> list[Job]:
        """Read the jobs that exist among ``job_ids``, in no particular order."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(*_VIEW).where(jobs.c.tenant == tenant, jobs.c.id.in_(job_ids))
            ).all()
        return [_view(row) for row in rows]

    def deleted(self, job_ids: Sequence[str]) -> set[str]:
        """Those of ``job_ids`` whose job was deleted."""
        with self._database.read() as connection:
            return buried(connection, job_ids)

    def ended(self, job_ids: Sequence[str]) -> set[str]:
        """Those of ``job_ids`` whose job has ended, for waking whoever waits for them.

        The waiter reads the job with its tenant; this tells nothing to anybody else.
        """
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.id).where(jobs.c.id.in_(job_ids), jobs.c.state.in_(TERMINAL))
            ).all()
        return {row.id for row in rows}

    def page(
        self,
        tenant: str,
        *,
        task: str | None = None,
        state: JobState | None = None,
        batch_id: str | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> list[Job]:
        """Page through a tenant's jobs, newest first, beginning after the job ``after``.

        Raises:
            NotFound: ``after`` is no job of this tenant.
        """
        query = select(*_VIEW).where(jobs.c.tenant == tenant)
        if task is not None:
            query = query.where(jobs.c.task == task)
        if state is not None:
            query = query.where(jobs.c.state == state)
        if batch_id is not None:
            query = query.where(jobs.c.batch_id == batch_id)
        with self._database.read() as connection:
            last = None
            if after is not None:
                last = connection.execute(
                    select(jobs.c.created_at, jobs.c.id).where(
                        jobs.c.tenant == tenant, jobs.c.id == after
                    )
                ).first()
                if last is None:
                    raise NotFound(f"no job {after} to continue after")
            rows = connection.execute(newest_first(query, jobs, last, limit)).all()
        return [_view(row) for row in rows]

    def cancel(self, tenant: str, job_id: str) -> Job:
        """Cancel a job that waits, flag a running one, leave a finished one as it is.

        Raises:
            NotFound: the tenant has no such job.
        """

        def work(connection: Connection) -> None:
            mine = and_(jobs.c.tenant == tenant, jobs.c.id == job_id)
            cancelled = connection.execute(
                update(jobs)
                .where(mine, jobs.c.state.in_(WAITING))
                .values(state=JobState.CANCELLED, finished_at=now(), cancel_requested=True)
                .returning(*SETTLED_COLUMNS)
            ).all()
            settle(connection, cancelled)
            if not cancelled:
                connection.execute(
                    update(jobs)
                    .where(mine, jobs.c.state == JobState.RUNNING)
                    .values(cancel_requested=True)
                )

        self._database.transact(work)
        return self.get(tenant, job_id)

    def unpublish(self, job_ids: Sequence[str]) -> None:
        """Hand jobs whose publishing failed to the reconciler, which publishes them again."""
        with self._database.write() as connection:
            for start in range(0, len(job_ids), _PAGE):
                connection.execute(
                    update(jobs)
                    .where(
                        jobs.c.id.in_(job_ids[start : start + _PAGE]),
                        jobs.c.state == JobState.QUEUED,
                    )
                    .values(published_at=None)
                )

    def shards(self, tenant: str, batch_id: str, first: int, limit: int) -> list[Job]:
        """Finished shards of a batch from ordinal ``first`` on, in order, up to the first gap."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(*_VIEW)
                .where(
                    jobs.c.tenant == tenant,
                    jobs.c.batch_id == batch_id,
                    jobs.c.ordinal >= first,
                    jobs.c.ordinal < first + limit,
                    jobs.c.state.in_(TERMINAL),
                )
                .order_by(jobs.c.ordinal)
            ).all()
        contiguous = []
        for offset, row in enumerate(rows):
            if row.ordinal != first + offset:
                break
            contiguous.append(_view(row))
        return contiguous

    def backlog(self, task: str | None = None) -> dict[tuple[str, str], int]:
        """Queued jobs by (task, priority), published or not; takes longer the more there are."""
        queued = jobs.c.state == literal_column("'queued'")  # as the partial indexes say it
        counts: Counter[tuple[str, str]] = Counter()
        with self._database.read() as connection:
            for published in (jobs.c.published_at.is_(None), jobs.c.published_at.is_not(None)):
                query = select(jobs.c.task, jobs.c.priority, func.count()).where(queued, published)
                if task is not None:
                    query = query.where(jobs.c.task == task)
                for row in connection.execute(query.group_by(jobs.c.task, jobs.c.priority)):
                    counts[row[0], row[1]] += row[2]
        return dict(counts)


def _view(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    values["priority"] = Priority(values["priority"])
    values["state"] = JobState(values["state"])
    values["run_at"] = values.pop("run_after")
    values["metadata"] = orjson.loads(values["metadata"])
    for name in ("result", "error"):
        values[name] = None if values[name] is None else orjson.loads(values[name])
    said, at = values.pop("progress", None), values.pop("updated_at", None)
    if said is not None:
        values["progress"] = {**orjson.loads(said), "updated_at": at}
    return Job(**values)
