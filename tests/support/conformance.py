"""Holds answers of the API to its OpenAPI document, in every test that calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs
import orjson

from api.app import create_app
from lepton_tasks.settings import Settings

_UNDECLARED = frozenset({405, 500})
"""What any URL may answer to another method, and what a fault on our side, made on purpose, is."""


class Conformance:
    """What one document says of answers."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = document["components"]
        self._paths = [
            (_pattern(path), item)
            for path, item in sorted(document["paths"].items(), key=lambda one: one[0].count("{"))
        ]
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    def check(self, method: str, url: str, status: int, content_type: str, body: bytes) -> None:
        """Fail where an operation that is described does not answer so."""
        path = url.partition("?")[0]
        found = [item for pattern, item in self._paths if pattern.fullmatch(path)]
        operation = found[0].get(method.lower()) if found else None
        if operation is None or status in _UNDECLARED:
            return
        place = f"{method} {path}: {status}"
        declared = operation["responses"].get(str(status))
        assert declared is not None, f"{place} is not declared"
        kind = content_type.partition(";")[0]
        content = declared.get("content", {})
        assert kind in content or not body, f"{place} comes as {kind}, not as {list(content)}"
        if kind == "application/json":
            faults = self._validator(content[kind]["schema"]).iter_errors(orjson.loads(body))
            fault = next(faults, None)
            assert fault is None, f"{place}: {fault}"

    def _validator(self, schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
        key = repr(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._components}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        return self._validators[key]


@cache
def our_conformance() -> Conformance:
    """That of the document that the API serves."""
    return Conformance(create_app(Settings()).openapi())


def _pattern(path: str) -> re.Pattern[str]:
    """Pattern of the URLs of a path; names of models and documents may hold slashes."""
    names = {"{name}": ".*", "{document}": ".*"}
    parts = re.split(r"({\w+})", path)
    return re.compile(
        "".join(
            names.get(part, "[^/]*") if part.startswith("{") else re.escape(part) for part in parts
        )
    )
