"""The OpenAPI document: what FastAPI says of each route, and what all of them have in common."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from api.answers import (
    ERRORS,
    HEADERS_OF,
    OPENAI_BAD_REQUEST,
    REFERENCE,
    ErrorBody,
    error_answer,
    header,
)
from api.openai.route import OpenAiRoute

_PARAMETER: Final = re.compile(r"{(\w+)}")
_SENTENCE: Final = re.compile(r"(?<=\.)\s|\n\n")


class DescribedApi(FastAPI):
    """An application whose document is complete, of routers that :meth:`take` was given."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._taken: list[APIRoute] = []

    def take(self, router: APIRouter) -> None:
        """Serve the routes of ``router``."""
        self.include_router(router)
        self._taken += [route for route in router.routes if isinstance(route, APIRoute)]

    def methods_at(self, scope: Scope) -> set[str]:
        """Methods that the path of a request takes, by whichever route."""
        at = [route for route in self._taken if route.matches(scope)[0] is not Match.NONE]
        return {method for route in at for method in route.methods or ()}

    def openapi(self) -> dict[str, Any]:
        """The document; made when it is first asked for."""
        if self.openapi_schema is None:
            openai = [route for route in self._taken if isinstance(route, OpenAiRoute)]
            complete(
                super().openapi(),
                {
                    (one.path_format, method.lower())
                    for one in openai
                    for method in one.methods or ()
                },
            )
        return super().openapi()


def complete(document: dict[str, Any], openai: Collection[tuple[str, str]] = ()) -> None:
    """Add to a document what follows from the kind of a route.

    ``openai`` are paths and methods that say 400 where others say 422.

    Every answer has an id and every error one body; what needs a key may be refused without
    one, what names something may not find it, and a body may be too large. Schemas that a
    request's body brought along become those of the document. The summary of a route is the
    first sentence of its docstring.

    Raises:
        ValueError: two different schemas have the same name.
    """
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own; ours is another
        schemas.pop(name, None)
    _add(schemas, ErrorBody.__name__, ErrorBody.model_json_schema(ref_template=REFERENCE))
    operations = [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    for path, method, operation in operations:
        _share_body(operation, schemas)
        if operation.get("description"):
            operation["summary"] = _first_sentence(operation["description"])
        responses = operation["responses"]
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]
        for status, description in _common_errors(path, operation, (path, method) in openai):
            responses.setdefault(str(status), error_answer(description))
        for status, response in responses.items():
            _tell(response, HEADERS_OF.get(int(status)), "X-Request-Id")
            if operation.get("security") and int(status) < 300:
                _tell(response, "X-RateLimit-Limit-Requests", "X-RateLimit-Remaining-Requests")
        operation["responses"] = dict(sorted(responses.items()))
    _link(operations)


def _first_sentence(text: str) -> str:
    r"""What a list of routes says of one, of its docstring.

    >>> _first_sentence("Accept a job. What was answered\nwith 202 is stored.")
    'Accept a job'
    """
    return " ".join(_SENTENCE.split(text, maxsplit=1)[0].split()).rstrip(".")


def _common_errors(
    path: str, operation: Mapping[str, Any], openai: bool
) -> Iterator[tuple[int, str]]:
    judged = [one["name"] for one in operation.get("parameters", ()) if one["in"] != "path"]
    body = "requestBody" in operation
    yield 400, OPENAI_BAD_REQUEST if openai else ERRORS[400]
    if operation.get("security"):
        yield from ((status, ERRORS[status]) for status in (401, 429, 503))
    if "{" in path or "after" in judged:
        yield 404, ERRORS[404]
    if body:
        yield from ((status, ERRORS[status]) for status in (408, 413))
    if (body or judged) and not openai:
        yield 422, ERRORS[422]


def _link(operations: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
    """Say of what is made where its id is asked for: ``POST /things`` and ``/things/{id}…``."""
    for made_at, method, making in operations:
        if method != "post":
            continue
        good = next(making["responses"][status] for status in making["responses"] if status < "3")
        for path, _, operation in operations:
            named = _PARAMETER.findall(path)
            if len(named) == 1 and path.startswith(f"{made_at}/{{{named[0]}}}"):
                good.setdefault("links", {})[operation["operationId"]] = {
                    "operationId": operation["operationId"],
                    "parameters": {named[0]: "$response.body#/id"},
                }


def _tell(response: dict[str, Any], *headers: str | None) -> None:
    known = response.setdefault("headers", {})
    known.update({name: header(name) for name in headers if name is not None})


def _share_body(operation: Mapping[str, Any], schemas: dict[str, Any]) -> None:
    """Move the schemas of a body that a route reads by itself to those of the document."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        _share(media["schema"], schemas)
        if "title" in media["schema"] and "properties" in media["schema"]:
            name = media["schema"]["title"]
            _add(schemas, name, media["schema"])
            media["schema"] = {"$ref": REFERENCE.format(model=name)}


def _share(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    for name, own in schema.pop("$defs", {}).items():
        _add(schemas, name, own)


def _add(schemas: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
    _share(schema, schemas)
    if schemas.setdefault(name, schema) != schema:
        raise ValueError(f"two schemas of the OpenAPI document are called {name}")
