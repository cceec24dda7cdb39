"""The launcher: brings up child processes in order, keeps them up, takes them down."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.supervised import Supervised
from lepton_tasks.managed import Running

_POLL_SECONDS = 0.05


class Launcher(Running):
    """Runs a list of children from :meth:`start` until :meth:`stop`.

    One thread starts, watches and stops them all: children die with the thread
    that started them, so that not even SIGKILL of this process leaves one
    running, and this thread lives until the last child is gone. Each child
    writes to ``<logs>/<name>.log``, or to this process's own output where ``logs``
    is None. ``on_status`` gets one line a change of state, in that thread. On stop
    the children get SIGTERM in reverse order, each ``grace`` seconds, then SIGKILL
    with their process group. Children that do not need each other run ``together``:
    all are started at once, and all have the same ``grace`` seconds to stop.

    Use it as a context manager, or pair start with stop.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        logs: Path | None,
        *,
        grace: float = 15.0,
        together: bool = False,
        on_status: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Start nothing yet. Raises ValueError when two children share a name."""
        if len({spec.name for spec in specs}) != len(specs):
            raise ValueError("two children share a name")
        self._children = [
            Supervised(spec, None if logs is None else logs / f"{spec.name}.log", on_status, grace)
            for spec in specs
        ]
        self._together = together
        self._to_renew: list[Supervised] = []
        self._renewal = threading.Event()
        self._stop = threading.Event()
        self._up = threading.Event()
        self._done = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="launcher", daemon=True)

    def start(self) -> None:
        """Start the children, as a rule each after the one before it; return when all are ready.

        Raises ChildFailed when one does not come up, what a ``ready`` check
        raised, or OSError when a log cannot be opened. Whatever ends it early,
        Ctrl-C included, nothing runs afterwards.
        """
        try:
            self._thread.start()
            self._up.wait()
        except BaseException:
            self.stop()
            raise
        self._raise_failure()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the children are stopped; return whether they are.

        ``timeout`` in seconds, None for ever; 0 just asks. Raises what ended the
        system when that was not :meth:`stop`: ChildFailed as a rule.
        """
        ended = self._done.wait(timeout)
        self._raise_failure()
        return ended

    def renew(self) -> None:
        """Have each child replaced by a new process, one by one, and return at once.

        A child is asked to end when all of them are ready, so that one at a time is
        missing. Safe to call from a signal handler.
        """
        self._renewal.set()

    def stop(self) -> None:
        """Stop all children and wait until they are gone. Safe to call again."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stops:  # last in, first out, whatever one raises
                for child in self._children:
                    stops.callback(child.stop)
                if self._together:
                    stops.callback(self._ask_all_to_end)
                self._bring_up()
                self._up.set()
                while not self._stop.wait(_POLL_SECONDS):
                    self._step(self._children)
                    self._renew_next()
        except BaseException as error:  # noqa: BLE001 - raised again by start and wait
            self._failure = error
        finally:
            self._done.set()
            self._up.set()

    def _bring_up(self) -> None:
        waves = [self._children] if self._together else [[child] for child in self._children]
        running: list[Supervised] = []
        for wave in waves:
            if self._stop.is_set():
                return
            for child in wave:
                child.start()
            running += wave
            self._step(running)
            while not _all_ready(wave) and not self._stop.wait(_POLL_SECONDS):
                self._step(running)

    def _renew_next(self) -> None:
        if self._renewal.is_set():
            self._renewal.clear()
            self._to_renew = list(self._children)
        if self._to_renew and _all_ready(self._children):
            self._to_renew.pop(0).ask_to_end("asked to restart")

    def _ask_all_to_end(self) -> None:
        for child in self._children:
            child.ask_to_end("stopping")

    @staticmethod
    def _step(children: Sequence[Supervised]) -> None:
        for child in children:
            child.step()

    def _raise_failure(self) -> None:
        if self._done.is_set() and self._failure is not None:
            raise self._failure


def _all_ready(children: Sequence[Supervised]) -> bool:
    return all(child.ready for child in children)
