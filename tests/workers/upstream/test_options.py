"""What a catalogue may say of an upstream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lepton_tasks.nlp.moderation import Moderation
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.verify import faults
from workers.errors import CatalogueError
from workers.upstream.options import read_upstream

GOOD = {"url": "https://gpu.example/v1", "model": "large", "key_variable": "GPU_KEY"}


def entry(**options: Any) -> CatalogueEntry:
    return CatalogueEntry(name="ours", task="generation", engine="openai-upstream", options=options)


def test_a_key_is_read_from_the_environment_alone() -> None:
    options, key = read_upstream(entry(**GOOD), {"GPU_KEY": "sk-1"})
    assert key == "sk-1"
    assert "sk-1" not in repr(options)


@pytest.mark.parametrize(
    ("change", "environment", "says"),
    [
        ({}, {}, r"\[ours\] options.key_variable: the variable GPU_KEY is not set"),
        ({}, {"GPU_KEY": "two words"}, "GPU_KEY holds blanks"),
        ({"url": "gpu.example"}, {}, r"\[ours\] options.url: .*absolute"),
        ({"url": "file:///etc/passwd"}, {}, "absolute http or https"),
        ({"url": "https://me:sk-1@gpu.example"}, {}, "must not hold a key"),
        ({"url": "https://gpu.example/v1?key=1"}, {}, "end with its path"),
        ({"key_variable": "sk-1"}, {}, "options.key_variable"),
        ({"concurrency": 0}, {}, "options.concurrency"),
        ({"temprature": 1}, {}, "options.temprature"),
    ],
)
def test_what_is_wrong_is_named_and_no_key_told(
    change: dict[str, Any], environment: Mapping[str, str], says: str
) -> None:
    with pytest.raises(CatalogueError, match=says) as caught:
        read_upstream(entry(**(GOOD | change)), environment)
    assert "two words" not in str(caught.value)


def test_models_verify_looks_at_the_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    [fault] = faults(entry(**GOOD), Moderation(), None)
    assert "GPU_KEY is not set" in fault
    monkeypatch.setenv("GPU_KEY", "sk-1")
    assert list(faults(entry(**GOOD), Moderation(), None)) == []
