"""One supervised child: started, watched, started again, given up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lepton_tasks.launcher.child import Child, ChildSpec, describe_exit
from lepton_tasks.launcher.errors import ChildFailed


class Supervised:
    """Keeps the process of one :class:`ChildSpec` up. Not thread-safe.

    ``report`` takes one line a change of state, for people to read.
    """

    def __init__(self, spec: ChildSpec, log: Path, report: Callable[[str], None]) -> None:
        """Nothing runs until :meth:`start`."""
        self.spec = spec
        self.ready = False
        self._log = log
        self._report = report
        self._child: Child | None = None
        self._crashes = 0
        self._was_ready = False
        self._since = 0.0
        self._restart_at = 0.0

    def start(self) -> None:
        """Start the process. Raises OSError when its log cannot be opened."""
        self._report(f"{self.spec.name}: starting")
        self._child = Child(self.spec, self._log)
        self._since = time.monotonic()

    def step(self) -> None:
        """Look once at the process and do what its state asks for.

        Raises ChildFailed when the child never became ready, must not be
        restarted, or crashes in a loop; its process is gone then.
        """
        if self._child is None:
            if time.monotonic() >= self._restart_at:
                self.start()
            return
        code = self._child.exit_code()
        if code is not None:
            self._failed(self._child, describe_exit(code))
        elif not self.ready:
            self._look_for_ready(self._child)

    def stop(self, grace: float) -> None:
        """End the process: SIGTERM, ``grace`` seconds, then SIGKILL for what is left."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            self._report(f"{self.spec.name}: stopping")
            if not child.wait(grace):
                self._report(f"{self.spec.name}: did not stop in {grace:g} s, killing it")
        finally:
            child.kill_group()

    def _look_for_ready(self, child: Child) -> None:
        waited = time.monotonic() - self._since
        if self.spec.ready is None or self.spec.ready():
            self.ready = self._was_ready = True
            self._since = time.monotonic()
            self._report(f"{self.spec.name}: ready ({waited:.1f} s)")
        elif waited > self.spec.ready_timeout:
            self._failed(child, f"was not ready after {self.spec.ready_timeout:g} s")

    def _failed(self, child: Child, problem: str) -> None:
        child.kill_group()
        self._child = None
        ready_for = time.monotonic() - self._since if self.ready else 0.0
        self.ready = False
        if not (self.spec.restart and self._was_ready):
            raise ChildFailed(self.spec.name, problem, self._log, child.log_tail())
        self._crashes = self.spec.policy.count(self._crashes, ready_for)
        delay = self.spec.policy.delay(self._crashes)
        if delay is None:
            problem += f", {self._crashes} times in a row"
            raise ChildFailed(self.spec.name, problem, self._log, child.log_tail())
        self._report(f"{self.spec.name}: {problem}, starting again in {delay:g} s")
        self._restart_at = time.monotonic() + delay
