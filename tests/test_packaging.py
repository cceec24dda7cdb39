"""What a producer installs: the wheel holds ``lepton_tasks`` and nothing that could collide."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent


def test_the_wheel_holds_the_library_alone(tmp_path: Path) -> None:
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"lepton_tasks"}
    assert "lepton_tasks/samples/comments.jsonl" in names
    assert any(name.startswith("lepton_tasks/store/migrations/versions/0001") for name in names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
