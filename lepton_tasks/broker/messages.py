"""Celery messages, protocol 2, as bytes: a job's message carries its id and nothing else.

Equal to what Celery's ``as_task_v2`` and kombu's Redis transport write for a task
without arguments, which a test compares field by field; made from a template a
queue, because preparing each with Celery costs over a hundred microseconds.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import orjson

from lepton_tasks.queues import message_name, queue_name

OWN_HEADER: Final = "lepton"
"""Header that marks a message of ours: its job has a row, its arguments mean nothing."""

_BODY: Final = base64.b64encode(
    b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'
).decode()
_ID: Final = "\x00id"
_TAG: Final = "\x00tag"
_TAG_BYTES: Final = 16


def thin_message(job_id: str, task: str, priority: str) -> bytes:
    """Message for a stored job, ready to be pushed onto its queue's list."""
    return thin_messages([job_id], task, priority)[0]


def thin_messages(job_ids: Sequence[str], task: str, priority: str) -> list[bytes]:
    """Messages for stored jobs of one queue, in order."""
    template = _template(task, priority)
    # Read at once: asking the system for random bytes costs more than a message.
    tags = os.urandom(_TAG_BYTES * len(job_ids)).hex().encode()
    messages = []
    for place, job_id in enumerate(job_ids):
        quoted = orjson.dumps(job_id)[1:-1]
        tag = tags[2 * _TAG_BYTES * place : 2 * _TAG_BYTES * (place + 1)]
        messages.append(template % (quoted, quoted, quoted, tag))
    return messages


@lru_cache(maxsize=256)
def _template(task: str, priority: str) -> bytes:
    """Message with ``%b`` for the id, three times, then for the delivery tag."""
    message = {
        "body": _BODY,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": message_name(task),
            "id": _ID,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": _ID,
            "parent_id": None,
            "argsrepr": "",
            "kwargsrepr": "",
            "origin": "lepton",
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
            OWN_HEADER: 1,
        },
        "properties": {
            "correlation_id": _ID,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue_name(task, priority)},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": _TAG,
        },
    }
    template = orjson.dumps(message).replace(b"%", b"%%")
    for mark in (_ID, _TAG):
        template = template.replace(orjson.dumps(mark)[1:-1], b"%b")
    return template
