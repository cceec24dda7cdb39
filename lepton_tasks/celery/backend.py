"""The store as Celery's result backend, so that ``AsyncResult(job_id).get()`` works.

Celery sees a job's state and output; the rows are written by the workers'
transactions, never by this class, except that a revoked task cancels its job.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from celery import Celery, states
from celery.backends.base import BaseBackend
from celery.exceptions import TimeoutError as CeleryTimeoutError

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import Waiter
from lepton_tasks.celery.broker import redis_url
from lepton_tasks.celery.failures import JobFailed
from lepton_tasks.errors import ConfigError, Gone, NotFound
from lepton_tasks.jobs import Job
from lepton_tasks.states import JobState
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import check_schema
from lepton_tasks.store.store import Store

_CELERY_STATES = {
    JobState.QUEUED: states.PENDING,
    JobState.RUNNING: states.STARTED,
    JobState.SUSPECT: states.STARTED,
    JobState.SUCCEEDED: states.SUCCESS,
    JobState.FAILED: states.FAILURE,
    JobState.CANCELLED: states.REVOKED,
    JobState.EXPIRED: states.REVOKED,
    JobState.DEAD: states.FAILURE,
}
_POLL_SECONDS = 0.5


class StoreBackend(BaseBackend):  # type: ignore[misc] # Celery has no types
    """Reads results of the default tenant: Celery clients have no API key."""

    supports_autoexpire = True

    def __init__(self, app: Celery, url: str | None = None, **kwargs: Any) -> None:
        """``url`` is the store's SQLAlchemy URL.

        Raises:
            ConfigError: it is missing.
        """
        super().__init__(app, url=url, **kwargs)
        if not url:
            raise ConfigError("the result backend needs the store's URL: lepton+sqlite:////…")
        self._store_url = url
        self._opened: Store | None = None
        self._waiter: Waiter | None = None

    @property
    def _store(self) -> Store:
        if self._opened is None:
            database = Database(self._store_url)
            check_schema(database)
            self._opened = Store(database)
        return self._opened

    @property
    def _tenant(self) -> str:
        return str(self.app.conf.get("lepton_default_tenant") or "default")

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        try:
            meta = _meta(self._store.jobs.get(self._tenant, task_id))
        except Gone as error:
            meta = _deleted(task_id, error)
        except NotFound:
            return {"task_id": task_id, "status": states.PENDING, "result": None}
        decoded: dict[str, Any] = self.meta_from_decoded(meta)
        return decoded

    def wait_for(
        self,
        task_id: str,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_interval: Any = None,
    ) -> dict[str, Any]:
        """Return the task's meta once it has ended; woken by Redis, polling the store beside.

        Raises:
            celery.exceptions.TimeoutError: it has not ended after ``timeout`` seconds.
        """
        self._ensure_not_eager()
        end = None if timeout is None else time.monotonic() + timeout
        with self._wake().watch(task_id) as watch:
            while True:
                meta: dict[str, Any] = self.get_task_meta(task_id)
                if meta["status"] in states.READY_STATES:
                    return meta
                if on_interval:
                    on_interval()
                left = _POLL_SECONDS if end is None else end - time.monotonic()
                if left <= 0:
                    raise CeleryTimeoutError("The operation timed out.")
                watch.wait(min(left, _POLL_SECONDS))

    def _store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **kwargs: Any,
    ) -> Any:
        if state == states.REVOKED:
            with suppress(NotFound):  # revoked before its job had a row
                self._store.jobs.cancel(self._tenant, task_id)
        return result

    def _wake(self) -> Waiter:
        if self._waiter is None:
            self._waiter = Waiter(connect(redis_url(self.app.conf), 1.0))
        return self._waiter


def _meta(job: Job) -> dict[str, Any]:
    """Celery's view of a job; a failure carries the error's code as the exception's name."""
    status = _CELERY_STATES[job.state]
    result: Any = job.output()
    if status in (states.FAILURE, states.REVOKED):
        error = job.error or {"code": job.state, "message": f"the job was {job.state}"}
        name = JobFailed.__name__ if status == states.FAILURE else "TaskRevokedError"
        module = JobFailed.__module__ if status == states.FAILURE else "celery.exceptions"
        result = {
            "exc_type": name,
            "exc_message": [f"{error['code']}: {error['message']}"],
            "exc_module": module,
        }
    return {
        "task_id": job.id,
        "status": status,
        "result": result,
        "traceback": None,
        "children": [],
        "date_done": job.finished_at,
    }


def _deleted(task_id: str, error: Gone) -> dict[str, Any]:
    """A failure, where Celery would wait for ever for what it takes to be pending."""
    failure = {
        "exc_type": JobFailed.__name__,
        "exc_message": [f"{error.code}: {error}"],
        "exc_module": JobFailed.__module__,
    }
    return {"task_id": task_id, "status": states.FAILURE, "result": failure, "traceback": None}
