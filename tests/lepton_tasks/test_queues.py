"""A queue's name says its task and priority, both ways, whatever the task is called."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.errors import InvalidInput
from lepton_tasks.queues import (
    Priority,
    message_name,
    parse_priority,
    queue_name,
    route_task,
    split_queue_name,
    task_of_message,
)

names = st.text(st.sampled_from("ab.翻译-_"), min_size=1, max_size=8)


@given(names, st.sampled_from(Priority))
def test_a_name_splits_into_what_it_was_made_of(task: str, priority: Priority) -> None:
    assert split_queue_name(queue_name(task, priority)) == (task, priority)


@given(names)
def test_a_message_leads_back_to_its_task(task: str) -> None:
    assert task_of_message(message_name(task)) == task
    assert task_of_message(message_name(message_name(task))) == message_name(task)


@pytest.mark.parametrize(
    "foreign", ["celery", "", ".", ".high", "high", "moderation.", "moderation.urgent", "a.HIGH"]
)
def test_a_foreign_queue_is_whole_and_normal(foreign: str) -> None:
    assert split_queue_name(foreign) == (foreign, Priority.NORMAL)


def test_ranks_begin_with_the_most_urgent() -> None:
    assert sorted(Priority, key=lambda one: one.rank) == [
        Priority.HIGH,
        Priority.NORMAL,
        Priority.BULK,
    ]
    assert Priority.HIGH.rank == 0


@pytest.mark.parametrize("priority", Priority)
def test_priorities_are_read_as_written(priority: Priority) -> None:
    assert parse_priority(priority.value) is priority
    assert parse_priority(priority) is priority


@pytest.mark.parametrize(
    "value", [None, 0, True, "", "HIGH", "Priority.HIGH", " high", b"high", ["high"], {}, "紧急"]
)
def test_what_is_no_priority_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidInput, match="must be one of high, normal, bulk") as refusal:
        parse_priority(value)
    assert (refusal.value.param, refusal.value.code) == ("priority", "unknown_priority")


@pytest.mark.parametrize(
    ("name", "queue"),
    [
        ("lepton.moderation", "moderation.normal"),
        ("lepton.翻译", "翻译.normal"),
        ("celery.chord_unlock", "celery"),
        ("leptonic.task", "celery"),
        ("their.lepton.moderation", "celery"),
    ],
)
def test_celery_routes_our_messages_and_no_other(name: str, queue: str) -> None:
    app = Celery(set_as_current=False)
    app.conf.task_routes = (route_task,)
    route: dict[str, Any] = app.amqp.router.route({}, name)
    found = route["queue"]
    assert (found if isinstance(found, str) else found.name) == queue


def test_a_queue_that_was_named_is_kept() -> None:
    app = Celery(set_as_current=False)
    app.conf.task_routes = (route_task,)
    route = app.amqp.router.route({"queue": "moderation.high"}, "lepton.moderation")
    assert route["queue"].name == "moderation.high"
