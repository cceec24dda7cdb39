"""Command lines that their programs understand, and that name no secret."""

from __future__ import annotations

import logging
import sys

from celery.bin.worker import worker as celery_worker

from api.__main__ import _parser
from lepton_tasks.embedded.commands import (
    api_command,
    flower_command,
    lepton_command,
    worker_command,
)
from lepton_tasks.queues import Priority, split_queue_name


def test_celery_understands_a_workers_command_line() -> None:
    command = worker_command(["moderation", "翻译"], "gpu-0@here", "WARNING")
    assert command[:3] == [sys.executable, "-m", "celery"]
    arguments = command[command.index("worker") + 1 :]
    context = celery_worker.make_context("worker", list(arguments), resilient_parsing=True)
    assert context.args == []
    assert context.params["hostname"] == "gpu-0@here"
    assert context.params["loglevel"] == logging.WARNING
    assert context.params["without_mingle"] and context.params["without_gossip"]
    queues = command[command.index("-Q") + 1].split(",")
    assert len(queues) == len(set(queues)) == 6
    assert {split_queue_name(queue)[0] for queue in queues} == {"moderation", "翻译"}


def test_urgent_queues_of_all_tasks_come_first() -> None:
    command = worker_command(["a", "b", "c"], "gpu-0@here")
    queues = command[command.index("-Q") + 1].split(",")
    ranks = [split_queue_name(queue)[1].rank for queue in queues]
    assert ranks == sorted(ranks) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert set(ranks) == {priority.rank for priority in Priority}


def test_the_api_understands_its_command_line() -> None:
    command = api_command(8123, "0.0.0.0")  # noqa: S104
    assert command[:3] == [sys.executable, "-m", "api"]
    options = _parser().parse_args(command[3:])
    assert (options.host, options.port) == ("0.0.0.0", 8123)  # noqa: S104


def test_flower_listens_where_it_is_told() -> None:
    command = flower_command(5999, "127.0.0.1")
    assert command[:3] == [sys.executable, "-m", "celery"]
    assert {"flower", "--address=127.0.0.1", "--port=5999"} <= set(command)
    assert not any("auth" in part for part in command)  # the login is in its environment


def test_our_own_command_takes_arguments_as_they_are() -> None:
    name = "评论 & more; rm.jsonl"
    assert lepton_command("batch", "run", name)[-3:] == ["batch", "run", name]
