"""The store as Celery's result backend, for whoever uses stock Celery beside our workers.

Jobs are read from their rows, which the workers' transactions write, never this class, except
that a revoked task cancels its job. What other workers' tasks return, and groups that are saved,
is kept beside them. Chords are counted by the store (`lepton_tasks/store/chords.py`).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from celery import Celery, states
from celery.backends.base import BaseBackend
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import GroupResult, result_from_tuple
from sqlalchemy.exc import SQLAlchemyError

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import Waiter, announce
from lepton_tasks.canvas.following import Following, Part
from lepton_tasks.celery.broker import redis_url
from lepton_tasks.celery.metas import deleted_meta, meta_of, pending_meta
from lepton_tasks.celery.sending import FollowUpSender
from lepton_tasks.errors import (
    BrokerUnavailable,
    ConfigError,
    Conflict,
    Gone,
    NotFound,
    StoreUnavailable,
)
from lepton_tasks.states import JobState
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import check_schema
from lepton_tasks.store.store import Store

_POLL_SECONDS: Final = 0.5
_SETTLE_SECONDS: Final = 0.02
"""How long more ends are waited for before results of many tasks are looked up again."""
_PAGE: Final = 500


class StoreBackend(BaseBackend):  # type: ignore[misc] # Celery has no types
    """Reads results of the default tenant: Celery clients have no API key."""

    supports_autoexpire = True
    supports_native_join = True

    def __init__(self, app: Celery, url: str | None = None, **kwargs: Any) -> None:
        """``url`` is the store's SQLAlchemy URL.

        Raises:
            ConfigError: it is missing, or results are not to be JSON.
        """
        super().__init__(app, url=url, **kwargs)
        if not url:
            raise ConfigError("the result backend needs the store's URL: lepton+sqlite:////…")
        if self.content_type != "application/json":
            raise ConfigError(f"result_serializer must be json, and is {self.serializer}")
        self._store_url = url
        self._opened: Store | None = None
        self._opened_by = 0
        self._waiter: Waiter | None = None
        self._announcing: Any = None

    @property
    def _store(self) -> Store:
        if self._opened is not None and self._opened_by != os.getpid():
            self._opened.database.leave_to_parent()  # this is a child of a prefork pool
        if self._opened is None:
            database = Database(self._store_url)
            check_schema(database)
            self._opened = Store(database)
        self._opened_by = os.getpid()
        return self._opened

    @property
    def _tenant(self) -> str:
        return str(self.app.conf.get("lepton_default_tenant") or "default")

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        try:
            job = self._store.jobs.get(self._tenant, task_id)
        except Gone as error:
            meta = deleted_meta(task_id, error)
        except NotFound:
            return next(self._others([task_id]), None) or pending_meta(task_id)
        else:
            followed = job.state is JobState.SUCCEEDED
            meta = meta_of(job, self._store.canvases.children(task_id) if followed else None)
        return self._decoded(meta)

    def _decoded(self, meta: dict[str, Any]) -> dict[str, Any]:
        decoded: dict[str, Any] = self.meta_from_decoded(meta)
        return decoded

    def _others(self, task_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Results of tasks that are no jobs."""
        for found in self._store.task_results.find(task_ids):
            yield self._decoded(self.decode(found.meta))

    def task_result_exists(self, task_id: str) -> bool:
        """Whether the task has a job, waiting or not, or a result."""
        try:
            self._store.jobs.get(self._tenant, task_id)
        except Gone:
            return False
        except NotFound:
            return bool(self._store.task_results.find([task_id]))
        return True

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
                watch.wait(_wait_until(end))

    def get_many(
        self,
        task_ids: Iterable[str],
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
        **_: Any,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ids and metas of tasks as they end: a query for all that are open, not one each.

        Raises:
            celery.exceptions.TimeoutError: some have not ended after ``timeout`` seconds.
        """
        self._ensure_not_eager()
        end = None if timeout is None else time.monotonic() + timeout
        waiting = dict.fromkeys(task_ids)
        with self._wake().watch() as watch:
            while waiting:
                for meta in self._ended(list(waiting)):
                    del waiting[meta["task_id"]]
                    if on_message is not None:
                        on_message(meta)
                    yield meta["task_id"], meta
                if not waiting:
                    return
                if on_interval:
                    on_interval()
                if watch.wait(_wait_until(end)) and len(waiting) > 1:
                    time.sleep(_SETTLE_SECONDS)

    def _ended(self, task_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Metas of those that have ended, without their children."""
        for start in range(0, len(task_ids), _PAGE):
            page = task_ids[start : start + _PAGE]
            found = [meta_of(job) for job in self._store.jobs.find(self._tenant, page)]
            ours = {meta["task_id"] for meta in found}
            others = [task_id for task_id in page if task_id not in ours]
            metas = [self._decoded(meta) for meta in found]
            if others:
                metas += self._others(others)
                metas += [self.get_task_meta(gone) for gone in self._store.jobs.deleted(others)]
            yield from (meta for meta in metas if meta["status"] in states.READY_STATES)

    def _store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **kwargs: Any,
    ) -> Any:
        if state == states.REVOKED and self._cancelled(task_id):
            return result
        meta = self._get_result_meta(
            result=result, state=state, traceback=traceback, request=request
        )
        self._store.task_results.put(task_id, state, self.encode(meta | {"task_id": task_id}))
        if state == states.REVOKED:
            self._cancelled(task_id)  # its row may have come meanwhile; from now on none is made
        if state in states.READY_STATES:
            announce(self._announcer(), [task_id])
        return result

    def _cancelled(self, task_id: str) -> bool:
        """Cancel the job of a task, unless there is none."""
        try:
            self._store.jobs.cancel(self._tenant, task_id)
        except NotFound:
            return False
        return True

    def _forget(self, task_id: str) -> None:
        """Delete the job of a task, with its texts, once it has ended; or another task's result."""
        with suppress(NotFound, Conflict):
            self._store.retention.erase(self._tenant, task_id)
        self._store.task_results.forget(task_id)

    def _save_group(self, group_id: str, result: Any) -> Any:
        self._store.task_results.save_group(group_id, self.encode({"result": result.as_tuple()}))
        return result

    def _restore_group(self, group_id: str) -> dict[str, Any] | None:
        tree = self._store.task_results.group(group_id)
        if tree is None:
            return None
        return {"result": result_from_tuple(self.decode(tree)["result"], self.app)}

    def _delete_group(self, group_id: str) -> None:
        self._store.task_results.delete_group(group_id)

    def apply_chord(self, header_result_args: Any, body: Any, **kwargs: Any) -> None:
        """Note a chord's body; its header is sent after this returns."""
        self.ensure_chords_allowed()
        group_id, results = header_result_args[:2]
        # Lists alone are looked at: a generator makes its tasks when they are sent.
        nested = isinstance(results, list) and any(isinstance(one, GroupResult) for one in results)
        layout = [_ids_of(one) for one in results] if nested else None
        self._send(
            self._store.canvases.expect_chord(group_id, body=self._plain(body), layout=layout)
        )

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Note how many parts a chord's header has; called before the last of them is sent."""
        self._send(self._store.canvases.expect_chord(group_id, size=chord_size))

    def on_chord_part_return(self, request: Any, state: str, result: Any, **kwargs: Any) -> None:
        """Count the end of a task of another worker; jobs are counted by what ends them."""
        group_id, task_id = request.group, request.id
        if not group_id or not task_id:
            return
        failed = state in states.PROPAGATE_STATES
        value = self._plain(self.encode_result(result, state))
        part = Part(
            group_id,
            task_id,
            request.group_index,
            result=None if failed else value,
            failure=value if failed else None,
            body=self._plain(request.chord) if request.chord else None,
        )
        self._send(self._store.canvases.follow(Following(parts=[part])))

    def _plain(self, value: Any) -> Any:
        """``value`` as it will be read from JSON; what only Celery's encoding knows stays coded."""
        return json.loads(self.encode(value))

    def _send(self, ids: list[str]) -> None:
        """Send calls that are owed now; the reconciler sends what fails here, and if this dies."""
        if ids:
            with suppress(BrokerUnavailable, StoreUnavailable, SQLAlchemyError):
                FollowUpSender(self._store.follow_ups, lambda: self.app, None).send(ids)

    def _wake(self) -> Waiter:
        if self._waiter is None:
            self._waiter = Waiter(connect(redis_url(self.app.conf), 1.0))
        return self._waiter

    def _announcer(self) -> Any:
        if self._announcing is None:
            self._announcing = connect(redis_url(self.app.conf), 1.0)
        return self._announcing


def _wait_until(end: float | None) -> float:
    """Seconds to wait before the next look.

    Raises:
        celery.exceptions.TimeoutError: ``end`` is past.
    """
    left = _POLL_SECONDS if end is None else end - time.monotonic()
    if left <= 0:
        raise CeleryTimeoutError("The operation timed out.")
    return min(left, _POLL_SECONDS)


def _ids_of(result: Any) -> Any:
    if isinstance(result, GroupResult):
        return [_ids_of(one) for one in result.results]
    return result.id
