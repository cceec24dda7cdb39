"""One supervised child: started, watched, started again, given up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lepton_tasks.launcher.child import Child, ChildSpec, Look, describe_exit
from lepton_tasks.launcher.errors import ChildFailed


class Supervised:
    """Keeps the process of one :class:`ChildSpec` up. Not thread-safe.

    ``report`` takes one line a change of state, for people to read. A process that
    is asked to end has ``grace`` seconds before it is killed.
    """

    def __init__(
        self, spec: ChildSpec, log: Path | None, report: Callable[[str], None], grace: float
    ) -> None:
        """Nothing runs until :meth:`start`."""
        self.spec = spec
        self._log = log
        self._report = report
        self._grace = grace
        self._child: Child | None = None
        self._look: Look | None = None
        self._started_at = 0.0
        self._ready_at: float | None = None
        self._was_ready = False
        self._deadline: float | None = None
        self._ailment = ""
        self._crashes = 0
        self._restart_at = 0.0

    @property
    def ready(self) -> bool:
        """Whether it runs, was ready and has not been asked to end."""
        return self._ready_at is not None and self._deadline is None

    def start(self) -> None:
        """Start the process. Raises OSError when its log cannot be opened."""
        self._report(f"{self.spec.name}: starting")
        self._child = Child(self.spec, self._log)
        self._look = self.spec.watch(self._child.pid) if self.spec.watch else None
        self._started_at = time.monotonic()

    def step(self) -> None:
        """Look once at the process and do what its state asks for.

        Raises ChildFailed when the child never became ready, must not be
        restarted, or crashes in a loop; its process is gone then.
        """
        child = self._child
        if child is None:
            if time.monotonic() >= self._restart_at:
                self.start()
            return
        code = child.exit_code()
        if self._deadline is not None:
            if code is not None or time.monotonic() >= self._deadline:
                self._has_ended(child, code is not None)
        elif code is not None:
            self._failed(child, describe_exit(code), self.spec.at_once.get(code))
        elif self._ready_at is None:
            self._look_for_ready(child)
        else:
            self._look_for_ailment(child)

    def ask_to_end(self, why: str) -> None:
        """Send SIGTERM, once; unless :meth:`stop` follows, a new process takes over."""
        if self._child is not None and self._deadline is None:
            self._child.terminate()
            self._deadline = time.monotonic() + self._grace
            self._report(f"{self.spec.name}: {why}")

    def stop(self) -> None:
        """End the process: SIGTERM, the grace that is left, then SIGKILL for what is left."""
        child = self._child
        if child is None:
            return
        try:
            self.ask_to_end("stopping")
            until = self._deadline or 0.0
            if not child.wait(max(0.0, until - time.monotonic())):
                self._report_overdue()
        finally:
            self._bury(child)

    def _look_for_ready(self, child: Child) -> None:
        waited = time.monotonic() - self._started_at
        if self.spec.ready is None or self.spec.ready():
            self._was_ready = True
            self._ready_at = time.monotonic()
            self._report(f"{self.spec.name}: ready ({waited:.1f} s)")
        elif waited > self.spec.ready_timeout:
            self._failed(child, f"was not ready after {self.spec.ready_timeout:g} s")

    def _look_for_ailment(self, child: Child) -> None:
        ailment = self._look() if self._look else None
        if ailment is None:
            return
        if ailment.kill:
            self._failed(child, f"{ailment.reason} and was killed")
        else:
            self._ailment = ailment.reason
            self.ask_to_end(f"{ailment.reason}, asked it to end")

    def _has_ended(self, child: Child, in_time: bool) -> None:
        if not in_time:
            self._report_overdue()
        if self._ailment:
            self._failed(child, self._ailment)
        else:
            self._bury(child)

    def _failed(self, child: Child, problem: str, at_once: str | None = None) -> None:
        ready_for = 0.0 if self._ready_at is None else time.monotonic() - self._ready_at
        explained = self._bury(child)
        if explained:
            self._was_ready = True  # it had work, so it was ready, whether that was seen or not
            if hopeless := self.spec.give_up():
                problem += f"; {hopeless}"
                raise ChildFailed(self.spec.name, problem, self._log, child.log_tail())
        if at_once is not None:
            problem += f" ({at_once})"
        if not (self.spec.restart and self._was_ready):
            raise ChildFailed(self.spec.name, problem, self._log, child.log_tail())
        delay: float | None = 0.0
        if not explained:
            self._crashes = self.spec.policy.count(self._crashes, ready_for)
            delay = self.spec.policy.delay(self._crashes)
        if delay is None:
            problem += f", {self._crashes} times in a row"
            raise ChildFailed(self.spec.name, problem, self._log, child.log_tail())
        delay = delay if at_once is None else 0.0
        when = f"in {delay:g} s" if delay else "at once"
        because = f"; {explained}" if explained else ""
        self._report(f"{self.spec.name}: {problem}, starting again {when}{because}")
        self._restart_at = time.monotonic() + delay

    def _bury(self, child: Child) -> str | None:
        """Leave nothing of the process behind; returns what its end is put down to."""
        child.kill_group()
        self._child = self._look = self._ready_at = self._deadline = None
        self._ailment = ""
        return self.spec.gone()

    def _report_overdue(self) -> None:
        self._report(f"{self.spec.name}: did not stop in {self._grace:g} s, killing it")
