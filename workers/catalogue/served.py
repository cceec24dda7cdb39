"""The versions that are served, laid over the catalogue's own entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from lepton_tasks.errors import VersionError
from lepton_tasks.versions import Stamp, Version, Versions
from workers.catalogue.entries import CatalogueEntry
from workers.errors import CatalogueError

_EXPLAINER: Final = "explainer"
_NOT_OF_A_VERSION: Final = ("name", "default", "folder", "hub", "revision", "version")
"""Fields that ``entry.json`` may have and that say nothing here: the place decides them."""
_FOLLOWED: Final = ("folder", "encoder_package", "encoder_folder", "max_tokens", "dtype", "version")
"""What an explainer has of the classifier that it explains."""


def with_versions(
    own: Mapping[str, CatalogueEntry], versions: Versions
) -> dict[str, CatalogueEntry]:
    """The catalogue's own entries, those with a served version replaced by it.

    A model of which there are versions alone becomes an entry. Raises CatalogueError for a
    served version that is gone or is no entry of a catalogue.
    """
    entries = dict(own)
    for name in stamps_of(versions):
        if (entry := served_entry(name, own.get(name), versions)) is not None:
            entries[name] = entry
    return following(entries)


def stamps_of(versions: Versions) -> dict[str, Stamp]:
    """What :meth:`Versions.stamps` says.

    Raises:
        CatalogueError: the folder of versions cannot be read.
    """
    try:
        return versions.stamps()
    except OSError as error:
        raise CatalogueError(
            f"the folder of versions {versions.folder} cannot be read: {error.strerror}; "
            "LEPTON_VERSIONS_FOLDER names it"
        ) from error


def served_entry(
    name: str, own: CatalogueEntry | None, versions: Versions
) -> CatalogueEntry | None:
    """What serves under a name: a version, or the catalogue's own entry, which may be none."""
    try:
        served = versions.served(name)
        return own if served is None else entry_of(versions.version(name, served), own)
    except VersionError as error:
        raise CatalogueError(str(error)) from error


def entry_of(version: Version, own: CatalogueEntry | None) -> CatalogueEntry:
    """The entry that a version is, in the place of the catalogue's ``own`` one of its name.

    A default stays one. Raises CatalogueError where ``entry.json`` is none, or is of another
    task.
    """
    try:
        read = version.entry()
    except VersionError as error:
        raise CatalogueError(str(error)) from error
    fields: dict[str, Any] = {k: v for k, v in read.items() if k not in _NOT_OF_A_VERSION}
    if fields.get("encoder_folder"):
        fields["encoder_folder"] = (version.folder / fields["encoder_folder"]).resolve()
    try:
        entry = CatalogueEntry.model_validate(
            {
                **fields,
                "name": version.model,
                "default": own is not None and own.default,
                "folder": version.folder.resolve(),
                "version": version.name,
            }
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise CatalogueError(
            f"version {version.name} of {version.model}: entry.json: {field}: {first['msg']}"
        ) from error
    if own is not None and own.task != entry.task:
        raise CatalogueError(
            f"version {version.name} of {version.model} is of the task {entry.task}, and the "
            f"model serves {own.task}: publish it under another name"
        )
    return entry


def following(entries: Mapping[str, CatalogueEntry]) -> dict[str, CatalogueEntry]:
    """The entries, explainers made to explain the versions that serve."""
    found = dict(entries)
    for name, explained in explainers(entries):
        followed = entries[explained]
        if followed.version and not found[name].version:
            taken = {field: getattr(followed, field) for field in _FOLLOWED}
            options = {**found[name].options, "engine": followed.engine}
            found[name] = found[name].model_copy(update={**taken, "options": options})
    return found


def explainers(entries: Mapping[str, CatalogueEntry]) -> Iterator[tuple[str, str]]:
    """Yield each explainer with the model it explains, where the catalogue has that too."""
    for name, entry in entries.items():
        explained = entry.options.get("model")
        if entry.engine == _EXPLAINER and isinstance(explained, str) and explained in entries:
            yield name, explained
