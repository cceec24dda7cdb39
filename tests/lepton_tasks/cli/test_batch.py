"""``lepton batch`` as people run it: processes, signals, exit codes, messages."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from lepton_tasks.cli.batch import app
from lepton_tasks.cli.main import main
from lepton_tasks.embedded.commands import lepton_command
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.settings import Settings
from lepton_tasks.states import BatchState
from lepton_tasks.store.store import Store, open_store
from tests.support.shard_worker import ShardWorker, judge

Start = Callable[..., "subprocess.Popen[str]"]

_WAIT_SECONDS = 60
_ROOT = Path(__file__).parents[3]


@pytest.fixture
def running(settings: Settings, redis_url: str) -> Settings:
    return settings.model_copy(update={"redis_url": redis_url})


@pytest.fixture
def opened(running: Settings) -> Iterator[Store]:
    store = open_store(running)
    yield store
    store.close()


@pytest.fixture
def stepped(running: Settings, opened: Store) -> Iterator[ShardWorker]:
    """A worker that does what the test tells it to."""
    worker = ShardWorker(running.store_url, running.redis_url)
    yield worker
    worker.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a command that runs in this process, with nothing configured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LEPTON_REDIS_URL", raising=False)
    monkeypatch.delenv("LEPTON_DATABASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def start(running: Settings, tmp_path: Path) -> Iterator[Start]:
    """Start ``lepton batch`` in the test's folder; whatever is left at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def go(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            lepton_command("batch", *arguments),
            cwd=tmp_path,
            env={**os.environ, **running.environment(), "PYTHONPATH": str(_ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield go
    for process in started:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=_WAIT_SECONDS)
    return process.returncode, out, err


def write(path: Path, texts: list[Any]) -> None:
    path.write_bytes(b"".join(orjson.dumps(text) + b"\n" for text in texts))


def outputs(path: Path) -> list[Any]:
    return [orjson.loads(line)["output"] for line in path.read_bytes().splitlines()]


RUN = ("run", "in.jsonl", "--task", "moderation", "-o", "out.jsonl")


def test_a_run_to_its_end(start: Start, running: Settings, opened: Store, tmp_path: Path) -> None:
    texts = ["good morning", "坏", 7, {"id": "c-1", "text": "bad"}]
    write(tmp_path / "in.jsonl", texts)
    with ShardWorker(running.store_url, running.redis_url):
        code, out, err = finish(start(*RUN, "--json"))
        assert code == 0, err
        summary = orjson.loads(out)
        assert (summary["lines"], summary["ok"], summary["errors"]) == (4, 3, 1)
        assert (summary["flagged"], summary["languages"]) == (2, {"en": 2, "zh": 1})
        assert outputs(tmp_path / "out.jsonl") == [
            judge(text) for text in ("good morning", "坏", "bad")
        ]
        [problem] = (tmp_path / "out.errors.jsonl").read_bytes().splitlines()
        assert orjson.loads(problem)["line"] == 3

        code, out, err = finish(start(*RUN, "--overwrite", "--errors", "no.jsonl"))
        assert code == 0, err
        assert "flagged" in out
        assert "results  out.jsonl\nerrors   no.jsonl" in out
        assert opened.batches.get("default", summary["batch_id"]).state is BatchState.COMPLETED

    shown = CliRunner().invoke(app, ["show", summary["batch_id"]], env=running.environment())
    assert "moderation  completed" in shown.output
    shown = CliRunner().invoke(
        app, ["show", summary["batch_id"], "--json"], env=running.environment()
    )
    assert orjson.loads(shown.output)["done_items"] == 4


def step_until(
    worker: ShardWorker, process: subprocess.Popen[str], shards: int, newest: bool = True
) -> None:
    """Do this many shards of a running process."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while shards > 0:
        done = worker.step(min(8, shards), newest)
        shards -= done
        if not done:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "waited in vain for shards"
            time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_is_done(
    start: Start, stepped: ShardWorker, running: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    write(tmp_path / "in.jsonl", ["fine"] * 100)
    process = start(*RUN, "--shard-size", "10", "--json")
    step_until(stepped, process, 4, newest=False)
    process.send_signal(number)
    code, out, err = finish(process)
    assert code == 130, err
    summary = orjson.loads(out)
    assert (summary["state"], summary["lines"]) == ("interrupted", 40)
    assert outputs(tmp_path / "out.jsonl") == [judge("fine")] * 40
    assert "no worker for moderation is running" in err
    resume = shlex.split(err.rstrip().splitlines()[-1])
    assert (resume[:3], resume[-1]) == (["lepton", "batch", "run"], "--resume")

    with ShardWorker(running.store_url, running.redis_url):
        code, out, err = finish(start(*resume[2:], "--json"))
    assert code == 0, err
    assert orjson.loads(out)["batch_id"] == summary["batch_id"]
    assert outputs(tmp_path / "out.jsonl") == [judge("fine")] * 100


def test_kill_9_and_resume_give_each_line_once(
    start: Start, stepped: ShardWorker, running: Settings, tmp_path: Path
) -> None:
    texts = [f"bad {number}" if number % 3 else f"好 {number}" for number in range(12_000)]
    write(tmp_path / "in.jsonl", texts)
    process = start(*RUN)
    for _ in range(2):  # more shards than fit the window, so some were written by then
        step_until(stepped, process, 140)
        process.kill()
        process.communicate()
        process = start(*RUN, "--resume")
    with ShardWorker(running.store_url, running.redis_url):
        code, _, err = finish(process)
    assert code == 0, err
    assert outputs(tmp_path / "out.jsonl") == [judge(text) for text in texts]
    assert (tmp_path / "out.errors.jsonl").read_bytes() == b""
    assert not (tmp_path / "out.jsonl.progress").exists()


def test_a_cancelled_batch_ends_its_run(start: Start, stepped: ShardWorker, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", ["fine"] * 100)
    process = start(*RUN, "--shard-size", "10")
    step_until(stepped, process, 3)
    assert process.stderr is not None
    batch_id = process.stderr.readline().split()[1].rstrip(":")
    code, out, err = finish(start("cancel", batch_id))
    assert (code, out) == (0, f"{batch_id} is cancelled\n"), err
    code, _, err = finish(process)
    assert code == 1
    assert "the batch was cancelled" in err
    assert len(outputs(tmp_path / "out.jsonl")) == 30
    assert len((tmp_path / "out.errors.jsonl").read_bytes().splitlines()) == 70


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("absent.jsonl", "--task", "moderation"), "cannot read absent.jsonl: No such file"),
        (("in.jsonl", "--task", "guess"), "there is no task 'guess'; the tasks are:"),
        (("in.jsonl", "--task", "moderation", "--priority", "now"), "priority must be one of"),
        (("in.jsonl", "--task", "moderation", "--options", "{"), "--options is not JSON"),
        (("in.jsonl", "--task", "moderation", "--option", "tone=1"), "has no option 'tone'"),
        (("in.jsonl", "--task", "moderation", "--option", "block_at=7"), "options.block_at: "),
        (
            ("in.jsonl", "--task", "moderation", "--option", "block_at=1", "--options", "{}"),
            "--option and --options exclude each other",
        ),
        (("in.jsonl", "--task", "moderation", "--resume"), "is unfinished"),
        (("in.jsonl", "--task", "moderation", "--resume", "--overwrite"), "exclude each other"),
        (("in.csv", "--task", "moderation"), "the columns of the CSV are 'id', 'body'"),
    ],
)
def test_wrong_input_is_exit_code_2(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    write(home / "in.jsonl", ["fine"])
    (home / "in.csv").write_text("id,body\n1,a\n")
    monkeypatch.setattr("sys.argv", ["lepton", "batch", "run", *arguments, "-o", "out.jsonl"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert {path.name for path in home.iterdir()} == {"in.jsonl", "in.csv"}


def test_existing_results_are_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home / "in.jsonl", ["fine"])
    (home / "out.jsonl").write_text("precious")
    monkeypatch.setattr("sys.argv", ["lepton", "batch", *RUN])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "out.jsonl exists; name another, or use --overwrite" in capsys.readouterr().err
    assert (home / "out.jsonl").read_text() == "precious"


def test_nothing_is_started_where_that_is_forbidden(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home / "in.jsonl", ["fine"])
    monkeypatch.setattr("sys.argv", ["lepton", "batch", *RUN, "--no-start"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "lepton up" in capsys.readouterr().err
    assert not (home / "out.jsonl").exists()


def test_an_absent_redis_is_told_before_anything_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home / "in.jsonl", ["fine"])
    monkeypatch.setenv("LEPTON_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setattr("sys.argv", ["lepton", "batch", *RUN])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "cannot be reached" in capsys.readouterr().err
    assert not (home / "out.jsonl").exists()
