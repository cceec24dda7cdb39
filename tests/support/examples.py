"""The examples of all tasks, as tests send them, and outputs compared as far as floats go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pytest

from lepton_tasks.nlp.base import Example, texts_of
from lepton_tasks.nlp.language import detect_language
from lepton_tasks.nlp.registry import AnyTask

CLOSE = 1e-5


def language_of(example: Example) -> str:
    """The language that the text of an example, or all of its texts together, is in."""
    return detect_language("\n".join(text for _, text in texts_of(example.input)))


def by_options(examples: Iterable[Example]) -> list[tuple[dict[str, Any], list[Any]]]:
    """Inputs of the examples that may be one job: those with the same options."""
    groups: dict[bytes, tuple[dict[str, Any], list[Any]]] = {}
    for one in examples:
        options = dict(one.options)
        key = orjson.dumps(options, option=orjson.OPT_SORT_KEYS)
        groups.setdefault(key, (options, []))[1].append(one.input)
    return list(groups.values())


def by_model(task: AnyTask) -> dict[str | None, list[Example]]:
    """The task's examples by the model that their options need, None for its default."""
    groups: dict[str | None, list[Example]] = {}
    for one in task.examples:
        options = task.options_model.model_validate(dict(one.options))
        groups.setdefault(task.model_of(options), []).append(one)
    return groups


def assert_close(found: Any, wanted: Any, place: str = "output") -> None:
    """Fail unless two JSON values are the same but for what floats lose."""
    if isinstance(wanted, Mapping):
        assert set(found) == set(wanted), place
        for name, part in wanted.items():
            assert_close(found[name], part, f"{place}.{name}")
    elif isinstance(wanted, Sequence) and not isinstance(wanted, str):
        assert len(found) == len(wanted), place
        for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
            assert_close(one, other, f"{place}[{number}]")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=CLOSE), place
    else:
        assert found == wanted, place
