"""The reference as one page that needs no other: the OpenAPI document, for people. Pure.

Swagger UI comes from servers of others, which a machine without the internet does not reach.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

import orjson

from api.answers import REFERENCE

_CODE: Final = re.compile(r"`+([^`]+)`+")
_PREFIX: Final = REFERENCE.format(model="")
_STYLE: Final = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 13px/1.5 ui-monospace, monospace; background: #8881; padding: 0 .25em }
pre { padding: .6em; overflow-x: auto }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #8883; padding: .2em .6em; text-align: left; vertical-align: top }
article { border-left: 3px solid #8885; padding-left: 1rem; margin: 2rem 0 }
nav li { list-style: none }
"""


def reference_page(document: Mapping[str, Any], tried_at: str) -> str:
    """HTML of all routes by tag, and of the schemas that they name.

    ``tried_at`` is the path of a page that sends requests.
    """
    info = document["info"]
    routes: defaultdict[str, list[tuple[str, str, Mapping[str, Any]]]] = defaultdict(list)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            routes[operation["tags"][0]].append((method.upper(), path, operation))
    title = escape(f"{info['title']} {info['version']}")
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>",
        "<meta name=viewport content='width=device-width'>",
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{escape(info['summary'])}. ",
        "A key goes with each call: <code>Authorization: Bearer lpt_…</code>. ",
        "<a href=/openapi.json>openapi.json</a> is this for programs; ",
        f"<a href={tried_at}>Swagger UI</a> sends requests, and takes its scripts from a CDN.</p>",
        "<nav>",
    ]
    for tag, own in routes.items():
        parts.append(f"<h2>{escape(tag)}</h2><ul>")
        parts += [
            f"<li><a href='#{escape(one['operationId'])}'><code>{method} {escape(path)}</code></a> "
            f"{_text(one['summary'])}"
            for method, path, one in own
        ]
        parts.append("</ul>")
    parts.append("</nav>")
    for own in routes.values():
        for method, path, one in own:
            parts += _operation(method, path, one)
    parts.append("<h2>Schemas</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += _schema(name, schema)
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<article id='{escape(operation['operationId'])}'>"
    yield f"<h3><code>{method} {escape(path)}</code></h3>{_text(operation.get('description', ''))}"
    rows = [
        _row(one["name"], one["schema"], one.get("required", False), one["in"])
        for one in operation.get("parameters", ())
    ]
    if rows:
        yield _table("parameter", rows)
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body, <code>{escape(kind)}</code>: {_type(media['schema'])}</p>"
        rows = list(_rows(media["schema"]))
        if rows:
            yield _table("field", rows)
    yield "<table><tr><th>answer<th><th>"
    for status, response in operation["responses"].items():
        shown = [_type(media.get("schema", {})) for media in response.get("content", {}).values()]
        description = "" if status < "3" else _text(response["description"])
        yield f"<tr><td>{escape(status)}<td>{' or '.join(shown)}<td>{description}"
    yield "</table></article>"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"<article id='{escape(name)}'><h3>{escape(name)}</h3>"
    yield _text(schema.get("description", ""))
    rows = list(_rows(schema))
    yield _table("field", rows) if rows else f"<p>{_type(schema)}</p>"
    for example in schema.get("examples", ()):
        yield f"<pre>{escape(orjson.dumps(example, option=orjson.OPT_INDENT_2).decode())}</pre>"
    yield "</article>"


def _rows(schema: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """A row of each field, and of the fields of an object within."""
    for name, field in schema.get("properties", {}).items():
        yield _row(before + name, field, name in schema.get("required", ()))
        for one in _alternatives(field):
            yield from _rows(one, f"{before}{name}.")


def _row(name: str, schema: Mapping[str, Any], required: bool, place: str = "") -> str:
    notes = [place, "required" if required else ""]
    for one in _alternatives(schema):
        if one.get("default") is not None:
            notes.append(f"{_json(one['default'])} where left out")
        notes += [f"from {one[bound]:,}" for bound in ("minimum",) if bound in one]
        notes += [f"to {one[bound]:,}" for bound in ("maximum",) if bound in one]
        notes.append(_text(one.get("description", "")))
    told = "; ".join(note for note in notes if note)
    return f"<tr><td><code>{escape(name)}</code><td>{_type(schema)}<td>{told}"


def _table(what: str, rows: list[str]) -> str:
    return f"<table><tr><th>{what}<th>type<th>{''.join(rows)}</table>"


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a value may be besides null."""
    return [schema, *(one for one in schema.get("anyOf", ()) if one.get("type") != "null")]


def _type(schema: Mapping[str, Any]) -> str:
    """The type of a value, in HTML.

    >>> _type({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]})
    'list of string or null'
    >>> _type({"$ref": "#/components/schemas/Page_JobView_"})
    '<a href="#Page_JobView_">Page_JobView_</a>'
    """
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_PREFIX))
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    if values:
        return " or ".join(map(_json, values))
    kind = schema.get("type", "any JSON")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    told = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return escape(f"{told} ({schema['format']})" if "format" in schema else told)


def _json(value: object) -> str:
    return f"<code>{escape(orjson.dumps(value).decode(), quote=False)}</code>"


def _text(text: str) -> str:
    """Paragraphs and code of a docstring, in HTML.

    >>> _text("Send `a` & b.")
    'Send <code>a</code> &amp; b.'
    """
    return "<p>".join(_CODE.sub(r"<code>\1</code>", escape(text, quote=False)).split("\n\n"))
