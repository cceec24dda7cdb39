"""What a run has made is published once, whatever lies beside it."""

from __future__ import annotations

from pathlib import Path

from lepton_tasks.versions import Versions
from workers.longruns.publishing import publish

ENTRY = {"task": "classification", "engine": "text-classifier"}


def test_once_for_each_run_and_past_versions_that_are_damaged(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "versions")
    made = tmp_path / "model"
    made.mkdir()
    for name in ("config.json", "model.safetensors", "CARD.md"):
        (made / name).write_text("{}")
    told = {"model": "topics", "entry": ENTRY, "report": {}, "serve": True}
    first = publish(versions, "job_1-0", told, made)
    assert publish(versions, "job_1-0", told, made) == first == versions.served("topics")
    (versions.version("topics", first).folder / "report.json").unlink()
    second = publish(versions, "job_2-0", told, made)
    assert second != first
    assert publish(versions, "job_2-0", told, made) == second == versions.served("topics")
