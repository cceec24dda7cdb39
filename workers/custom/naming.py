"""The name of what is made: whether it may be had, and whether anything serves under it yet."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from lepton_tasks.nlp.training import TrainingOptions
from lepton_tasks.settings import Settings
from workers.catalogue.entries import every_model
from workers.longruns.child import RunFailed

_FLAGS: Final = ("require_better", "serve")


def serves_at_once(options: TrainingOptions, settings: Settings) -> bool:
    """Whether what is made is to be served: as asked, or where nothing has its name."""
    return options.serve or options.model not in every_model(settings)


def check_name(name: str, task: str, engine: str, settings: Settings) -> None:
    """Refuse a name that another kind of model has.

    Raises:
        RunFailed: one of another task or engine.
    """
    named = every_model(settings).get(name)
    if named is not None and (named.task, named.engine) != (task, engine):
        raise RunFailed(
            "name_taken",
            f"{name!r} is a model for {named.task} of the engine {named.engine}; "
            "choose another name",
        )


def command_of(item: Mapping[str, Any], options: TrainingOptions) -> str:
    """The command line that asks for the same; rows that a job carried are a FILE of it.

    >>> command_of({"texts": []}, TrainingOptions(model="w", method="language-model", steps=9))
    'lepton train FILE --name w --method language-model --steps 9 --seed 7'
    """
    given = options.model_dump(mode="json", exclude_none=True)
    words = ["lepton", "train", item.get("file", "FILE"), "--name", given.pop("model")]
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if name in _FLAGS:
            words += [flag] if value else []
        else:
            words += [flag, str(value)]
    return shlex.join(words)
