"""Listing versions, swapping and going back: what is told, and what stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from lepton_tasks.versions import SERVED, Versions
from tests.support.encoders import table, write_encoder, write_heads
from tests.support.versions import publish
from workers.catalogue import rollout
from workers.catalogue.__main__ import main

EXPLAINER = """
[why]
task = "explanation"
engine = "explainer"
folder = "{heads}"
options = {{ task = "moderation", model = "plain" }}
"""


class Bench:
    """A catalogue with one model that has versions, and what commands print."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.versions = Versions(Settings().model_versions)
        self._capsys = capsys
        self._made = 0

    def publish(self, model: str = "plain", **entry: Any) -> str:
        self._made += 1
        heads = write_heads(self.folder / f"made{self._made}", self._made)
        fields = {"encoder_folder": str(self.folder / "encoder"), **entry}
        return publish(self.versions, model, heads, fields, {"headline": f"F1 0.9{self._made}"})

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        code = main(arguments)
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err

    def asked(self, *arguments: str) -> Any:
        """The JSON of a command that goes well."""
        code, printed = self.run(*arguments, "--json")
        assert code == 0, printed
        return orjson.loads(printed)


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    encoder, heads = write_encoder(tmp_path / "encoder"), write_heads(tmp_path / "heads")
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(
        table("plain", heads, encoder, default=True) + EXPLAINER.format(heads=heads)
    )
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEPTON_CATALOGUES", str(catalogue))
    return Bench(tmp_path, capsys)


def test_versions_are_listed_the_newest_first(bench: Bench) -> None:
    assert bench.run("versions", "plain") == (
        0,
        "plain: 0 versions; the catalogue's own model serves\n",
    )
    assert bench.asked("versions", "plain") == []
    names = [bench.publish() for _ in range(2)]
    code, printed = bench.run("swap", "plain", names[0])
    assert (code, printed) == (
        0,
        f"plain: {names[0]} is served, before it the catalogue's own\n",
    )
    code, printed = bench.run("versions", "plain")
    head, *rows = [line.split() for line in printed.splitlines()]
    assert head == ["VERSION", "WHEN", "MB", "REPORT"]
    assert [row[0] for row in rows] == sorted(names, reverse=True)
    (served,) = [row for row in rows if row[0] == names[0]]
    assert served[3:] == ["served", "F1", "0.91"]
    listed = bench.asked("versions", "plain")
    assert {one["version"]: one["served"] for one in listed} == {names[0]: True, names[1]: False}
    assert all(one["bytes"] > 1000 and one["report"]["headline"] for one in listed)


def test_swaps_are_taken_back_one_by_one(bench: Bench) -> None:
    first, second = bench.publish(), bench.publish()
    assert bench.asked("swap", "plain", first) == {
        "model": "plain",
        "version": first,
        "before": None,
        "workers": [],
    }
    assert bench.asked("swap", "plain", second)["before"] == first
    assert bench.asked("rollback", "plain")["version"] == first
    assert bench.asked("rollback", "plain")["version"] is None
    code, printed = bench.run("rollback", "plain")
    assert code == 1 and "nothing was served before" in printed


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["versions", "nobody"], "zero-shot; those with versions: plain\n"),
        (["swap", "nobody", "x"], "there is no model 'nobody'"),
        (["rollback", "nobody"], "there is no model 'nobody'"),
        (["swap", "plain", "x"], "plain has no version 'x'; its versions are: 2"),
    ],
)
def test_unknown_names_are_answered_with_those_that_exist(
    bench: Bench, command: list[str], says: str
) -> None:
    bench.publish()
    code, printed = bench.run(*command)
    assert code == 2
    assert says in printed


def test_a_version_with_a_fault_is_not_served(bench: Bench) -> None:
    good = bench.publish()
    bench.run("swap", "plain", good)
    broken, labelled, other = bench.publish(), bench.publish(), bench.publish(engine="tagger")
    weights = bench.versions.folder / "plain" / broken / "model.safetensors"
    weights.write_bytes(b"no weights")
    config = bench.versions.folder / "plain" / labelled / "config.json"
    config.write_text(config.read_text().replace("toxicity", "colour"))
    for name, says in (
        (broken, "cannot be read as safetensors"),
        (labelled, "labels that moderation does not know: colour"),
        (other, "why explains plain, and cannot explain the engine tagger"),
    ):
        code, printed = bench.run("swap", "plain", name)
        assert code == 1
        assert says in printed and "plain is left as it is" in printed
        assert bench.versions.served("plain") == good


def test_a_model_of_versions_alone_does_not_vanish(bench: Bench) -> None:
    first, second = bench.publish("trained"), bench.publish("trained")
    assert bench.run("versions", "trained")[1].endswith("2 versions; none is served\n")
    bench.run("swap", "trained", first)
    bench.run("swap", "trained", second)
    assert bench.asked("rollback", "trained")["version"] == first
    code, printed = bench.run("rollback", "trained")
    assert code == 1 and f"before {first} there was no model trained" in printed
    assert bench.versions.served("trained") == first


def test_a_spoilt_file_of_what_is_served_is_written_anew(bench: Bench) -> None:
    name = bench.publish()
    (bench.versions.folder / "plain" / SERVED).write_text("{")
    code, printed = bench.run("versions", "plain")
    assert code == 1 and "lepton models swap plain VERSION" in printed
    assert bench.asked("swap", "plain", name)["version"] == name


def test_where_nothing_runs_waiting_says_so(bench: Bench) -> None:
    code, printed = bench.run("swap", "plain", bench.publish(), "--wait")
    assert code == 2
    assert "nothing runs on" in printed


def test_workers_are_waited_for_and_say_why_they_did_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = bench.publish()
    monkeypatch.setenv("LEPTON_REDIS_URL", "redis://127.0.0.1:1/0")
    replies: list[dict[str, Any]] = []
    asked: list[Any] = []

    def stats(app: Any, workers: Any) -> Any:
        asked.append(sorted(workers))
        stamp = str(bench.versions.stamps()["plain"][0])
        done = {"version": name, "refused": None, "stamp": stamp}
        slow = {"w1@a": {"versions": {"plain": {**done, "stamp": "earlier"}}}}
        failed = {**done, "refused": {"version": name, "reason": "no memory"}}
        both = {"w1@a": {"versions": {"plain": done}}, "w2@b": {"versions": {"plain": failed}}}
        replies.append(slow if len(asked) == 1 else both)
        return replies[-1]

    monkeypatch.setattr(rollout, "_stats", stats)
    code, printed = bench.run("swap", "plain", name, "--wait")
    assert code == 0 and "no worker of moderation runs; those that start take it" in printed
    store = open_store(Settings())
    for node in ("w1@a", "w2@b"):
        store.leases.register(f"id of {node}", node, ["moderation"], 60.0)
    store.leases.register("other", "w3@c", ["sentiment"], 60.0)
    code, printed = bench.run("swap", "plain", name, "--wait")
    assert code == 1
    assert asked == [["w1@a", "w2@b"], ["w1@a", "w2@b"]]
    assert "w1@a: serves it\nw2@b: goes on with what it had: no memory\n" in printed
    asked.clear()
    code, printed = bench.run("swap", "plain", name, "--wait", "--timeout", "0", "--json")
    told = orjson.loads(printed)["workers"]
    assert code == 1 and [one["state"] for one in told] == ["silent", "silent"]
    store.close()
