from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from kombu import Connection
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lepton_tasks.errors import ConfigError
from lepton_tasks.transport.redis import bulk_url
from lepton_tasks.transport.versions import TESTED, check_versions

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_they_are_those_that_the_package_asks_for() -> None:
    wanted = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    asked = {one.name: one.specifier for one in map(Requirement, wanted)}
    assert {name: asked[name] for name in TESTED} == {
        name: SpecifierSet(versions) for name, versions in TESTED.items()
    }


@pytest.mark.parametrize(
    ("package", "version"), [("kombu", "5.6.2"), ("kombu", "5.8.0"), ("redis", "9.0.0b1")]
)
def test_the_transport_refuses_to_start_with_another(
    package: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = bulk_url("redis://h")
    info = tmp_path / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path)
    words = re.escape(f"{package} {version} is installed") + ".*" + re.escape(TESTED[package])
    with pytest.raises(ConfigError, match=words):
        bulk_url("redis://h")
    with Connection(url) as connection, pytest.raises(ConfigError, match=words):
        connection.connect()


@pytest.mark.parametrize("version", ["5.7.0", "5.7.1", "5.7.9rc1"])
def test_later_fixes_of_the_same_version_will_do(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / f"kombu-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kombu\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path)
    check_versions()
