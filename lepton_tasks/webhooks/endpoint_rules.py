"""What a webhook endpoint may be made of. Pure; every refusal names the field."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lepton_tasks.errors import InvalidInput
from lepton_tasks.fields import refuse_unknown
from lepton_tasks.store.endpoints import NewEndpoint
from lepton_tasks.webhooks.events import EVENT_TYPES
from lepton_tasks.webhooks.signing import check_secret, new_secret
from lepton_tasks.webhooks.target import UnusableUrl, parse_target

MAX_URL_LENGTH: Final = 2_048
MAX_NAME_LENGTH: Final = 100
MAX_DESCRIPTION_LENGTH: Final = 1_000
MAX_HEADERS: Final = 20
MAX_HEADER_NAME_LENGTH: Final = 64
MAX_HEADER_VALUE_LENGTH: Final = 1_024
MAX_HEADERS_LENGTH: Final = 4_096
"""Names and values together."""
MAX_RATE: Final = 1_000.0

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
_FORBIDDEN_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_FORBIDDEN_STARTS: Final = ("content-", "proxy-", "webhook-")


def new_endpoint(fields: Mapping[str, Any]) -> NewEndpoint:
    """Check an endpoint as its tenant wrote it; without a secret it gets one of ours.

    Where the URL leads is for :mod:`lepton_tasks.webhooks.destination`.

    >>> new_endpoint({"url": "https://shop.example.test/hooks", "name": "结算"}).name
    '结算'
    >>> new_endpoint({"url": "https://a.test", "event_types": ["job.done"]})
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: there is no event job.done; the events are: job.succeeded...

    Raises:
        InvalidInput: a field is unknown or wrong, or ``url`` is missing.
    """
    refuse_unknown(fields, [*_CHECKS, "secret"])
    secret = fields.get("secret")
    checked = changes({name: value for name, value in fields.items() if name != "secret"})
    if "url" not in checked:
        raise InvalidInput("url is missing: where to send events", "url", "missing_field")
    return NewEndpoint(
        secret=new_secret() if secret is None else check_secret(secret, "secret"), **checked
    )


def changes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Check some fields of an endpoint; returns them as the store names them.

    Raises:
        InvalidInput: a field is unknown or wrong; ``param`` names it.
    """
    refuse_unknown(fields, _CHECKS)
    found = {}
    for name, value in fields.items():
        field, check = _CHECKS[name]
        found[field] = check(value)
    return found


def check_event_type(value: object, param: str) -> str:
    """Check the name of an event.

    Raises:
        InvalidInput: there is no such event; the message lists those that exist.
    """
    if isinstance(value, str) and value in EVENT_TYPES:
        return value
    shown = value[:80] if isinstance(value, str) else repr(value)[:80]
    known = ", ".join(EVENT_TYPES)
    raise InvalidInput(
        f"there is no event {shown}; the events are: {known}", param, "unknown_event"
    )


def _check_url(url: object) -> str:
    if not isinstance(url, str) or len(url) > MAX_URL_LENGTH or not url.isprintable():
        raise InvalidInput(
            f"url must be printable text of at most {MAX_URL_LENGTH:,} characters",
            "url",
            "invalid_url",
        )
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise InvalidInput(
            "url must not carry a user name or password; use headers, which are kept sealed",
            "url",
            "credentials_in_url",
        )
    try:
        parse_target(url)
    except UnusableUrl as error:
        raise InvalidInput(
            "url must be an absolute https URL with a host name", "url", "invalid_url"
        ) from error
    return url


def _text(param: str, longest: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value is None:
            return ""
        plain = isinstance(value, str) and value.replace("\n", " ").isprintable()
        if not isinstance(value, str) or len(value) > longest or not plain:
            raise InvalidInput(
                f"{param} must be printable text of at most {longest:,} characters",
                param,
                "invalid_text",
            )
        return value

    return check


def _check_events(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        raise InvalidInput(
            "event_types must be a list of at least one event; leave it out for all ordinary ones",
            "event_types",
            "invalid_type",
        )
    return tuple(dict.fromkeys(check_event_type(one, "event_types") for one in value))


def _check_headers(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_HEADERS:
        raise InvalidInput(
            f"headers must be an object of at most {MAX_HEADERS} headers", "headers", "invalid_type"
        )
    found: dict[str, str] = {}
    for name, text in value.items():
        param = f"headers.{name}"
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise InvalidInput(f"{param} is no name of a header", param, "invalid_header")
        lower = name.lower()
        if lower in _FORBIDDEN_HEADERS or lower.startswith(_FORBIDDEN_STARTS):
            raise InvalidInput(f"{param} is ours to set", param, "forbidden_header")
        if len(name) > MAX_HEADER_NAME_LENGTH or lower in map(str.lower, found):
            raise InvalidInput(f"{param} is too long, or there twice", param, "invalid_header")
        if not isinstance(text, str) or not _HEADER_VALUE.fullmatch(text):
            raise InvalidInput(
                f"{param} must be printable ASCII without blanks at its ends",
                param,
                "invalid_header",
            )
        if len(text) > MAX_HEADER_VALUE_LENGTH:
            raise InvalidInput(
                f"{param} has more than {MAX_HEADER_VALUE_LENGTH:,} characters",
                param,
                "header_too_large",
            )
        found[name] = text
    if sum(len(name) + len(text) for name, text in found.items()) > MAX_HEADERS_LENGTH:
        raise InvalidInput(
            f"headers have more than {MAX_HEADERS_LENGTH:,} characters in all",
            "headers",
            "header_too_large",
        )
    return found


def _check_rate(value: object) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, int | float) or not number or not math.isfinite(value):
        raise InvalidInput("rate_limit must be a number", "rate_limit", "invalid_type")
    if not 0 < value <= MAX_RATE:
        raise InvalidInput(
            f"rate_limit must be more than 0 and at most {MAX_RATE:,.0f} requests a second",
            "rate_limit",
            "out_of_range",
        )
    return float(value)


_CHECKS: Final[dict[str, tuple[str, Callable[[object], Any]]]] = {
    "url": ("url", _check_url),
    "name": ("name", _text("name", MAX_NAME_LENGTH)),
    "description": ("description", _text("description", MAX_DESCRIPTION_LENGTH)),
    "event_types": ("events", _check_events),
    "headers": ("headers", _check_headers),
    "rate_limit": ("rate_limit", _check_rate),
}
"""Field, as tenants write it, to its name in the store and its check."""
