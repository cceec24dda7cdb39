"""Reading a catalogue: one checked entry a model."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workers.errors import CatalogueError

DEFAULT_CATALOGUE = Path(__file__).parent / "default.toml"


class CatalogueEntry(BaseModel):
    """One model: the task it serves, where its weights are, and how it is run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    task: str
    default: bool = False
    engine: str
    folder: Path
    encoder_package: str | None = None
    max_tokens: int = Field(default=256, ge=8, le=512)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    demo: bool = False


def read_catalogue(path: Path) -> dict[str, CatalogueEntry]:
    """Return the entries of the TOML file ``path`` by name, folders made absolute.

    Raises CatalogueError, naming file, model and field, for anything wrong in it.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"the catalogue {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CatalogueError(f"the catalogue {path} is not valid TOML: {error}") from error
    entries: dict[str, CatalogueEntry] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise CatalogueError(f"{path}: {name!r} stands outside any table; a model is a table")
        try:
            entry = CatalogueEntry.model_validate({**table, "name": name})
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise CatalogueError(f"{path}: [{name}] {field}: {first['msg']}") from error
        entries[name] = entry.model_copy(update={"folder": (path.parent / entry.folder).resolve()})
    return entries


def choose(entries: dict[str, CatalogueEntry], task: str, model: str | None) -> CatalogueEntry:
    """Return the entry called ``model``, or the default one of ``task`` if that is None.

    Raises CatalogueError, listing what there is, where none fits.
    """
    serving = {name: entry for name, entry in entries.items() if entry.task == task}
    if model is not None:
        if model not in serving:
            known = ", ".join(sorted(serving)) or "none"
            raise CatalogueError(f"no model {model!r} for {task}; the catalogue has: {known}")
        return serving[model]
    defaults = [entry for entry in serving.values() if entry.default]
    if len(defaults) != 1:
        raise CatalogueError(
            f"{len(defaults)} models of the catalogue are the default of {task!r}; "
            "exactly one must have `default = true`"
        )
    return defaults[0]
