"""How much a generator may hold, read from its model's catalogue entry."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options


class GenerationLimits(BaseModel):
    """Bounds of one generator, the ``options`` of its catalogue entry.

    ``cache_tokens`` is the memory for keys and values, in tokens of all running
    requests together; a request is let in when its prompt and all the tokens it asks
    for fit. ``context`` is the most tokens of one request; 0 takes what the
    model and the cache allow. ``read_tokens`` of prompts are read a step, so that a
    long prompt does not hold up those who write. ``most_waiting`` is the
    requests that may wait beside the ``most_running``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    most_running: int = Field(default=16, ge=1, le=1024)
    most_waiting: int = Field(default=64, ge=0, le=65_536)
    cache_tokens: int = Field(default=8192, ge=64)
    read_tokens: int = Field(default=512, ge=16)
    context: int = Field(default=0, ge=0)


def read_limits(entry: CatalogueEntry) -> GenerationLimits:
    """Return the limits in ``entry.options``; raises CatalogueError, naming the field.

    >>> entry = CatalogueEntry(name="m", task="t", engine="decoder", options={"most_running": 0})
    >>> read_limits(entry)
    Traceback (most recent call last):
        ...
    workers.errors.CatalogueError: [m] options.most_running: Input should be greater than ...
    """
    return read_options(entry, GenerationLimits)
