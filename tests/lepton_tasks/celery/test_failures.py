"""The exception that Celery's readers get."""

from __future__ import annotations

import pickle

from celery.utils.serialization import get_pickleable_exception

from lepton_tasks.celery.failures import JobFailed


def test_it_travels_between_processes_as_it_is() -> None:
    error = JobFailed("out_of_memory: too long")
    assert get_pickleable_exception(error) is error
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(again), str(again)) == (JobFailed, str(error))
