"""Celery's hook for our messages: no pool, no trace; the message goes to the intake.

A Celery ``Strategy`` decides what a worker does with each message of a task. Ours
makes a real Celery request of it, so that revoke, ``inspect`` and Flower work, and
hands it over. A message with our header stands for a stored job; any other comes
from a plain Celery producer and is adopted: its arguments become a row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from celery.exceptions import InvalidTaskError
from celery.utils.imports import symbol_by_name
from celery.worker import state
from celery.worker.request import create_request_cls

from lepton_tasks.broker.messages import OWN_HEADER
from lepton_tasks.canvas.signatures import CanvasRefused
from lepton_tasks.ids import is_foreign_id
from lepton_tasks.requests import Admission
from lepton_tasks.store.adoptions import Adoption
from workers.adoption import adopt
from workers.intake import Received
from workers.runtime import Runtime

logger = logging.getLogger(__name__)

_UNUSED: Final = {
    # With these no text of a producer could reach Celery's logs, events, counters or `inspect`.
    "argsrepr": "",
    "kwargsrepr": "",
    "shadow": None,
    # Times are the row's: by its own, Celery would hold a message back or drop it.
    "eta": None,
    "expires": None,
}
"""Headers that Celery's request does not see."""
_NO_ARGUMENTS: Final[tuple[Any, ...]] = ([], {}, {})
"""Payload of every message of ours, whatever its body says: the row holds the arguments."""


def strategy(task: Any, app: Any, consumer: Any, **_: Any) -> Callable[..., None]:
    """Return the handler that Celery calls on its event loop with each message of ``task``."""
    runtime: Runtime = consumer.controller.lepton_runtime
    admission: Admission = consumer.controller.lepton_admission
    tenant = str(app.conf.lepton_default_tenant)
    eventer = consumer.event_dispatcher
    request_class = create_request_cls(
        symbol_by_name(task.Request), task, consumer.pool, consumer.hostname, eventer, app=app
    )

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        headers = {**message.headers, **_UNUSED}
        job_id = headers.get("id")
        if not is_foreign_id(job_id):
            raise InvalidTaskError("the message has no usable task id")
        own = OWN_HEADER in headers
        payload = _NO_ARGUMENTS if own else message.payload
        if not (isinstance(payload, list | tuple) and len(payload) == 3):
            raise InvalidTaskError("the body is not [args, kwargs, embed]")
        request = request_class(
            message,
            on_ack=ack,
            on_reject=reject,
            app=app,
            hostname=consumer.hostname,
            eventer=eventer,
            task=task,
            connection_errors=consumer.connection_errors,
            body=_NO_ARGUMENTS,  # what is to follow is the store's work, not Celery's
            headers=headers,
            decoded=True,
        )
        adoption = None if own else _adoption(admission, tenant, message, payload)
        if request.revoked():
            if adoption is not None:  # stored as cancelled, so that what follows is told
                state.task_reserved(request)
                runtime.put(Received(request, job_id, replace(adoption, revoked=True)))
            return
        consumer.limits.spend(request.name)
        request.send_event("task-received", name=request.name, args="", kwargs="", retries=0)
        state.task_reserved(request)
        runtime.put(Received(request, job_id, adoption))

    return handle


def _adoption(admission: Admission, tenant: str, message: Any, payload: Any) -> Adoption:
    try:
        return adopt(admission, tenant, message, payload)
    except CanvasRefused as error:
        raise InvalidTaskError(str(error)) from error
