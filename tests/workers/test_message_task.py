"""Celery's side of a task."""

from __future__ import annotations

import pytest
from celery.worker.consumer import Consumer

from lepton_tasks.errors import ConfigError
from workers.message_task import message_task


def test_a_task_has_the_name_and_the_limit_that_celery_reads() -> None:
    task = message_task("noop", "10/m")
    assert task.name == "lepton.noop"
    assert Consumer.bucket_for_task(None, task).fill_rate == pytest.approx(1 / 6)
    assert Consumer.bucket_for_task(None, message_task("noop", None)) is None


def test_it_runs_in_our_workers_alone() -> None:
    with pytest.raises(RuntimeError, match=r"workers\.app"):
        message_task("noop", None).run()


@pytest.mark.parametrize("wrong", ["often", "10/fortnight", "/s"])
def test_a_limit_that_cannot_be_read_is_named(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"noop has the rate_limit .*10/s"):
        message_task("noop", wrong)
