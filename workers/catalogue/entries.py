"""Reading catalogues: one checked entry a model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lepton_tasks.settings import Settings
from lepton_tasks.versions import Versions
from workers.catalogue.lock import Pin, read_lock
from workers.errors import CatalogueError

DEFAULT_CATALOGUE = Path(__file__).parent / "default.toml"
PRODUCTION_CATALOGUE = Path(__file__).parent / "production.toml"


class CatalogueEntry(BaseModel):
    """One model: the task it serves, where its weights are, and how it is run.

    The encoder under its heads, if any, is in a Python package or else in a folder.
    ``options`` is a table that the engine alone reads. ``hub`` is the ``owner/name`` of a
    model of the Hugging Face hub, whose folder ``lepton models pull`` makes; ``revision``
    is the commit that it is pinned to, empty while it is not. ``version`` is the one that is
    served of those trained here, empty where that is the catalogue's own model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    task: str
    default: bool = False
    engine: str
    folder: Path | None = None
    encoder_package: str | None = None
    encoder_folder: Path | None = None
    max_tokens: int = Field(default=256, ge=8, le=4096)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    demo: bool = False
    hub: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(default="", pattern=r"^([0-9a-f]{40})?$")
    options: Mapping[str, Any] = Field(default_factory=dict)
    version: str = ""

    @property
    def model_folder(self) -> Path:
        """Folder of the weights.

        Raises:
            CatalogueError: the entry names none.
        """
        if self.folder is None and self.hub is not None:
            lacks = "has not been pulled" if self.revision else "is not pinned to a revision"
            raise CatalogueError(
                f"[{self.name}] is {self.hub} of the hub and {lacks}: run "
                f"`lepton models pull {self.name}`"
            )
        if self.folder is None:
            raise CatalogueError(
                f"[{self.name}] needs `folder`, the place of its config.json and model.safetensors"
            )
        return self.folder


def load_catalogue(settings: Settings) -> dict[str, CatalogueEntry]:
    """Return the models that jobs may have: :func:`offered` of :func:`every_model`.

    Raises CatalogueError for anything wrong in a file.
    """
    return offered(every_model(settings), settings)


def offered(models: Mapping[str, CatalogueEntry], settings: Settings) -> dict[str, CatalogueEntry]:
    """Return all of ``models`` but what nobody asked for.

    Outside of the profile ``production`` its models are there once they are pulled; a
    shipped model of the same name is always there.
    """
    if settings.profile == "production":
        return dict(models)
    production = read_catalogue(PRODUCTION_CATALOGUE)
    return {
        name: entry
        for name, entry in models.items()
        if entry.hub is None or entry.folder is not None or entry.default or name not in production
    }


def every_model(settings: Settings) -> dict[str, CatalogueEntry]:
    """Return all models: :func:`own_models`, and over them the versions that are served.

    Raises CatalogueError for anything wrong in a file.
    """
    from workers.catalogue.served import with_versions  # it makes entries, and imports this

    return with_versions(own_models(settings), Versions(settings.model_versions))


def own_models(settings: Settings) -> dict[str, CatalogueEntry]:
    """Return the shipped catalogues' models, and over them the files of ``LEPTON_CATALOGUES``.

    A later file may replace an entry by its name, and its default for a task displaces
    an earlier file's; the profile says which shipped one is the later, and whether the
    hub's models may be defaults. Models of the hub have the folder and revision that the
    lock file pins. Raises CatalogueError for anything wrong in a file.
    """
    production, bundled = read_catalogue(PRODUCTION_CATALOGUE), read_catalogue(DEFAULT_CATALOGUE)
    shipped = [bundled, production]
    if settings.profile != "production":
        modest = {
            name: entry.model_copy(update={"default": False}) for name, entry in production.items()
        }
        shipped = [modest, bundled]
    merged = merge([*shipped, *(read_catalogue(path) for path in settings.catalogue_files)])
    pins = read_lock(settings.lock_file)
    return {
        name: entry if entry.hub is None else placed(entry, pins.get(name), settings)
        for name, entry in merged.items()
    }


def placed(entry: CatalogueEntry, pin: Pin | None, settings: Settings) -> CatalogueEntry:
    """A model of the hub with its revision and folder, as far as it has any.

    A pin counts where it is of the entry's own repository and revision. In the profile
    ``production`` a model without a revision has no folder: nobody knows what is in it.
    """
    revision = entry.revision
    if pin is not None and pin.hub == entry.hub and entry.revision in ("", pin.revision):
        revision = pin.revision
    folder = entry.folder
    if folder is None and revision:
        pulled = settings.pulled_models / entry.name / revision
        folder = pulled if pin is not None and pulled.is_dir() else None
    if not revision and settings.profile == "production":
        folder = None
    return entry.model_copy(update={"revision": revision, "folder": folder})


def merge(catalogues: Sequence[Mapping[str, CatalogueEntry]]) -> dict[str, CatalogueEntry]:
    """Lay catalogues over one another, the last on top.

    >>> small = CatalogueEntry(name="small", task="t", engine="e", default=True)
    >>> large = small.model_copy(update={"name": "large"})
    >>> merged = merge([{"small": small}, {"large": large}])
    >>> [(name, entry.default) for name, entry in merged.items()]
    [('small', False), ('large', True)]
    """
    merged: dict[str, CatalogueEntry] = {}
    for catalogue in catalogues:
        decided = {entry.task for entry in catalogue.values() if entry.default}
        for name, entry in merged.items():
            if entry.task in decided:
                merged[name] = entry.model_copy(update={"default": False})
        merged.update(catalogue)
    return merged


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
        given = {"folder": entry.folder, "encoder_folder": entry.encoder_folder}
        absolute = {
            field: (path.parent / folder).resolve() for field, folder in given.items() if folder
        }
        entries[name] = entry.model_copy(update=absolute)
    return entries


def how_to_get(task: str, model: str) -> str:
    """Add to a message what makes an absent ``model`` one of the catalogue; empty if nothing does.

    >>> how_to_get("embedding", "bge-m3")
    '; `lepton models pull bge-m3` fetches BAAI/bge-m3 of the hub'
    >>> how_to_get("embedding", "no-such-model")
    ''
    """
    entry = read_catalogue(PRODUCTION_CATALOGUE).get(model)
    if entry is None or entry.task != task:
        return ""
    return f"; `lepton models pull {model}` fetches {entry.hub} of the hub"


def choose(entries: Mapping[str, CatalogueEntry], task: str, model: str | None) -> CatalogueEntry:
    """Return the entry called ``model``, or the default one of ``task`` if that is None.

    Raises CatalogueError, listing what there is, where none fits.
    """
    serving = {name: entry for name, entry in entries.items() if entry.task == task}
    if model is not None:
        if model not in serving:
            known = ", ".join(sorted(serving)) or "none"
            hint = how_to_get(task, model)
            raise CatalogueError(f"no model {model!r} for {task}; the catalogue has: {known}{hint}")
        return serving[model]
    defaults = [entry for entry in serving.values() if entry.default]
    if len(defaults) != 1:
        raise CatalogueError(
            f"{len(defaults)} models of the catalogue are the default of {task!r}; "
            "exactly one must have `default = true`"
        )
    return defaults[0]
