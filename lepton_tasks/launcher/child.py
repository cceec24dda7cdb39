"""One child process: what to run, and the running thing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lepton_tasks.launcher.backoff import RestartPolicy
from lepton_tasks.launcher.logs import open_log, tail
from lepton_tasks.launcher.tether import tethered


@dataclass(frozen=True, slots=True)
class Ailment:
    """Why a running child must be replaced; ``kill`` when it cannot be asked to end."""

    reason: str
    kill: bool = False


Look = Callable[[], Ailment | None]
"""Looks at one process; answers at once."""


@dataclass(frozen=True)
class ChildSpec:
    """What to run, and how to tell that it runs.

    ``env`` is added to the environment of this process. ``ready`` is asked
    again and again until it says True; it must answer within about a second,
    and what it raises ends the launch. Without it a child is ready at once.
    A child that is not ready ``ready_timeout`` seconds after its start has
    failed. With ``restart`` a child that was ready once is started again when
    it exits, whatever its exit code, as ``policy`` allows; without it, its exit
    ends the system. ``at_once`` names exit codes after which no delay is made,
    and what each of them means.

    ``watch`` makes, from the pid of a new process, what is asked again and again
    while that process is ready; an ailment ends it and counts as a crash.
    ``gone`` is called after each end of a process; what it returns is what that end is
    put down to: a crash that has been explained does not count as one, and there is no
    delay after it. ``give_up`` is asked after such an end: why there shall be no other
    process all the same. None of them may raise.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    ready_timeout: float = 60.0
    restart: bool = True
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    at_once: Mapping[int, str] = field(default_factory=dict)
    watch: Callable[[int], Look] | None = None
    gone: Callable[[], str | None] = lambda: None
    give_up: Callable[[], str | None] = lambda: None


class Child:
    """A running process in a session of its own, writing to a log or to our own output.

    It is its group's leader, so a Ctrl-C in the terminal does not reach it; it
    dies when the thread that made it ends (:mod:`lepton_tasks.launcher.tether`).
    """

    def __init__(self, spec: ChildSpec, log: Path | None) -> None:
        """Start the process; without a ``log`` it writes where this process does.

        Raises OSError when the log cannot be opened.
        """
        self._log = log
        self._log_start = 0
        with contextlib.ExitStack() as stack:
            descriptor = None
            if log is not None:
                descriptor = open_log(log)
                stack.callback(os.close, descriptor)
                self._log_start = os.fstat(descriptor).st_size
            self._process = subprocess.Popen(
                tethered(spec.argv),
                env={**os.environ, **spec.env},
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal's number; None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM). What it started is its own to end."""
        self._process.terminate()

    def wait(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds; return whether the process has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
            return True
        return False

    def kill_group(self) -> None:
        """Kill what is left of the process and its group, and wait for the process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def log_tail(self) -> str:
        """Return the end of what this run wrote to its log; empty without one."""
        return "" if self._log is None else tail(self._log, start=self._log_start)


def describe_exit(code: int) -> str:
    """Say how a process ended.

    >>> describe_exit(3)
    'ended with exit code 3'
    >>> describe_exit(-9)
    'was killed by SIGKILL'
    >>> describe_exit(-33)
    'was killed by signal 33'
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
