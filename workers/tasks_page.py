"""``python -m workers.tasks_page``: writes docs/tasks.md from the tasks, the catalogue and answers.

What the page says of a task comes from its class. The transcripts are answers of the default
models, so they are made where the page is made and taken as they are where it is checked.
"""

from __future__ import annotations

import argparse
import inspect
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel

from lepton_tasks.nlp.base import Example, texts_of
from lepton_tasks.nlp.language import detect_language
from lepton_tasks.nlp.registry import AnyTask, find_tasks
from workers.catalogue.entries import (
    DEFAULT_CATALOGUE,
    PRODUCTION_CATALOGUE,
    CatalogueEntry,
    choose,
    read_catalogue,
)

PAGE: Final = Path("docs/tasks.md")
_LANGUAGES: Final = ("en", "zh")
_SHARED: Final = ("language", "model")
_INTRO: Final = """# Tasks

Every task takes one item or a list, in Chinese or English, by the same ways: `lepton run TASK`
here and now, `lepton batch run FILE --task TASK` for files, `POST /v1/jobs` over HTTP
([reference](api.md)), `Producer.submit` in Python, and `lepton.TASK` from any Celery producer.
Two options are common to all: `language` (`en` or `zh`; found out from each text when left out) and
`model` (a name of the catalogue, `lepton models list`; the task's default when left out). Every
answer names the model and its revision; `"demo": true` marks a model that only shows how the task
works.

In answers `score` lies between 0 and 1, and `language` is `en`, `zh`, or `und` for a text in
neither. `start` and `end` count Unicode code points; the character at `end` is no longer part.
Traditional characters, full-width letters and emoji are taken as they are.

`GET /v1/tasks` gives the same schemas as JSON Schema. This page is made by
`python -m workers.tasks_page`."""

Transcripts = Mapping[str, str]
"""What ``lepton run`` prints, by command line."""


def make_page(
    tasks: Mapping[str, AnyTask],
    default: Mapping[str, CatalogueEntry],
    production: Mapping[str, CatalogueEntry],
    answer: Callable[[AnyTask, Example], str],
) -> str:
    """The page as Markdown; ``answer`` gives what is printed for an example."""
    rows = ["| task | what it does | default model |", "|---|---|---|"]
    for name, task in tasks.items():
        model = "runs apart, as a job"
        if task.interactive:
            entry = choose(default, name, None)
            model = f"`{entry.name}`{', a demo' if entry.demo else ''}"
        rows.append(f"| [{name}](#{name}) | {task.summary} | {model} |")
    parts = [_INTRO, "\n".join(rows)]
    for task in tasks.values():
        parts += _section(task, default, production, answer)
    return "\n\n".join(parts) + "\n"


def transcripts(page: str) -> dict[str, str]:
    r"""What a page shows for each command line.

    >>> transcripts("```console\n$ lepton run a b\nlabel  x\n\n(m 1)\n```\n")
    {'lepton run a b': 'label  x\n\n(m 1)'}
    """
    found = {}
    for block in page.split("```console\n")[1:]:
        command, _, shown = block.partition("\n```")[0].partition("\n")
        found[command.removeprefix("$ ")] = shown
    return found


def command_of(task: AnyTask, example: Example) -> str:
    """The ``lepton run`` of an example, as typed in a shell."""
    words = ["lepton", "run", task.name]
    for name, value in example.options.items():
        words += [part for one in _values(value) for part in ("--option", f"{name}={one}")]
    texts = [text for _, text in texts_of(example.input)]
    lines = any("\n" in text for text in texts)
    bare = next((text for text in texts if task.from_text(text) == example.input), None)
    if bare is not None and not lines:
        return _typed([*words, *(["--"] if bare.startswith("-") else []), bare])
    if lines or (task.item_model is not None and any(map(_nested, example.input.values()))):
        # One line of the page is to hold it.
        return _typed([*words, "--input", orjson.dumps(example.input).decode()])
    for name, value in example.input.items():
        words += [part for one in _values(value) for part in ("--field", f"{name}={one}")]
    return _typed(words)


def request_of(task: AnyTask, example: Example) -> str:
    """The body of ``POST /v1/jobs`` for an example, a line a row."""
    body = {"task": task.name, "input": example.input, "options": dict(example.options)}
    return json.dumps(body, ensure_ascii=False, indent=1)


def _typed(words: Sequence[str]) -> str:
    """A command line, in double quotes where those read better."""
    plain = {word: f'"{word}"' for word in words if "'" in word and not set(word) & set('"$`\\!')}
    return " ".join(plain.get(word) or shlex.quote(word) for word in words)


def shown_examples(task: AnyTask) -> list[Example]:
    """The first example in each language."""
    found: dict[str, Example] = {}
    for one in task.examples:
        language = detect_language("\n".join(text for _, text in texts_of(one.input)))
        found.setdefault(language, one)
    return [found[language] for language in _LANGUAGES if language in found]


def _section(
    task: AnyTask,
    default: Mapping[str, CatalogueEntry],
    production: Mapping[str, CatalogueEntry],
    answer: Callable[[AnyTask, Example], str],
) -> Iterator[str]:
    yield f"## {task.name}"
    yield task.summary
    for one in shown_examples(task):
        if not task.interactive:
            yield f"```json\n{request_of(task, one)}\n```"
            continue
        yield f"```console\n$ {command_of(task, one)}\n{answer(task, one)}\n```"
    if task.item_model is None:
        yield f"**Item**: a text of at most {task.max_characters:,} characters."
    else:
        yield f"**Item**: at most {task.max_characters:,} characters in all. " + _prose(
            task.item_model
        )
        yield _given(task.item_model)
    if set(task.options_model.model_fields) - set(_SHARED):
        yield "**Options**: " + _prose(task.options_model)
        yield _given(task.options_model)
    else:
        yield "**Options**: none but `language` and `model`."
    yield "**Answer**: " + _prose(task.output_model)
    yield _told(task.output_model)
    if task.interactive:
        yield "**Models**:"
        yield _models(task, default, production)
    else:
        yield (
            "An item takes minutes to hours, so it is a job (`POST /v1/jobs`, "
            "`Producer.submit`) of workers that serve no models ([how](training.md)). "
            "`lepton run` does not do it."
        )


def _models(
    task: AnyTask,
    default: Mapping[str, CatalogueEntry],
    production: Mapping[str, CatalogueEntry],
) -> str:
    rows = ["| model | engine | weights |", "|---|---|---|"]
    for entry in (*default.values(), *production.values()):
        if entry.task != task.name:
            continue
        note = ", the default" if entry.default and entry.hub is None else ""
        note += ", a demo" if entry.demo else ""
        weights = "none needed"
        if entry.hub is not None:
            weights = f"`lepton models pull {entry.name}`: {entry.hub}"
        elif entry.folder is not None:
            weights = f"bundled, [card](../workers/models/{entry.folder.name}/CARD.md)"
        elif entry.encoder_package is not None:
            weights = f"package `{entry.encoder_package}`"
        rows.append(f"| `{entry.name}`{note} | `{entry.engine}` | {weights} |")
    return "\n".join(rows)


def _given(model: type[BaseModel]) -> str:
    """The fields that a request may have, but for the options that all tasks share."""
    schema = model.model_json_schema()
    required = schema.get("required", ())
    rows = ["| field | type | when left out |", "|---|---|---|"]
    for name, part in schema["properties"].items():
        if name in _SHARED:
            continue
        missing = "required" if name in required else f"`{orjson.dumps(_default(part)).decode()}`"
        rows.append(f"| `{name}` | {_type(part, schema)} | {missing} |")
    return "\n".join(rows)


def _told(model: type[BaseModel]) -> str:
    """The fields of an answer."""
    schema = model.model_json_schema(mode="serialization")
    rows = ["| field | type |", "|---|---|"]
    rows += [f"| `{name}` | {_type(part, schema)} |" for name, part in schema["properties"].items()]
    return "\n".join(rows)


def _default(part: Mapping[str, Any]) -> Any:
    return part.get("default", {} if part.get("type") == "object" else None)


def _type(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A schema's type in words, as short as a table wants it."""
    if "$ref" in part:
        name = str(part["$ref"]).rpartition("/")[2]
        return _type({"title": name, **schema["$defs"][name]}, schema)
    if "enum" in part:
        return ", ".join(f"`{one}`" for one in part["enum"])
    if "const" in part:
        return f"`{part['const']}`"
    if choices := part.get("anyOf", part.get("oneOf")):
        return " or ".join(dict.fromkeys(_type(one, schema) for one in choices))
    kind = part.get("type", "any")
    if kind == "array":
        items: Mapping[str, Any] = part.get("items") or next(iter(part.get("prefixItems", [])), {})
        return f"list of {_type(items, schema)}"
    if kind == "object":
        if "properties" in part:
            return "{" + ", ".join(f"`{name}`" for name in part["properties"]) + "}"
        values = part.get("additionalProperties")
        return f"names with {_type(values, schema)}" if isinstance(values, dict) else "object"
    bounds = [str(part[key]) for key in ("minimum", "maximum") if key in part]
    return f"{kind}, {'–'.join(bounds)}" if len(bounds) == 2 else str(kind)


def _prose(model: type[BaseModel]) -> str:
    """A class's docstring in one paragraph a paragraph, code in single backticks."""
    text = inspect.cleandoc(model.__doc__ or "").replace("``", "`")
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _values(value: Any) -> list[str]:
    """A value as ``lepton run`` reads it: several for a list of texts or numbers."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple) and len(value) > 1 and not _nested(value):
        return [one for part in value for one in _values(part)]
    return [orjson.dumps(value).decode()]


def _nested(value: Any) -> bool:
    """Whether a value holds lists or objects inside of a list, or is an object."""
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list | tuple) and any(
        isinstance(one, list | tuple | Mapping) for one in value
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: load the default models, run the examples, write the page."""
    from workers.engines.loader import load_engine  # imports torch
    from workers.engines.trunks import Trunks
    from workers.offline import answer_all
    from workers.oneshot import answer_of, render

    parser = argparse.ArgumentParser(prog="python -m workers.tasks_page")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page (%(default)s)")
    out: Path = parser.parse_args(arguments).out
    default, trunks = read_catalogue(DEFAULT_CATALOGUE), Trunks()
    engines: dict[str, Any] = {}

    def answer(task: AnyTask, example: Example) -> str:
        options = task.options_model.model_validate(dict(example.options))
        entry = choose(default, task.name, task.model_of(options))
        if entry.name not in engines:
            engines[entry.name] = load_engine(task.name, default, "cpu", entry.name, trunks)
        engine = engines[entry.name]
        found = answer_all(task, engine, [example.input], options)
        return render(answer_of(engine, entry, found), single=True, as_json=False)

    page = make_page(find_tasks(), default, read_catalogue(PRODUCTION_CATALOGUE), answer)
    out.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
