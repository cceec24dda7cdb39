"""The ``options`` of a catalogue entry, checked by the engine that they are for."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from workers.catalogue.entries import CatalogueEntry
from workers.errors import CatalogueError

OptionsT = TypeVar("OptionsT", bound=BaseModel)


def read_options(entry: CatalogueEntry, model: type[OptionsT]) -> OptionsT:
    """Return the options of ``entry``; raises CatalogueError, naming the field, for a wrong one.

    >>> class Options(BaseModel):
    ...     beams: int = 1
    >>> entry = CatalogueEntry(name="m", task="t", engine="e", options={"beams": "many"})
    >>> read_options(entry, Options)
    Traceback (most recent call last):
        ...
    workers.errors.CatalogueError: [m] options.beams: Input should be a valid integer, ...
    """
    try:
        return model.model_validate(dict(entry.options))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["options", *map(str, first["loc"])])
        raise CatalogueError(f"[{entry.name}] {field}: {first['msg']}") from error
