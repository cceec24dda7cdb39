"""``python -m workers.catalogue``: what ``lepton models`` starts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from lepton_tasks.errors import ConfigError, LeptonError
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.settings import Settings, load_settings
from workers.catalogue import versioning
from workers.catalogue.entries import CatalogueEntry, every_model
from workers.catalogue.lock import read_lock
from workers.errors import CatalogueError

_ROOT: Final = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked; returns the exit code: 1 for a model that is wrong, 2 for a name."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        code: int = options.act(options, settings)
    except KeyboardInterrupt:
        return 130
    except LeptonError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, ConfigError | CatalogueError) else 1
    return code


def describe(entry: CatalogueEntry) -> dict[str, Any]:
    """One model as JSON: where its weights are, and how large its own files are, in bytes."""
    return {
        "name": entry.name,
        "task": entry.task,
        "default": entry.default,
        "demo": entry.demo,
        "engine": entry.engine,
        "weights": weights_of(entry),
        "bytes": None if entry.folder is None else folder_bytes(entry.folder),
        "hub": entry.hub,
        "revision": entry.version or entry.revision or None,
        "version": entry.version or None,
    }


def weights_of(entry: CatalogueEntry) -> str:
    """Where the weights of an entry are, in words.

    >>> weights_of(CatalogueEntry(name="m", task="t", engine="e", hub="BAAI/bge-m3"))
    'hub BAAI/bge-m3, not pulled'
    >>> weights_of(CatalogueEntry(name="m", task="t", engine="e", encoder_package="minilm"))
    'package minilm'
    """
    parts = []
    if entry.folder is not None:
        parts.append(_shown(entry.folder))
    elif entry.hub is not None:
        parts.append(f"hub {entry.hub}, not pulled")
    if entry.encoder_package is not None:
        parts.append(f"package {entry.encoder_package}")
    if entry.encoder_folder is not None:
        parts.append(_shown(entry.encoder_folder))
    return " + ".join(parts) or "none needed"


def _shown(folder: Path) -> str:
    return str(folder.relative_to(_ROOT) if folder.is_relative_to(_ROOT) else folder)


def folder_bytes(folder: Path) -> int:
    """Bytes of the files in a folder; 0 where there is none."""
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())


def _list(options: argparse.Namespace, settings: Settings) -> int:
    entries = sorted(
        every_model(settings).values(), key=lambda one: (one.task, not one.default, one.name)
    )
    if options.task is not None:
        tasks = {*find_tasks(), *(entry.task for entry in entries)}
        if options.task not in tasks:
            known = ", ".join(sorted(tasks))
            raise CatalogueError(f"there is no task {options.task!r}; the tasks are: {known}")
        entries = [entry for entry in entries if entry.task == options.task]
    if options.json:
        _print_json([describe(entry) for entry in entries])
        return 0
    rows = [("TASK", "MODEL", "", "ENGINE", "MB", "REVISION", "VERSION", "WEIGHTS")]
    for entry in entries:
        one = describe(entry)
        notes = ", ".join(word for word in ("default", "demo") if one[word])
        size = "–" if one["bytes"] is None else f"{one['bytes'] / 1e6:.1f}"
        revision, version = (entry.revision or "–")[:12], entry.version or "–"
        place = str(one["weights"])
        rows.append((entry.task, entry.name, notes, entry.engine, size, revision, version, place))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    return 0


def _show(options: argparse.Namespace, settings: Settings) -> int:
    entry = _named(every_model(settings), options.name)
    card = _card(entry)
    if options.json:
        whole = entry.model_dump(mode="json", exclude_none=True)
        _print_json({**whole, **describe(entry), "card": card})
        return 0
    lines = [f"{name:9} {value}" for name, value in describe(entry).items() if value is not None]
    lines += [f"{name:9} {value}" for name, value in entry.options.items()]
    licences = [line.strip() for line in (card or "").splitlines() if "licen" in line.lower()]
    lines += ["", *(licences or ["The card says nothing of a licence."])]
    lines += ["", card or "There is no card."]
    sys.stdout.write("\n".join(lines).rstrip() + "\n")
    return 0


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    from workers.catalogue.verify import faults  # imports torch

    catalogue = every_model(settings)
    chosen = [_named(catalogue, name) for name in options.names] or list(catalogue.values())
    tasks, pins = find_tasks(), read_lock(settings.lock_file)
    results = []
    for entry in chosen:
        absent = entry.hub is not None and entry.folder is None
        if absent and not options.names and not (entry.default and settings.profile != "default"):
            results.append((entry.name, "absent", [f"{entry.hub} was not pulled"]))
            continue
        found = list(faults(entry, tasks.get(entry.task), pins.get(entry.name)))
        results.append((entry.name, "wrong" if found else "ok", found))
    if options.json:
        _print_json([{"name": name, "state": state, "faults": why} for name, state, why in results])
    else:
        for name, state, why in results:
            sys.stdout.write(f"{state:7} {name}{': ' if why else ''}{'; '.join(why)}\n")
    return 1 if any(state == "wrong" for _, state, _ in results) else 0


def _pull(options: argparse.Namespace, settings: Settings) -> int:
    from workers.catalogue.pull import pull  # imports torch

    tasks = find_tasks()
    catalogue = every_model(settings)
    # A model of the hub that a bundled one of the same name hides can be pulled all the same.
    production = every_model(settings.model_copy(update={"profile": "production"}))
    hub = {name: one for one in (production, catalogue) for name in one if one[name].hub}
    for name in options.names:
        if name not in hub:
            _named(catalogue, name)
            raise CatalogueError(
                f"[{name}] is not of the hub; those are {', '.join(sorted(hub)) or 'none'}"
            )
        entry = hub[name][name]
        fresh = entry.model_copy(update={"revision": ""}) if options.newest else entry
        pin = pull(fresh, tasks.get(entry.task), settings)
        sys.stdout.write(f"{name}: {pin.hub} at {pin.revision}, pinned in {settings.lock_file}\n")
    return 0


def _named(catalogue: Mapping[str, CatalogueEntry], name: str) -> CatalogueEntry:
    if name not in catalogue:
        known = ", ".join(sorted(catalogue)) or "none"
        raise CatalogueError(f"there is no model {name!r}; the catalogue has: {known}")
    return catalogue[name]


def _card(entry: CatalogueEntry) -> str | None:
    for name in ("CARD.md", "README.md"):
        if entry.folder is not None and (entry.folder / name).is_file():
            return (entry.folder / name).read_text(encoding="utf-8", errors="replace")
    return None


def _print_json(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.catalogue")
    actions = parser.add_subparsers(required=True)
    for name, act in (("list", _list), ("show", _show), ("verify", _verify), ("pull", _pull)):
        action = actions.add_parser(name)
        action.set_defaults(act=act)
        if name == "list":
            action.add_argument("--task")
        elif name == "show":
            action.add_argument("name")
        else:
            action.add_argument("names", nargs="+" if name == "pull" else "*")
        if name == "pull":
            action.add_argument("--newest", action="store_true")
        else:
            action.add_argument("--json", action="store_true")
    versioning.add_to(actions)
    return parser


if __name__ == "__main__":
    sys.exit(main())
