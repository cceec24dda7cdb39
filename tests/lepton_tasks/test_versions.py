"""Versions of models: whole or absent, one served, and the way back."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.errors import UnknownVersion, VersionError
from lepton_tasks.served import HISTORY, VERSION_NAME, Served
from lepton_tasks.versions import SERVED, Versions

ENTRY = {"task": "classification", "engine": "text-classifier"}
REPORT = {"headline": "accuracy 0.91 · 准确率"}


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    """No version yet."""
    return Versions(tmp_path / "versions")


def filled(versions: Versions, model: str = "topics", weights: bytes = b"weights") -> Path:
    """A staged folder that holds a whole model."""
    staged = versions.stage(model)
    (staged / "config.json").write_text("{}")
    (staged / "model.safetensors").write_bytes(weights)
    (staged / "CARD.md").write_text("# 主题\n")
    return staged


def published(versions: Versions, weights: bytes = b"weights", model: str = "topics") -> str:
    return versions.publish(filled(versions, model, weights), model, ENTRY, REPORT)


def test_a_published_version_is_listed_with_its_files(versions: Versions) -> None:
    assert versions.versions("topics") == [] and versions.models() == []
    name = published(versions)
    assert VERSION_NAME.fullmatch(name)
    (version,) = versions.versions("topics")
    assert (version.name, version.folder) == (name, versions.folder / "topics" / name)
    assert version.entry() == ENTRY and version.report() == REPORT
    assert version.created == (
        f"{name[:4]}-{name[4:6]}-{name[6:8]}T{name[9:11]}:{name[11:13]}:{name[13:15]}Z"
    )
    assert versions.models() == ["topics"]
    assert versions.served("topics") is None


def test_others_may_read_a_version(versions: Versions) -> None:
    """Workers of a shared folder are seldom of the user who trained."""
    mask = os.umask(0o022)
    try:
        folder = versions.folder / "topics" / published(versions)
    finally:
        os.umask(mask)
    assert folder.stat().st_mode & 0o055 == 0o055


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors", "CARD.md"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_folder_that_lacks_a_file_is_refused(versions: Versions, lost: str, empty: bool) -> None:
    staged = filled(versions)
    (staged / lost).write_bytes(b"") if empty else (staged / lost).unlink()
    with pytest.raises(VersionError, match=f"{lost} is missing or empty"):
        versions.publish(staged, "topics", ENTRY, REPORT)
    assert versions.versions("topics") == [] and staged.is_dir()


def test_shards_must_all_be_there(versions: Versions) -> None:
    staged = filled(versions)
    (staged / "model.safetensors").rename(staged / "model-1.safetensors")
    index = staged / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2"}}))
    with pytest.raises(VersionError, match="model-2 is missing"):
        versions.publish(staged, "topics", ENTRY, REPORT)
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    assert versions.publish(staged, "topics", ENTRY, REPORT)


@pytest.mark.parametrize("index", ["[]", '{"weight_map": 1}', "no json"])
def test_an_index_that_is_none_is_refused(versions: Versions, index: str) -> None:
    staged = filled(versions)
    (staged / "model.safetensors").unlink()
    (staged / "model.safetensors.index.json").write_text(index)
    with pytest.raises(VersionError, match="no index of shards"):
        versions.publish(staged, "topics", ENTRY, REPORT)


def test_links_are_refused(versions: Versions, tmp_path: Path) -> None:
    """What a link points to may change after the version was published."""
    staged = filled(versions)
    (tmp_path / "outside").write_text("x")
    (staged / "vocab.txt").symlink_to(tmp_path / "outside")
    with pytest.raises(VersionError, match=r"vocab\.txt is neither a file nor a folder"):
        versions.publish(staged, "topics", ENTRY, REPORT)


@pytest.mark.parametrize("entry", [{}, {"task": "x"}, {"task": "", "engine": "e"}])
def test_an_entry_says_task_and_engine(versions: Versions, entry: Mapping[str, Any]) -> None:
    with pytest.raises(VersionError, match="needs"):
        versions.publish(filled(versions), "topics", entry, REPORT)


@pytest.mark.parametrize("model", ["", ".", "..", "../topics", "a/b", ".hidden", "题", "x" * 129])
def test_a_models_name_stays_inside_the_folder(versions: Versions, model: str) -> None:
    for use in (versions.stage, versions.versions, versions.served, versions.rollback):
        with pytest.raises(VersionError, match="cannot have versions"):
            use(model)


def test_only_staged_folders_of_the_model_are_published(versions: Versions, tmp_path: Path) -> None:
    staged = filled(versions)
    for other, model in ((staged, "intents"), (tmp_path, "topics"), (staged / "x", "topics")):
        with pytest.raises(VersionError, match="is no folder that stage"):
            versions.publish(other, model, ENTRY, REPORT)


def test_a_crash_before_the_rename_leaves_no_version(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = filled(versions)

    def crash(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", crash)
        with pytest.raises(KeyboardInterrupt):
            versions.publish(staged, "topics", ENTRY, REPORT)
    assert versions.versions("topics") == [] and versions.models() == []
    assert versions.publish(staged, "topics", ENTRY, REPORT)


def test_two_publishers_at_once_both_succeed(versions: Versions) -> None:
    """Of the same content in the same second there is one version, of others one each."""
    folders = [filled(versions, weights=weights) for weights in (b"a", b"a", b"b", b"c")]
    together = threading.Barrier(len(folders))
    names: list[str] = []

    def publish(staged: Path) -> None:
        together.wait()
        names.append(versions.publish(staged, "topics", ENTRY, REPORT))

    threads = [threading.Thread(target=publish, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == len(folders)
    assert {version.name for version in versions.versions("topics")} == set(names)
    assert len({name.partition("-")[2] for name in names}) == 3
    assert not list((versions.folder / "topics").glob(".staged-*"))


def test_rollback_goes_back_one_step_and_again(versions: Versions) -> None:
    first, second = published(versions, b"1"), published(versions, b"2")
    versions.serve("topics", first)
    versions.serve("topics", second)
    versions.serve("topics", second)
    assert versions.state("topics") == Served(second, (None, first))
    assert versions.rollback("topics") == first
    assert versions.served("topics") == first
    assert versions.rollback("topics") is None
    assert versions.state("topics") == Served()
    with pytest.raises(VersionError, match="nothing was served before"):
        versions.rollback("topics")


def test_history_is_bounded(versions: Versions) -> None:
    pair = [published(versions, b"1"), published(versions, b"2")]
    for turn in range(HISTORY + 5):
        versions.serve("topics", pair[turn % 2])
    assert len(versions.state("topics").history) == HISTORY


def test_a_version_that_is_not_there_is_refused_with_those_that_are(versions: Versions) -> None:
    first, second = published(versions, b"1"), published(versions, b"2")
    with pytest.raises(UnknownVersion, match=f"its versions are: .*{first}"):
        versions.serve("topics", "20260101T000000Z-000000000000")
    for escaping in ("../topics/" + first, "", "."):
        with pytest.raises(UnknownVersion):
            versions.serve("topics", escaping)
    with pytest.raises(UnknownVersion, match="its versions are: none"):
        versions.serve("intents", first)
    versions.serve("topics", first)
    versions.serve("topics", second)
    (versions.folder / "topics" / first).rename(versions.folder / "gone")
    with pytest.raises(UnknownVersion):
        versions.rollback("topics")
    assert versions.served("topics") == second


@pytest.mark.parametrize("content", ["[]", "{", '{"version": 7}', '{"version": "../x"}'])
def test_a_spoilt_file_is_named_and_written_anew(versions: Versions, content: str) -> None:
    name = published(versions)
    file = versions.folder / "topics" / SERVED
    file.write_text(content)
    with pytest.raises(VersionError, match=r"served\.json.*lepton models swap topics"):
        versions.served("topics")
    versions.serve("topics", name)
    assert versions.served("topics") == name


def test_a_reader_never_sees_half_a_file(versions: Versions) -> None:
    pair = [published(versions, b"1"), published(versions, b"2")]
    versions.serve("topics", pair[0])
    done = threading.Event()

    def write() -> None:
        for turn in range(40):
            versions.serve("topics", pair[turn % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert versions.served("topics") in pair
    writer.join()


def test_no_change_is_lost_between_two_who_serve(versions: Versions) -> None:
    names = [published(versions, bytes([number])) for number in range(6)]
    threads = [threading.Thread(target=versions.serve, args=("topics", name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = versions.state("topics")
    assert {state.version, *state.history} == {None, *names}


def test_a_stamp_changes_with_every_change(versions: Versions) -> None:
    assert versions.stamps() == {}
    first, second = published(versions, b"1"), published(versions, b"2")
    assert versions.stamps() == {}
    versions.serve("topics", first)
    seen = [versions.stamps()["topics"]]
    versions.serve("topics", second)
    seen.append(versions.stamps()["topics"])
    versions.rollback("topics")
    seen.append(versions.stamps()["topics"])
    assert len(set(seen)) == 3 and versions.stamps() == {"topics": seen[-1]}


def test_staged_folders_left_behind_go_by_age(versions: Versions) -> None:
    old, busy = filled(versions), filled(versions)
    for path in (old, *old.iterdir(), busy, busy / "config.json"):
        os.utime(path, (1, 1))
    new = versions.stage("topics")
    assert not old.exists() and busy.is_dir() and new.is_dir()
    versions.sweep("topics", older_than=-1)
    assert not busy.exists() and not new.exists()


def test_what_is_discarded_is_gone_and_a_version_never_is(versions: Versions) -> None:
    staged = filled(versions)
    versions.discard(staged)
    assert not staged.exists()
    folder = versions.folder / "topics" / published(versions)
    versions.discard(folder)
    assert folder.is_dir()
