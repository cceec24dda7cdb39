"""What serves in a process, and what is to: seen when it changes, taken all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.settings import Settings
from lepton_tasks.versions import SERVED, Versions
from tests.support.encoders import table, write_heads
from tests.support.versions import publish
from workers.catalogue.live import LiveCatalogue
from workers.errors import CatalogueError

EXPLAINER = """
[why]
task = "explanation"
engine = "explainer"
folder = "/own"
options = { task = "moderation", model = "plain" }
"""


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return write_heads(tmp_path / "heads")


@pytest.fixture
def settings(tmp_path: Path, heads: Path) -> Settings:
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(table("plain", heads, tmp_path / "encoder") + EXPLAINER)
    return Settings(home=tmp_path / "home", catalogues=str(catalogue))


@pytest.fixture
def versions(settings: Settings) -> Versions:
    return Versions(settings.model_versions)


def test_a_change_is_seen_once(settings: Settings, versions: Versions, heads: Path) -> None:
    live = LiveCatalogue(settings)
    assert live.touched() == [] and live.stamps() == {}
    name = publish(versions, "plain", heads)
    assert live.touched() == []
    versions.serve("plain", name)
    assert live.touched() == ["plain"]
    assert live.touched() == []
    before = live.stamps()
    versions.rollback("plain")
    assert live.stamps() == before
    assert live.touched() == ["plain"]
    (versions.folder / "plain" / SERVED).unlink()
    assert live.touched() == ["plain"]


def test_a_change_takes_along_those_that_explain(
    settings: Settings, versions: Versions, heads: Path
) -> None:
    live = LiveCatalogue(settings)
    own = live.entries
    name = publish(versions, "plain", heads)
    versions.serve("plain", name)
    wanted = live.wanted("plain")
    assert {one: entry and entry.version for one, entry in wanted.items()} == {
        "plain": name,
        "why": name,
    }
    assert live.entries is own
    live.take(wanted)
    assert live.entries["why"].folder == versions.folder / "plain" / name
    assert set(live.entries) == set(own)
    versions.rollback("plain")
    live.take(live.wanted("plain"))
    assert live.entries == own


def test_what_served_before_leaves_out_what_is_gone_or_wrong(
    settings: Settings, versions: Versions, heads: Path, tmp_path: Path
) -> None:
    names = [publish(versions, "plain", heads, {"max_tokens": 32 + place}) for place in range(4)]
    for name in names:
        versions.serve("plain", name)
    home = versions.folder / "plain"
    (home / names[2]).rename(tmp_path / "gone")
    (home / names[0] / "entry.json").write_text("[]")
    found = [change["plain"] for change in LiveCatalogue(settings).before("plain")]
    assert [entry and entry.version for entry in found] == [names[1], ""]


def test_a_folder_that_cannot_be_read_is_named(settings: Settings, versions: Versions) -> None:
    versions.folder.parent.mkdir()
    versions.folder.write_text("not a folder")
    with pytest.raises(CatalogueError, match=r"home/versions cannot be read: Not a directory"):
        LiveCatalogue(settings)


def test_a_process_starts_with_what_can_be_read(
    settings: Settings, versions: Versions, heads: Path
) -> None:
    name = publish(versions, "plain", heads)
    versions.serve("plain", name)
    versions.serve("plain", publish(versions, "plain", heads, {"task": "sentiment"}))
    versions.serve("new", publish(versions, "new", heads, {"colour": "red"}))
    live = LiveCatalogue(settings)
    assert live.entries["plain"].version == live.entries["why"].version == name
    assert "new" not in live.entries
    assert "is of the task sentiment" in live.broken["plain"]
    assert "colour" in live.broken["new"]
    with pytest.raises(CatalogueError, match="colour"):
        live.wanted("new")
