"""lepton-tasks as its users see it: one Producer a process, shared by its threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.producer import Producer
from lepton_tasks.requests import JobRequest
from lepton_tasks.settings import load_settings
from lepton_tasks.states import JobState


class Client:
    """A producer."""

    def __init__(self) -> None:
        self._producer = Producer(running_settings(load_settings()))

    def send(self, task: str, text: str, priority: str) -> str:
        """Submit one job durably; returns its id."""
        return self._producer.submit(task, text, priority=priority).id

    def wait(self, handle: str, seconds: float) -> None:
        """Wait until the job has succeeded.

        Raises:
            RuntimeError: it ended otherwise, or not in time.
        """
        job = self._producer.wait(handle, seconds)
        if job.state is not JobState.SUCCEEDED:
            raise RuntimeError(f"job {handle} is {job.state} after {seconds} s")

    def send_many(self, task: str, groups: Sequence[Sequence[str]], priority: str) -> None:
        """Submit one job a group of texts, all in one transaction, and publish them."""
        requests = [_request(task, group, priority) for group in groups]
        deque(self._producer.submit_many(requests, chunk=len(requests)), maxlen=0)


def connect() -> Client:
    """Make a client."""
    return Client()


def _request(task: str, group: Sequence[str], priority: str) -> JobRequest:
    if len(group) == 1:
        return JobRequest(task=task, input=group[0], priority=priority)
    return JobRequest(task=task, inputs=list(group), priority=priority)
