from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lepton_tasks.launcher.backoff import RestartPolicy
from lepton_tasks.launcher.child import Ailment, ChildSpec
from lepton_tasks.launcher.errors import ChildFailed
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.launcher.runfile import process_start

QUICK = RestartPolicy(first_delay=0.05, limit=3)
WaitUntil = Callable[[Callable[[], bool]], None]

# Each child appends its name and pid to a file, so that tests see who ran, and when.
SERVE = """
import os, signal, sys, time
name, journal = sys.argv[1], sys.argv[2]
def note(word):
    with open(journal, "a") as file:
        file.write(f"{word} {name} {os.getpid()}\\n")
def stop(*args):
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("started")
time.sleep(600)
"""
HANG = SERVE.replace("sys.exit(0)", "pass")
LEAVE = SERVE.replace(
    "time.sleep(600)", "while not os.path.exists(journal + '.leave'): time.sleep(0.02)"
)


class Journal:
    """What the children wrote, and specs of children that write it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self, word: str) -> list[tuple[str, int]]:
        rows = [line.split() for line in self.path.read_text().splitlines()]
        return [(name, int(pid)) for said, name, pid in rows if said == word]

    def note(self, word: str, name: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{word} {name} 0\n")

    def names(self, word: str) -> list[str]:
        return [name for name, _ in self.lines(word)]

    def spec(self, name: str, code: str = SERVE, *, restart: bool = True) -> ChildSpec:
        return ChildSpec(
            name,
            [sys.executable, "-c", code, name, str(self.path)],
            ready=lambda: name in self.names("started"),
            restart=restart,
            policy=QUICK,
        )

    def let_leave(self) -> None:
        """Let the children that run ``LEAVE`` exit, now and after each restart."""
        self.path.with_name(self.path.name + ".leave").touch()

    def all_gone(self) -> bool:
        return all(process_start(pid) is None for _, pid in self.lines("started"))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def test_starts_in_order_and_stops_in_reverse(tmp_path: Path, journal: Journal) -> None:
    status: list[str] = []
    specs = [journal.spec(name) for name in ("redis", "worker", "api")]
    with Launcher(specs, tmp_path / "logs", on_status=status.append) as launcher:
        assert journal.names("started") == ["redis", "worker", "api"]
        assert not launcher.wait(0)
    assert launcher.wait(0)
    assert journal.names("stopped") == ["api", "worker", "redis"]
    assert journal.all_gone()
    assert [line.partition(" (")[0] for line in status] == [
        "redis: starting",
        "redis: ready",
        "worker: starting",
        "worker: ready",
        "api: starting",
        "api: ready",
        "api: stopping",
        "worker: stopping",
        "redis: stopping",
    ]
    launcher.stop()


def test_a_killed_child_is_started_again(
    tmp_path: Path, journal: Journal, wait_until: WaitUntil
) -> None:
    status: list[str] = []
    specs = [journal.spec("redis"), journal.spec("worker")]
    with Launcher(specs, tmp_path / "logs", on_status=status.append) as launcher:
        os.kill(journal.lines("started")[1][1], signal.SIGKILL)
        wait_until(lambda: len(journal.lines("started")) == 3)
        assert not launcher.wait(0)
    assert journal.names("started") == ["redis", "worker", "worker"]
    assert "worker: was killed by SIGKILL, starting again in 0.05 s" in status
    assert journal.all_gone()


def test_a_crash_loop_ends_the_system(tmp_path: Path, journal: Journal) -> None:
    crash = LEAVE + "sys.exit('显存不足')"
    launcher = Launcher([journal.spec("redis"), journal.spec("worker", crash)], tmp_path / "logs")
    with launcher, pytest.raises(ChildFailed) as caught:
        journal.let_leave()
        launcher.wait()
    error = caught.value
    assert error.name == "worker"
    assert str(error).startswith("worker ended with exit code 1, 3 times in a row. ")
    assert str(tmp_path / "logs" / "worker.log") in str(error)
    assert str(error).endswith("显存不足")
    assert journal.names("started") == ["redis"] + ["worker"] * QUICK.limit
    assert journal.names("stopped") == ["redis"]
    assert journal.all_gone()


def test_a_child_that_fails_at_its_start_is_not_tried_again(
    tmp_path: Path, journal: Journal
) -> None:
    broken = ChildSpec(
        "worker",
        [sys.executable, "-c", "raise SystemExit('no such database')"],
        ready=lambda: False,
        policy=QUICK,
    )
    launcher = Launcher([journal.spec("redis"), broken, journal.spec("api")], tmp_path / "logs")
    with pytest.raises(ChildFailed, match=r"(?s)worker ended with exit code 1\. .*such database"):
        launcher.start()
    assert journal.names("started") == ["redis"]
    assert journal.names("stopped") == ["redis"]
    assert (tmp_path / "logs" / "worker.log").read_text() == "no such database\n"


def test_a_child_that_is_never_ready(tmp_path: Path, journal: Journal) -> None:
    spec = journal.spec("worker")
    deaf = ChildSpec("worker", spec.argv, ready=lambda: False, ready_timeout=0.5)
    with pytest.raises(ChildFailed, match=r"worker was not ready after 0\.5 s"):
        Launcher([deaf], tmp_path / "logs").start()
    assert journal.all_gone()


def test_a_ready_check_that_raises_ends_the_launch(tmp_path: Path, journal: Journal) -> None:
    def ready() -> bool:
        raise ValueError("a mistake in the check")

    spec = journal.spec("api")
    with pytest.raises(ValueError, match="a mistake in the check"):
        Launcher(
            [journal.spec("redis"), ChildSpec("api", spec.argv, ready=ready)], tmp_path / "logs"
        ).start()
    assert journal.all_gone()
    assert journal.names("stopped") == ["redis"]


@pytest.mark.parametrize("code", [0, 4])
def test_the_exit_of_a_child_that_may_not_restart(
    tmp_path: Path, journal: Journal, code: int
) -> None:
    leaving = LEAVE + f"sys.exit({code})"
    launcher = Launcher([journal.spec("worker", leaving, restart=False)], tmp_path / "logs")
    with launcher, pytest.raises(ChildFailed, match=f"worker ended with exit code {code}"):
        journal.let_leave()
        launcher.wait()
    assert journal.names("started") == ["worker"]


def test_a_child_that_ignores_sigterm_is_killed_and_the_rest_stops_well(
    tmp_path: Path, journal: Journal
) -> None:
    status: list[str] = []
    specs = [journal.spec("redis"), journal.spec("worker", HANG), journal.spec("api")]
    with Launcher(specs, tmp_path / "logs", grace=2.0, on_status=status.append):
        pass
    assert journal.names("stopped") == ["api", "worker", "redis"]
    assert journal.all_gone()
    assert [line for line in status if "killing" in line] == [
        "worker: did not stop in 2 s, killing it"
    ]


def test_a_status_callback_that_raises_leaves_nothing_running(
    tmp_path: Path, journal: Journal
) -> None:
    calls = itertools.count()

    def status(line: str) -> None:
        if next(calls) >= 4:
            raise OSError("the terminal is gone")

    launcher = Launcher(
        [journal.spec("redis"), journal.spec("api")], tmp_path / "logs", on_status=status
    )
    with launcher:
        pass
    with pytest.raises(OSError, match="the terminal is gone"):
        launcher.wait()
    assert journal.names("started") == ["redis", "api"]
    assert journal.all_gone()


def test_children_that_run_together_start_and_stop_at_once(
    tmp_path: Path, journal: Journal
) -> None:
    status: list[str] = []
    meet = "while open(journal).read().count('{word}') < 2: time.sleep(0.01)\n"
    code = SERVE.replace("time.sleep(600)", meet.format(word="started") + "time.sleep(600)")
    code = code.replace("    sys.exit(0)", "    " + meet.format(word="stopped") + "    sys.exit(0)")
    specs = [journal.spec(name, code) for name in ("gpu0", "gpu1")]
    with Launcher(specs, tmp_path, grace=20.0, together=True, on_status=status.append):
        assert sorted(journal.names("started")) == ["gpu0", "gpu1"]
    assert sorted(journal.names("stopped")) == ["gpu0", "gpu1"]
    assert journal.all_gone()
    assert not any("killing" in line for line in status)


def test_children_may_write_to_our_own_output(
    journal: Journal, capfd: pytest.CaptureFixture[str]
) -> None:
    crash = LEAVE + "print('about to fail', flush=True); sys.exit('显存不足')"
    launcher = Launcher([journal.spec("worker", crash)], None)
    expected = r"worker ended with exit code 1, 3 times in a row\. What it wrote is above\."
    with launcher, pytest.raises(ChildFailed, match=expected):
        journal.let_leave()
        launcher.wait()
    written = capfd.readouterr()
    assert written.out.splitlines() == ["about to fail"] * QUICK.limit
    assert written.err.splitlines() == ["显存不足"] * QUICK.limit


def test_some_exit_codes_allow_a_restart_at_once(
    tmp_path: Path, journal: Journal, wait_until: WaitUntil
) -> None:
    status: list[str] = []
    patient = RestartPolicy(first_delay=600.0, limit=3)
    code = LEAVE + "os.remove(journal + '.leave'); sys.exit(70)"
    spec = replace(journal.spec("gpu", code), policy=patient, at_once={70: "its device is broken"})
    with Launcher([spec], tmp_path, on_status=status.append):
        journal.let_leave()
        wait_until(lambda: len(journal.lines("started")) == 2)
    assert "gpu: ended with exit code 70 (its device is broken), starting again at once" in status


def test_a_crash_that_is_explained_is_no_crash_of_its_own(
    tmp_path: Path, journal: Journal, wait_until: WaitUntil
) -> None:
    status: list[str] = []
    impatient = RestartPolicy(first_delay=600.0, limit=2)
    spec = replace(
        journal.spec("gpu", LEAVE + "sys.exit(1)"),
        policy=impatient,
        gone=lambda: "3 inputs were in work",
    )
    with Launcher([spec], tmp_path, on_status=status.append):
        journal.let_leave()
        wait_until(lambda: len(journal.lines("started")) > 3)
    crash = "gpu: ended with exit code 1, starting again at once; 3 inputs were in work"
    assert status.count(crash) >= 3


@pytest.mark.parametrize("kill", [True, False])
def test_an_ailing_child_is_replaced(
    tmp_path: Path, journal: Journal, wait_until: WaitUntil, kill: bool
) -> None:
    status: list[str] = []
    ends: list[str] = []

    def watch(pid: int) -> Callable[[], Ailment | None]:
        first = not seen
        seen.append(pid)
        return lambda: Ailment("is unwell", kill=kill) if first else None

    seen: list[int] = []
    spec = replace(journal.spec("gpu"), watch=watch, gone=lambda: ends.append("gone"))
    with Launcher([spec], tmp_path, on_status=status.append):
        wait_until(lambda: len(journal.lines("started")) == 2)
        assert seen == [pid for _, pid in journal.lines("started")]
        assert journal.names("stopped") == ([] if kill else ["gpu"])
        assert ends == ["gone"]
    assert ends == ["gone", "gone"]
    replaced = [line for line in status if "unwell" in line]
    assert replaced == (
        ["gpu: is unwell and was killed, starting again in 0.05 s"]
        if kill
        else [
            "gpu: is unwell, asked it to end",
            "gpu: is unwell, starting again in 0.05 s",
        ]
    )


def test_a_child_that_stays_unwell_is_given_up(tmp_path: Path, journal: Journal) -> None:
    def watch(pid: int) -> Callable[[], Ailment | None]:
        return lambda: (
            Ailment("used too much") if ("gpu", pid) in journal.lines("started") else None
        )

    spec = replace(journal.spec("gpu"), watch=watch)
    launcher = Launcher([spec], tmp_path)
    with launcher, pytest.raises(ChildFailed, match="gpu used too much, 3 times in a row"):
        launcher.wait()
    assert journal.names("stopped") == ["gpu"] * QUICK.limit


def test_renewing_replaces_one_child_at_a_time(
    tmp_path: Path, journal: Journal, wait_until: WaitUntil
) -> None:
    def spec(name: str) -> ChildSpec:
        return replace(
            journal.spec(name),
            ready=lambda: journal.names("started").count(name) > journal.names("gone").count(name),
            gone=lambda: journal.note("gone", name),
        )

    specs = [spec("gpu0"), spec("gpu1")]
    with Launcher(specs, tmp_path, together=True) as launcher:
        launcher.renew()
        wait_until(lambda: len(journal.lines("started")) == 4)
        assert not launcher.wait(0)
    words = [line.split()[:2] for line in journal.path.read_text().splitlines()][2:8]
    assert words == [
        [word, name] for name in ("gpu0", "gpu1") for word in ("stopped", "gone", "started")
    ]


def test_two_children_need_two_names(tmp_path: Path, journal: Journal) -> None:
    with pytest.raises(ValueError, match="share a name"):
        Launcher([journal.spec("api"), journal.spec("api")], tmp_path)


PARENT = """
import sys, time
from pathlib import Path
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.launcher import Launcher
serve = [sys.executable, "-c", sys.argv[1]]
journal = Path(sys.argv[2])
specs = [
    ChildSpec(name, [*serve, name, str(journal)], ready=lambda n=name: n in journal.read_text())
    for name in ("redis", "worker")
]
with Launcher(specs, journal.parent / "logs"):
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_the_parent(
    tmp_path: Path, journal: Journal, wait_until: WaitUntil, number: signal.Signals
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, SERVE, str(journal.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        parent.send_signal(number)
    wait_until(journal.all_gone)
    assert journal.names("started") == ["redis", "worker"]
    stopped_well = number == signal.SIGINT
    assert journal.names("stopped") == (["worker", "redis"] if stopped_well else [])
