"""Jobs of plain Celery messages that something is to follow, in a store without any process."""

from __future__ import annotations

import json
from typing import Any

from lepton_tasks.canvas.canvas import read_canvas
from lepton_tasks.jobs import ClaimedJob, FinishedJob, NewJob, Payload
from lepton_tasks.store.adoptions import Adoption
from lepton_tasks.store.follow_ups import FollowUp
from lepton_tasks.store.store import Store

TENANT = "default"
FAILED = '{"code":"model_error","message":"no luck"}'


def call(name: str, task_id: str | None = None, **options: Any) -> dict[str, Any]:
    """A signature as it stands in a message."""
    return {"task": name, "options": options | ({"task_id": task_id} if task_id else {})}


def adoption(job_id: str, headers: dict[str, Any] | None = None, **embed: Any) -> Adoption:
    """What a worker makes of a message with those parts."""
    job = NewJob(TENANT, "moderation", Payload(("你好",), single=True), 1, id=job_id)
    return Adoption(job, canvas=read_canvas(job_id, headers or {}, embed))


def adopt(store: Store, job_id: str, headers: dict[str, Any] | None = None, **embed: Any) -> Any:
    """The claimed job of such a message."""
    [claim] = store.claims.claim("w1", [], [adoption(job_id, headers, **embed)])
    return claim


def part_of(chord_id: str, index: int, body: dict[str, Any]) -> dict[str, Any]:
    """Arguments of :func:`adopt` for a part of a chord's header."""
    return {"headers": {"group": chord_id, "group_index": index}, "chord": body}


def finish(store: Store, claim: ClaimedJob, output: Any = None, error: str | None = None) -> None:
    """End a job, well or with an error."""
    result = None if error else json.dumps({"outputs": [output]})
    assert store.claims.finish([FinishedJob(claim, result, error)]) == {claim.id}


def owed(store: Store) -> list[tuple[str, list[Any]]]:
    """Names and arguments of the calls that are owed, which are sent by it."""
    return [(one.call.signature["task"], one.call.args) for one in send(store)]


def send(store: Store) -> list[FollowUp]:
    """The calls that are owed; they count as sent."""
    taken = store.follow_ups.take()
    store.follow_ups.sent(taken)
    return taken
