"""An answer that is not as it is described fails the test that got it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.conformance import Conformance

_TEXT = {"application/json": {"schema": {"$ref": "#/components/schemas/Text"}}}
_DOCUMENT: dict[str, Any] = {
    "paths": {
        "/a/{id}": {"get": {"responses": {"200": {"content": _TEXT}, "204": {}}}},
        "/a/mine": {"get": {"responses": {"200": {}}}},
    },
    "components": {"schemas": {"Text": {"type": "string"}}},
}


def check(url: str, status: int, kind: str, body: bytes, method: str = "GET") -> None:
    Conformance(_DOCUMENT).check(method, url, status, kind, body)


@pytest.mark.parametrize(
    ("url", "status", "kind", "body", "method"),
    [
        ("/a/1?b=c", 200, "application/json; charset=utf-8", b'"x"', "GET"),
        ("/a/1", 204, "", b"", "GET"),
        ("/a/mine", 200, "", b"", "GET"),
        ("/a/1", 200, "application/json", b"7", "POST"),
        ("/a/1", 500, "text/plain", b"x", "GET"),
        ("/b", 404, "text/plain", b"x", "GET"),
    ],
)
def test_what_is_described_or_not_at_all_passes(
    url: str, status: int, kind: str, body: bytes, method: str
) -> None:
    check(url, status, kind, body, method)


@pytest.mark.parametrize(
    ("status", "kind", "body", "said"),
    [
        (201, "application/json", b'"x"', "GET /a/1: 201 is not declared"),
        (200, "text/plain", b"x", "comes as text/plain"),
        (200, "application/json", b"7", '7 is not of type "string"'),
    ],
)
def test_what_is_otherwise_fails(status: int, kind: str, body: bytes, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check("/a/1", status, kind, body)
