"""``lepton models versions | swap | rollback``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from lepton_tasks.errors import UnknownVersion, VersionError
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.settings import Settings
from lepton_tasks.versions import Version, Versions
from workers.catalogue.entries import CatalogueEntry, own_models
from workers.catalogue.served import entry_of, explainers
from workers.errors import CatalogueError


def list_versions(options: argparse.Namespace, settings: Settings) -> int:
    """Print the versions of a model, the newest first."""
    versions, own = Versions(settings.model_versions), own_models(settings)
    name = _known(options.name, versions, own)
    served = versions.served(name)
    found = [describe(one, served) for one in reversed(versions.versions(name))]
    if options.json:
        _print_json(found)
        return 0
    rows = [("VERSION", "WHEN", "MB", "", "REPORT")]
    for one in found:
        mark, size = "served" if one["served"] else "", f"{one['bytes'] / 1e6:.1f}"
        rows.append((one["version"], one["created"], size, mark, headline(one["report"])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if found else []:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    if served is None:
        last = "the catalogue's own model serves" if name in own else "none is served"
        sys.stdout.write(f"{name}: {len(found)} versions; {last}\n")
    return 0


def swap(options: argparse.Namespace, settings: Settings) -> int:
    """Serve a version, once it has been looked at; 1 where something is wrong with it."""
    versions, own = Versions(settings.model_versions), own_models(settings)
    name = _known(options.name, versions, own)
    try:
        entry = entry_of(versions.version(name, options.version), own.get(name))
    except UnknownVersion as error:
        raise CatalogueError(str(error)) from error
    if wrong := list(_faults(entry, own)):
        for fault in wrong:
            print(f"error: {fault}", file=sys.stderr)  # noqa: T201
        print(f"error: {name} is left as it is", file=sys.stderr)  # noqa: T201
        return 1
    before = _served_before(versions, name)
    versions.serve(name, options.version)
    return _tell(options, settings, versions, entry, before)


def rollback(options: argparse.Namespace, settings: Settings) -> int:
    """Serve again what was served before."""
    versions, own = Versions(settings.model_versions), own_models(settings)
    name = _known(options.name, versions, own)
    before = versions.state(name)
    last = before.back()
    if last is not None and last.version is None and name not in own:
        raise VersionError(
            f"before {before.version} there was no model {name}; serve another of its versions "
            f"with `lepton models swap {name} VERSION`"
        )
    version = versions.rollback(name)
    entry = own.get(name)
    if version is not None:
        entry = entry_of(versions.version(name, version), entry)
    if entry is None:
        raise VersionError(f"{name} is no model of the catalogue any more")
    return _tell(options, settings, versions, entry, before.version)


def describe(version: Version, served: str | None) -> dict[str, Any]:
    """One version as JSON; ``bytes`` are those of its files."""
    try:
        report = version.report()
    except VersionError as error:
        report = {"headline": str(error)}
    return {
        "version": version.name,
        "created": version.created,
        "bytes": sum(file.stat().st_size for file in version.folder.rglob("*") if file.is_file()),
        "served": version.name == served,
        "report": report,
    }


def headline(report: Mapping[str, Any]) -> str:
    """What a report says first: its ``headline``, or else its own numbers and words.

    >>> headline({"headline": "macro-F1 0.91 on 1,200 texts", "seed": 7})
    'macro-F1 0.91 on 1,200 texts'
    >>> headline({"accuracy": 0.91234, "labels": ["a", "b"], "rows": 1200})
    'accuracy 0.9123, rows 1200'
    """
    if report.get("headline"):
        return str(report["headline"])
    plain = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in report.items()
        if isinstance(value, str | int | float) and value != ""
    ]
    return ", ".join(plain[:4])


def _known(name: str, versions: Versions, own: Mapping[str, CatalogueEntry]) -> str:
    models = versions.models()
    if name not in own and name not in models:
        listed = ", ".join(sorted({*own, *models}))
        raise CatalogueError(
            f"there is no model {name!r}; the models are: {listed}; "
            f"those with versions: {', '.join(models) or 'none'}"
        )
    return name


def _faults(entry: CatalogueEntry, own: Mapping[str, CatalogueEntry]) -> Iterator[str]:
    from workers.catalogue.verify import faults  # imports torch

    yield from faults(entry, find_tasks().get(entry.task), None)
    for name, explained in explainers({**own, entry.name: entry}):
        engine = own[name].options.get("engine", "text-classifier")
        if explained == entry.name and engine != entry.engine:
            yield (
                f"{name} explains {explained}, and cannot explain the engine {entry.engine}: "
                "take it out of the catalogue, or publish the version under another name"
            )


def _served_before(versions: Versions, name: str) -> str | None:
    try:
        return versions.served(name)
    except VersionError:
        return None  # a file that cannot be read is what `swap` writes anew


def _tell(
    options: argparse.Namespace,
    settings: Settings,
    versions: Versions,
    entry: CatalogueEntry,
    before: str | None,
) -> int:
    from workers.catalogue.rollout import Word, wait_for_workers  # imports Celery

    name, own = entry.name, "the catalogue's own"
    told: Sequence[Word] = ()
    if not options.json:
        was = "" if before == (entry.version or None) else f", before it {before or own}"
        sys.stdout.write(f"{name}: {entry.version or own} is served{was}\n")
        sys.stdout.flush()
    if options.wait:
        stamp = str(versions.stamps()[name][0])
        told = wait_for_workers(settings, name, entry.task, stamp, options.timeout)
    if options.json:
        state = {"model": name, "version": entry.version or None, "before": before}
        _print_json({**state, "workers": [one.as_json() for one in told]})
    else:
        for one in told:
            sys.stdout.write(f"{one.line()}\n")
        if options.wait and not told:
            sys.stdout.write(f"no worker of {entry.task} runs; those that start take it\n")
    return 0 if all(one.state == "serves" for one in told) else 1


def _print_json(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")


def add_to(actions: Any) -> None:
    """Add the three commands to the parser's."""
    for name, act in (("versions", list_versions), ("swap", swap), ("rollback", rollback)):
        action = actions.add_parser(name)
        action.set_defaults(act=act)
        action.add_argument("name")
        if name == "swap":
            action.add_argument("version")
        if name != "versions":
            action.add_argument("--wait", action="store_true")
            action.add_argument("--timeout", type=float, default=120.0)
        action.add_argument("--json", action="store_true")
