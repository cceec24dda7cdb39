"""What is sealed opens in its place, under its key, and nowhere else."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lepton_tasks.errors import ConfigError
from lepton_tasks.settings import Settings
from lepton_tasks.store.sealing import KEY_FILE, SecretBox

OLD, NEW = (b64encode(bytes([fill]) * 32).decode() for fill in (1, 2))


def test_it_opens_in_its_place_alone() -> None:
    box = SecretBox(OLD)
    sealed = box.seal("密钥 whsec_x", "ep_1")
    assert box.open(sealed, "ep_1") == "密钥 whsec_x"
    assert "whsec" not in sealed
    assert sealed != box.seal("密钥 whsec_x", "ep_1")
    with pytest.raises(ConfigError, match="changed or damaged"):
        box.open(sealed, "ep_2")
    with pytest.raises(ConfigError, match="changed or damaged"):
        box.open(sealed[:-4] + "AAA=", "ep_1")


def test_another_key_is_told_by_name() -> None:
    sealed = SecretBox(OLD).seal("x", "ep_1")
    with pytest.raises(ConfigError, match=f"key {sealed[:8]}.*LEPTON_SECRET_KEY"):
        SecretBox(NEW).open(sealed, "ep_1")


def test_keys_are_exchanged_one_by_one() -> None:
    old = SecretBox(OLD).seal("x", "ep_1")
    both = SecretBox(f"{NEW}, {OLD}")
    assert both.open(old, "ep_1") == "x"
    assert SecretBox(NEW).open(both.seal("y", "ep_1"), "ep_1") == "y"


def test_the_embedded_default_makes_one_private_key(settings: Settings) -> None:
    boxes = [SecretBox.of(settings) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        sealed = list(threads.map(lambda box: box.seal("x", "ep_1"), boxes))
    assert [SecretBox.of(settings).open(one, "ep_1") for one in sealed] == ["x"] * 8
    assert [file.name for file in settings.home.iterdir()] == [KEY_FILE]
    assert (settings.home / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_server_database_asks_for_the_setting(tmp_path: Path) -> None:
    url = "postgresql://db.example.test/lepton"
    box = SecretBox.of(Settings(home=tmp_path, database_url=url))
    with pytest.raises(ConfigError, match="LEPTON_SECRET_KEY"):
        box.seal("x", "ep_1")
    assert list(tmp_path.iterdir()) == []
    box = SecretBox.of(Settings(home=tmp_path, database_url=url, secret_key=OLD))
    assert box.open(box.seal("x", "ep_1"), "ep_1") == "x"


def test_a_key_never_shows(settings: Settings) -> None:
    assert OLD not in repr(settings.model_copy(update={"secret_key": OLD}))
    with pytest.raises(ConfigError) as caught:
        SecretBox("bm90IGxvbmcgZW5vdWdo").seal("x", "ep_1")
    assert "bm90" not in str(caught.value)
