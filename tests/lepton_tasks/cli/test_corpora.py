"""Corpora from the command line."""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path

import pytest

from lepton_tasks.cli.corpora import app
from lepton_tasks.errors import Conflict, InvalidInput, NotFound
from lepton_tasks.store.store import Store
from tests.support.cli import run_command

run = partial(run_command, app)


def test_a_file_becomes_a_corpus(store: Store, tmp_path: Path) -> None:
    assert "There are no corpora" in run("list").stderr
    corpus_id = run("create", "手册").stdout.strip()
    file = tmp_path / "docs.jsonl.gz"
    lines = [json.dumps({"id": n % 600, "text": f"第{n}条"}) for n in range(700)]
    file.write_bytes(
        gzip.compress("\n".join(["\ufeff" + lines[0], *lines[1:], "", '"bare"']).encode())
    )
    assert run("add", "手册", str(file)).stdout == "601 added, 100 replaced, 0 unchanged\n"
    assert "documents   601" in run("show", corpus_id).stdout
    assert json.loads(run("show", "手册", "--json").stdout)["version"] > 1
    assert run("show", "手册", "3").stdout == "第603条\n"
    assert json.loads(run("show", "手册", "3", "--json").stdout)["id"] == "3"
    [line] = run("list").stdout.splitlines()
    assert line.split("\t")[:3] == ["手册", corpus_id, "601 documents"]
    assert [one["name"] for one in json.loads(run("list", "--json").stdout)] == ["手册"]
    with pytest.raises(Conflict):
        run("create", "手册")
    for command in (("show", "手册"), ("add", "手册", str(file)), ("delete", "手册")):
        with pytest.raises(NotFound):
            run(*command, "--tenant", "other")
    run("delete", "手册", "3")
    with pytest.raises(NotFound):
        run("show", "手册", "3")
    run("delete", "手册")
    assert run("list").stdout == ""


def test_a_wrong_line_is_told_by_its_number(store: Store, tmp_path: Path) -> None:
    run("create", "c")
    file = tmp_path / "docs.jsonl"
    good = "".join(f'"line {n}"\n' for n in range(1, 601))
    for bad, says in (
        ("{", "line 601 is not valid JSON"),
        ('{"text": 7}', "line 601.text must be a string"),
        (f'"{"x" * (1 << 20)}"', "line 601 is longer"),
    ):
        file.write_text(good + bad, encoding="utf-8")
        with pytest.raises(InvalidInput, match=says) as refused:
            run("add", "c", str(file))
        assert "500 documents before were stored" in str(refused.value)
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no documents"):
        run("add", "c", str(file))
    with pytest.raises(InvalidInput, match="cannot read"):
        run("add", "c", str(tmp_path / "none.jsonl"))
    with pytest.raises(InvalidInput, match="NAME"):
        run("create", "a b")
