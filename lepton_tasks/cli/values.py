"""``name=value`` on the command line, read as the JSON that a schema asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from lepton_tasks.errors import InvalidInput

_JSON_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}


def read_values(given: Sequence[str], flag: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name; one that is given several times, or that has to be a list, is a list.

    ``schema`` is the JSON Schema of the object they belong to, which decides whether
    ``5`` is a number or a text. Names that it does not know are kept: admission names them.

    >>> schema = {"properties": {"top": {"type": "integer"}, "labels": {"type": "array"}}}
    >>> read_values(["top=5", "labels=体育", "labels=财经", "more=[1]"], "--option", schema)
    {'top': 5, 'labels': ['体育', '财经'], 'more': [1]}

    Raises:
        InvalidInput: one has no ``=``, or its name is empty or given twice without need.
    """
    found: dict[str, list[str]] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{flag} takes name=value, not {one[:80]!r}", flag)
        found.setdefault(name, []).append(value)
    return {name: _value(name, values, flag, schema) for name, values in found.items()}


def read_json(text: str, flag: str) -> Any:
    """Parse ``text``; raises InvalidInput, naming ``flag``, where it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{flag} is not valid JSON: {error}", flag) from error


def _value(name: str, values: list[str], flag: str, schema: Mapping[str, Any]) -> Any:
    properties = schema.get("properties", {})
    wanted = _options(properties.get(name, {}), schema)
    types = {kind for one in wanted for kind in _types_of(one)}
    parsed = [_parse(value, types) for value in values]
    if len(parsed) == 1 and ("array" not in types or _JSON_TYPES[type(parsed[0])] in types):
        return parsed[0]
    if "array" not in types and name in properties:
        raise InvalidInput(f"{flag} {name} is given {len(values)} times; it takes one value", flag)
    items = {
        kind
        for one in wanted
        for part in _options(one.get("items", {}), schema)
        for kind in _types_of(part)
    }
    return [_parse(value, items) for value in values]


def _parse(text: str, types: set[str]) -> Any:
    """JSON where that is of one of ``types``, or anything goes; the bare text otherwise.

    Where a text is wanted, quotation marks are part of it.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    kind = _JSON_TYPES[type(value)]
    if kind == "string" and "string" in types:
        return text
    if not types or kind in types or (kind == "integer" and "number" in types):
        return value
    return text


def _options(part: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schemas that ``part`` stands for, references and choices followed."""
    if "$ref" in part:
        name = str(part["$ref"]).rpartition("/")[2]
        return _options(schema.get("$defs", {}).get(name, {}), schema)
    choices = [*part.get("anyOf", []), *part.get("oneOf", []), *part.get("allOf", [])]
    return [one for choice in choices for one in _options(choice, schema)] or [part]


def _types_of(part: Mapping[str, Any]) -> list[str]:
    named = part.get("type", [])
    found = [named] if isinstance(named, str) else list(named)
    known = [_JSON_TYPES[type(one)] for one in (*part.get("enum", ()), part.get("const")) if one]
    return found or known
