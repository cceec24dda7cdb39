"""``lepton train`` and ``lepton jobs``: what is read, sent, and shown of a job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import typer

from lepton_tasks.cli import jobs as jobs_commands
from lepton_tasks.cli.train import read_item, read_raw, train
from lepton_tasks.errors import InvalidInput
from lepton_tasks.following import PlainLines, describe
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store
from tests.support.cli import run_command
from tests.support.labelled import opinions
from tests.support.texts import days

ROWS = opinions(20)


@pytest.fixture
def app(store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[typer.Typer]:
    """The command, on a Redis and a store that no worker serves."""
    monkeypatch.setenv("LEPTON_REDIS_URL", redis_url)
    app = typer.Typer()
    app.command()(train)
    app.add_typer(jobs_commands.app, name="jobs")
    yield app


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "评价.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps({**row, "id": 1}) for row in ROWS) + b"\n\n")
    return path


def test_a_training_is_sent_followed_and_cancelled(
    app: typer.Typer, file: Path, store: Store
) -> None:
    sent = run_command(app, "train", str(file), "--name", "ours", "--epochs", "3", "--detach")
    assert sent.exit_code == 0, sent.output
    job_id = sent.stdout.strip()
    [claim] = store.claims.claim("w1", [job_id])
    assert claim.payload.inputs[0] == {"rows": ROWS}
    assert claim.payload.options["epochs"] == 3 and "base" not in claim.payload.options
    store.progress.say(claim, {"stage": "training", "fraction": 0.5, "step": 1, "steps": 2})
    shown = run_command(app, "jobs", "show", job_id)
    assert "training, step 1 of 2" in shown.stdout
    assert "is asked to end" in run_command(app, "jobs", "cancel", job_id).stdout
    store.claims.finish([FinishedJob(claim, None, None, cancelled=True)])
    ended = run_command(app, "jobs", "follow", job_id, "--json")
    assert ended.exit_code == 1
    assert orjson.loads(ended.stdout)["state"] == "cancelled"


def test_what_is_wrong_is_told_before_anything_is_sent(
    app: typer.Typer, file: Path, store: Store
) -> None:
    with pytest.raises(InvalidInput, match=r"options\.model"):
        run_command(app, "train", str(file), "--name", "../etc")
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:2], b'{"text": "x"}', *lines[2:]]))
    with pytest.raises(InvalidInput, match=r"line 3\.label: Field required"):
        run_command(app, "train", str(file), "--name", "ours")
    file.write_bytes(lines[0])
    with pytest.raises(InvalidInput, match="there are 1 rows"):
        run_command(app, "train", str(file), "--name", "ours")
    with pytest.raises(InvalidInput, match="cannot be read"):
        run_command(app, "train", str(file.parent / "none"), "--name", "ours")
    assert store.jobs.page("default") == []


def test_raw_text_is_sent_for_a_language_model(
    app: typer.Typer, tmp_path: Path, store: Store
) -> None:
    path = tmp_path / "日记.txt"
    path.write_text("\n\n".join(days(80, "zh")), encoding="utf-8")
    asked = ["train", str(path), "--name", "mine", "--method", "language-model", "--detach"]
    sent = run_command(app, *asked, "--steps", "30", "--width", "64", "--rate", "0.01")
    assert sent.exit_code == 0, sent.output
    [claim] = store.claims.claim("w1", [sent.stdout.strip()])
    assert [one.strip() for one in claim.payload.inputs[0]["texts"]] == days(80, "zh")
    options = claim.payload.options
    assert (options["steps"], options["width"], options["rate"]) == (30, 64, 0.01)
    assert "holdout" not in options and "vocabulary" not in options
    path.write_text("short")
    with pytest.raises(InvalidInput, match="there are 1 documents"):
        run_command(app, *asked)
    path.write_bytes(b"\xff")
    with pytest.raises(InvalidInput, match="line 1: it is no UTF-8"):
        run_command(app, *asked)


def test_large_files_are_named_if_the_workers_see_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    large = data / "deep" / "large.jsonl"
    large.write_bytes(b'{"text": "x", "label": "a"}\n' * 10_001)
    assert read_item(large, Settings(data_folder=data)) == {"file": "deep/large.jsonl"}
    text = data / "large.txt"
    text.write_bytes(b"a line of it\n\n" * 300_000)
    assert read_raw(text, Settings(data_folder=data)) == {"file": "large.txt"}
    with pytest.raises(InvalidInput, match="more text than travel in a job"):
        read_raw(text, Settings())
    with pytest.raises(InvalidInput, match="LEPTON_DATA_FOLDER"):
        read_item(large, Settings())


def test_lines_are_said_when_something_has_changed(store: Store) -> None:
    from tests.lepton_tasks.store.test_claims import a_job, claim_one

    job, lines, clock = a_job(), list[str](), [0.0]
    store.jobs.insert([job])
    plain = PlainLines(lines.append, lambda: clock[0])
    for _ in range(3):
        plain.show(store.jobs.get("acme", job.id))
        clock[0] += 9
    assert lines == ["  0%  queued"]
    claim = claim_one(store, job)
    store.progress.say(claim, {"stage": "training", "fraction": 0.25, "eta_seconds": 61.0})
    seen = store.jobs.get("acme", job.id)
    plain.show(seen)
    assert lines[1] == " 25%  training, about 1:01 left"
    store.claims.finish([FinishedJob(claim, "{}", None)])
    plain.show(store.jobs.get("acme", job.id))
    assert lines[2].endswith("succeeded")
    assert describe(seen) != describe(store.jobs.get("acme", job.id))
    assert seen.state is JobState.RUNNING
