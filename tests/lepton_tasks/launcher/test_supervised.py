"""One child through its life, step by step: real processes, delays of nothing or for ever."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.launcher.backoff import RestartPolicy
from lepton_tasks.launcher.child import Ailment, ChildSpec
from lepton_tasks.launcher.errors import ChildFailed
from lepton_tasks.launcher.runfile import process_start
from lepton_tasks.launcher.supervised import Supervised

AT_ONCE = RestartPolicy(first_delay=0.0, limit=3)
NEVER_AGAIN = RestartPolicy(first_delay=1e6, max_delay=1e6, limit=100)
SLEEP = ["sleep", "600"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 600; done"]


class Life:
    """A supervised child, what was reported of it, and the pids it has had."""

    def __init__(self, folder: Path, argv: list[str], grace: float = 600.0, **spec: Any) -> None:
        self.reports: list[str] = []
        self.pids: list[int] = []
        self.ailment: Ailment | None = None
        self.log = folder / "child.log"

        def watch(pid: int) -> Callable[[], Ailment | None]:
            self.pids.append(pid)
            return lambda: self.ailment

        spec = {"policy": AT_ONCE, "watch": watch, **spec}
        self.child = Supervised(
            ChildSpec("child", argv, **spec), self.log, self.reports.append, grace
        )
        self._wait: Callable[[Callable[[], bool]], None] = lambda done: None

    def until(self, done: Callable[[], bool]) -> None:
        """Step until something is so."""

        def stepped() -> bool:
            if not done():
                self.child.step()
            return done()

        self._wait(stepped)

    def start(self) -> int:
        """Start it and wait until it is ready; returns its pid."""
        self.child.start()
        self.until(lambda: self.child.ready)
        return self.pids[-1]

    def killed(self, pid: int, count: int) -> int:
        """Kill process ``pid``; returns the pid of the one after it, the ``count``th."""
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: len(self.pids) == count and self.child.ready)
        return self.pids[-1]

    def fails(self) -> ChildFailed:
        """Step until it is given up."""
        with pytest.raises(ChildFailed) as failure:
            self.until(lambda: False)
        return failure.value

    def gone(self) -> bool:
        return all(process_start(pid) is None for pid in self.pids)

    def said(self, words: str) -> int:
        return sum(words in line for line in self.reports)


MakeLife = Callable[..., Life]


@pytest.fixture
def life(tmp_path: Path, wait_until: Callable[[Callable[[], bool]], None]) -> Iterator[MakeLife]:
    made: list[Life] = []

    def make(argv: list[str], **more: Any) -> Life:
        made.append(Life(tmp_path, argv, **more))
        made[-1]._wait = wait_until
        return made[-1]

    yield make
    for one in made:
        one.child.stop()
        assert one.gone()


def exits(code: int) -> list[str]:
    return ["sh", "-c", f"exit {code}"]


def test_it_is_ready_when_its_spec_says_so(life: MakeLife) -> None:
    answers = iter([False, False, True])
    one = life(SLEEP, ready=lambda: next(answers))
    assert not one.child.ready
    one.child.start()
    for wanted in (False, False, True, True):
        one.child.step()
        assert one.child.ready is wanted
    assert one.reports[0] == "child: starting"
    assert one.reports[1].startswith("child: ready (")


def test_one_that_is_never_ready_is_given_up_and_killed(life: MakeLife) -> None:
    one = life(SLEEP, ready=lambda: False, ready_timeout=0.0)
    one.child.start()
    assert "was not ready after 0 s" in str(one.fails())
    assert one.gone()


def test_one_that_ends_before_it_was_ready_is_not_started_again(life: MakeLife) -> None:
    one = life(["sh", "-c", "echo 没有文件; exit 3"], ready=lambda: False)
    one.child.start()
    failure = one.fails()
    assert "ended with exit code 3" in str(failure)
    assert (failure.name, failure.tail, failure.log) == ("child", "没有文件", one.log)
    assert len(one.pids) == 1


def test_one_that_dies_is_started_again(life: MakeLife) -> None:
    one = life(SLEEP)
    first = one.start()
    os.kill(first, signal.SIGKILL)
    one.until(lambda: len(one.pids) == 2)
    assert not one.child.ready
    one.until(lambda: one.child.ready)
    assert one.said("was killed by SIGKILL, starting again at once") == 1
    assert process_start(first) is None


def test_it_waits_before_it_starts_again(life: MakeLife) -> None:
    one = life(SLEEP, policy=NEVER_AGAIN)
    os.kill(one.start(), signal.SIGKILL)
    one.until(lambda: one.said("starting again in 1e+06 s") == 1)
    for _ in range(5):
        one.child.step()
    assert len(one.pids) == 1


def test_crashes_in_a_row_end_it(life: MakeLife) -> None:
    one = life(SLEEP)
    pid = one.start()
    for count in (2, 3):
        pid = one.killed(pid, count)
    os.kill(pid, signal.SIGKILL)
    assert "was killed by SIGKILL, 3 times in a row" in str(one.fails())
    assert len(one.pids) == 3


def test_crashes_after_a_good_while_are_not_in_a_row(life: MakeLife) -> None:
    one = life(SLEEP, policy=RestartPolicy(first_delay=0.0, limit=2, stable_after=0.0))
    pid = one.start()
    for count in (2, 3, 4):
        pid = one.killed(pid, count)
    assert one.said("starting again at once") == 3


def test_one_that_must_not_restart_ends_the_system(life: MakeLife) -> None:
    one = life(SLEEP, restart=False)
    os.kill(one.start(), signal.SIGTERM)
    assert "was killed by SIGTERM" in str(one.fails())
    assert len(one.pids) == 1


def test_an_exit_code_can_mean_start_again_at_once(life: MakeLife) -> None:
    argv = ["sh", "-c", "trap 'exit 70' TERM; echo up; while :; do sleep 0.02; done"]
    one: Life = life(
        argv,
        policy=NEVER_AGAIN,
        at_once={70: "its device is broken"},
        ready=lambda: "up" in one.log.read_text(),
    )
    os.kill(one.start(), signal.SIGTERM)
    one.until(lambda: len(one.pids) == 2)
    assert one.said("ended with exit code 70 (its device is broken), starting again at once") == 1


def test_a_crash_that_is_explained_does_not_count(life: MakeLife) -> None:
    reasons = iter(["input 0 of job 作业 was in work"] * 4)
    one = life(
        exits(9),
        ready=lambda: False,
        policy=RestartPolicy(first_delay=1e6, limit=1),
        gone=lambda: next(reasons, None),
    )
    one.child.start()
    # It had work, so it was ready, whether that was seen or not; the fifth end has no reason.
    assert "ended with exit code 9, 1 times in a row" in str(one.fails())
    assert len(one.pids) == 5
    assert one.said("starting again at once; input 0 of job 作业 was in work") == 4


def test_one_that_cannot_be_asked_is_killed(life: MakeLife) -> None:
    one: Life = life(STUBBORN, grace=0.0, ready=lambda: "deaf" in one.log.read_text())
    one.start()
    one.ailment = Ailment("ran one micro-batch for over 1 s", kill=True)
    one.until(lambda: one.said("ran one micro-batch for over 1 s and was killed") == 1)
    one.ailment = None
    assert one.gone()
    one.until(lambda: one.child.ready)
    assert len(one.pids) == 2


def test_one_that_ails_ends_by_itself_and_it_counts_as_a_crash(life: MakeLife) -> None:
    one = life(SLEEP, policy=RestartPolicy(first_delay=0.0, limit=1))
    one.start()
    one.ailment = Ailment("used too much memory")
    failure = one.fails()
    assert "child used too much memory, 1 times in a row" in str(failure)
    assert one.said("used too much memory, asked it to end") == 1


def test_one_that_was_asked_to_end_is_replaced_and_it_counts_as_nothing(life: MakeLife) -> None:
    one = life(SLEEP, policy=RestartPolicy(first_delay=1e6, limit=1))
    first = one.start()
    one.child.ask_to_end("restarting")
    one.child.ask_to_end("restarting again")
    assert not one.child.ready
    one.until(lambda: one.child.ready)
    assert len(one.pids) == 2 and process_start(first) is None
    assert one.said("restarting") == 1


def test_what_does_not_end_in_its_grace_is_killed(life: MakeLife) -> None:
    one: Life = life(STUBBORN, grace=0.0, ready=lambda: "deaf" in one.log.read_text())
    pid = one.start()
    one.child.ask_to_end("restarting")
    one.child.step()
    assert process_start(pid) is None
    assert one.reports[-1] == "child: did not stop in 0 s, killing it"


def test_stopping_leaves_nothing_and_can_be_repeated(life: MakeLife) -> None:
    ends: list[int] = []
    one = life(SLEEP, gone=lambda: ends.append(1))
    one.child.stop()  # nothing runs yet
    assert ends == []
    one.start()
    one.child.stop()
    assert one.gone() and not one.child.ready
    assert one.reports[-1] == "child: stopping"
    one.child.stop()
    assert ends == [1]


def test_stopping_kills_what_does_not_heed(life: MakeLife) -> None:
    one: Life = life(STUBBORN, grace=0.0, ready=lambda: "deaf" in one.log.read_text())
    one.start()
    one.child.stop()
    assert one.gone()
    assert one.reports[-2:] == ["child: stopping", "child: did not stop in 0 s, killing it"]


def test_a_log_that_cannot_be_opened_is_an_error_of_the_start(life: MakeLife) -> None:
    one = life(SLEEP)
    one.log.mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        one.child.start()
