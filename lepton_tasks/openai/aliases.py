"""Names of OpenAI's models that stand for the default model of a task here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ALIASES: Final[Mapping[str, str]] = {
    "omni-moderation-latest": "moderation",
    "omni-moderation-2024-09-26": "moderation",
    "text-moderation-latest": "moderation",
    "text-moderation-stable": "moderation",
    "text-moderation-007": "moderation",
    "text-embedding-3-small": "embedding",
    "text-embedding-3-large": "embedding",
    "text-embedding-ada-002": "embedding",
}
"""Task by alias. Whoever moves here need not touch a name that their code has by default."""

DEFAULT: Final = "default"
"""Stands for the default model of whatever task a route has."""


def model_option(task: str, name: str | None) -> str | None:
    """Catalogue name that a job asks for; None for the default model of its task.

    A name without a meaning here goes on to the worker, whose catalogue decides.

    >>> model_option("moderation", "omni-moderation-latest") is None
    True
    >>> model_option("chat", "default") is None
    True
    >>> model_option("embedding", "omni-moderation-latest"), model_option("embedding", "bge-m3")
    ('omni-moderation-latest', 'bge-m3')
    """
    return None if name in (None, DEFAULT) or ALIASES.get(str(name)) == task else name


def model_told(name: str | None, answered: str | None) -> str:
    """Name of a model as an answer has it, which was asked for by ``name``.

    ``answered`` is the one that did answer, where it is known: told where any would do.

    >>> model_told(None, "small-chat"), model_told("default", None), model_told("chat", "chat")
    ('small-chat', 'default', 'chat')
    """
    return (answered or DEFAULT) if name in (None, DEFAULT) else str(name)
