"""Messages that no worker can use, each with a canary that nothing may repeat."""

from __future__ import annotations

import base64
import json
import pickle
import random
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

CANARY: Final = "canary-紫色的河马-4711"
TASK: Final = "lepton.noop"
_NO_TIMES: Final = (CANARY, 5, [CANARY], {"a": 1}, "9999-99-99", "", True, "2026-13-01T00:00:00")


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self._path,)


def encoded(body: bytes | str) -> str:
    """A body as kombu puts it into the envelope."""
    return base64.b64encode(body.encode() if isinstance(body, str) else body).decode()


def task_body(*args: Any, **kwargs: Any) -> str:
    """The body of a plain Celery message."""
    return encoded(json.dumps([list(args), kwargs, {}], ensure_ascii=False))


def envelope(
    body: str | None = None,
    headers: Any = None,
    properties: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A plain Celery message for the task, parts of it changed."""
    made: dict[str, Any] = {
        "body": task_body(f"{CANARY} {uuid.uuid4()}") if body is None else body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": TASK,
            "id": str(uuid.uuid4()),
            "argsrepr": f"('{CANARY}',)",
            "kwargsrepr": "{}",
            "origin": CANARY,
        },
        "properties": {
            "correlation_id": CANARY,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "noop.normal"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }
    if isinstance(headers, dict):
        made["headers"] |= headers
    elif headers is not None:
        made["headers"] = headers
    made["properties"] |= properties or {}
    return made


def raw(message: Any) -> bytes:
    """A message as it lies in Redis."""
    return json.dumps(message, ensure_ascii=False).encode()


def without(*path: str) -> bytes:
    """A message that lacks one field."""
    message = envelope()
    place = message
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return raw(message)


def quarantined(marker: Path) -> Iterator[bytes]:
    """Messages that must end in quarantine; ``marker`` is what unpickling would create."""
    # No message at all.
    yield from (b"", b"\x00\xff\xfe", CANARY.encode(), b"[" * 100_000, b'{"a":' * 100_000)
    yield from (b"17", b"null", b"[]", b"{}", b'"' + CANARY.encode() + b'"')
    good = raw(envelope())
    yield from (good[: len(good) // 2], b"\xef\xbb\xbf" + good, good + good)
    yield good.replace("河".encode(), b"\xff")
    yield raw(envelope(body="x" * (17 * 1024 * 1024)))
    # An envelope of the wrong shape.
    for path in (
        ("body",),
        ("properties",),
        ("properties", "delivery_tag"),
        ("properties", "delivery_info"),
        ("headers", "task"),
        ("headers", "id"),
    ):
        yield without(*path)
    yield raw(envelope(headers=[CANARY]))
    yield raw(envelope(headers=CANARY))
    yield raw(envelope(headers=5))
    yield raw(envelope() | {"headers": None})
    for name, values in {
        "task": (None, 5, [CANARY], {}, "", CANARY),
        "id": (None, 5, [CANARY], {}, "", "x" * 300, "a\x00b", "a\nb", "a\x1b[2Jb"),
        "shadow": ([CANARY], {"a": CANARY}, 5),
        "stamped_headers": (5, CANARY, [[CANARY]], {"a": 1}),
        "stamps": (5, [CANARY]),
        "timelimit": (5, CANARY),
        "retries": (CANARY, [5]),
        "eta": _NO_TIMES,
        "expires": _NO_TIMES,
        "compression": ("gzip", CANARY, 5, [CANARY]),
    }.items():
        for value in values:
            yield raw(envelope(headers={name: value}))
    yield raw(envelope(headers={"id": "SURROGATE"})).replace(b"SURROGATE", b"a\\ud800b")
    for properties in (
        {"delivery_tag": 5},
        {"delivery_tag": ""},
        {"delivery_tag": "河马"},
        {"delivery_info": [CANARY]},
        {"delivery_info": {"exchange": "", "routing_key": [CANARY]}},
        {"delivery_info": {"exchange": {}, "routing_key": "noop.normal"}},
        {"body_encoding": "rot13"},
        {"body_encoding": 7},
    ):
        yield raw(envelope(properties=properties))
    yield raw(envelope() | {"properties": [CANARY]})
    for field in ("content-type", "content-encoding", "body"):
        for value in ([CANARY], {"a": CANARY}, 5):
            yield raw(envelope() | {field: value})
    # A body of the wrong shape.
    yield raw(envelope(body="not base64! " + CANARY))
    yield raw(envelope(body=encoded(b"\xff\xfe")))
    yield raw(envelope(body=encoded("[" * 50_000)))
    yield raw(envelope(body=encoded('{"__type__": "datetime", "__value__": "河马"}')))
    shapes: list[Any] = [
        {},
        [],
        [[CANARY]],
        [[CANARY], {}],
        [[], {}, {}, {}],
        5,
        None,
        CANARY,
        True,
    ]
    for shape in shapes:
        yield raw(envelope(body=encoded(json.dumps(shape))))
    # Content that is not accepted.
    yield raw(envelope(body=encoded("")))
    payload = pickle.dumps([[Touch(marker)], {}, {}])
    yaml = f"!!python/object/apply:pathlib.Path.touch ['{marker}']"
    contents: list[tuple[str, bytes | str]] = [
        ("application/x-python-serialize", payload),
        ("application/data", payload),
        ("application/json", payload),
        ("application/x-yaml", yaml),
        ("application/x-msgpack", b"\x93\x91\xa4text\x80\x80"),
        ("text/plain", CANARY),
        (CANARY, CANARY),
    ]
    for kind, body in contents:
        yield raw(envelope(body=encoded(body)) | {"content-type": kind})
    yield raw(envelope() | {"content-encoding": "no-such-encoding"})
    # Bodies that grow when they are unpacked.
    bomb = encoded(zlib.compress(bytes(200 * 1024 * 1024)))
    yield raw(envelope(body=bomb, headers={"compression": "gzip"}))
    unpacking = {"content-type": "application/data", "content-encoding": "zlib_codec"}
    yield raw(envelope(body=bomb) | unpacking)


def refused() -> Iterator[tuple[str, bytes]]:
    """Messages that are Celery tasks but no jobs: id, and the message; they end as failed."""
    bodies = [
        task_body(),
        task_body(5),
        task_body(""),
        task_body(None),
        task_body(CANARY, CANARY),
        task_body([[[[CANARY]]]]),
        task_body(CANARY, **{CANARY: 1}),
        task_body(input=CANARY, inputs=[CANARY]),
        task_body(CANARY, options=CANARY),
        task_body(CANARY, metadata=5),
        task_body(CANARY, webhook="ftp://" + CANARY),
        task_body(CANARY + "x" * 10_000_000),
        task_body([f"{CANARY} {n}" for n in range(2_000)]),
        encoded(json.dumps([{"a": CANARY}, [], {}])),
        encoded('[["\\ud800"], {}, {}]'),
        encoded('[["a\\u0000b"], {}, {}]'),
        encoded("[[" + "[" * 400 + "]" * 400 + "], {}, {}]"),
        encoded("[[1e400], {}, {}]"),
    ]
    for body in bodies:
        yield _with_id(envelope(body=body))


def unknown_jobs() -> Iterator[bytes]:
    """Messages that claim to stand for a stored job, which is not there."""
    for headers in ({}, {"lepton": None}, {"eta": None, "expires": None}):
        yield raw(envelope(headers={"lepton": 1, **headers}))


def fuzzed(dice: random.Random) -> bytes:
    """One random message: noise, or a good one with bytes or fields changed."""
    message = envelope(headers={"lepton": 1} if dice.random() < 0.7 else {})
    kind = dice.randrange(5)
    if kind == 0:
        return dice.randbytes(dice.randrange(300))
    if kind <= 2:
        _change_a_field(message, dice)
    text = bytearray(raw(message))
    if kind == 3:
        del text[dice.randrange(len(text)) :]
    if kind == 4:
        for _ in range(dice.randrange(1, 8)):
            text[dice.randrange(len(text))] = dice.randrange(256)
    return bytes(text)


_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    10**400,
    0.5,
    "",
    CANARY,
    "a\x00b",
    "x" * 400,
    [],
    [CANARY],
    [[]],
    {},
    {"a": [CANARY]},
    {"__type__": "uuid", "__value__": {"hex": CANARY}},
    {"__type__": "bytes", "__value__": CANARY},
)


def _change_a_field(message: dict[str, Any], dice: random.Random) -> None:
    extra = ("eta", "expires", "shadow", "stamps", "stamped_headers", "group", "root_id", "retries")
    places: list[tuple[dict[str, Any], str]] = [(message, name) for name in message]
    for inner in (message["headers"], message["properties"]):
        places += [(inner, name) for name in inner]
    places += [(message["headers"], name) for name in (*extra, "compression", "timelimit")]
    places += [
        (message["properties"]["delivery_info"], name) for name in ("exchange", "routing_key")
    ]
    for _ in range(dice.randrange(1, 4)):
        place, name = dice.choice(places)
        if dice.random() < 0.2:
            place.pop(name, None)
        else:
            place[name] = dice.choice(_VALUES)


def _with_id(message: dict[str, Any]) -> tuple[str, bytes]:
    return message["headers"]["id"], raw(message)


def broadcasts(marker: Path) -> Iterator[bytes]:
    """What may come by the channel of remote control and is no command."""
    yield from (b"17", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, CANARY.encode())
    for path in (("body",), ("properties",), ("properties", "delivery_tag"), ("content-type",)):
        yield without(*path)
    payload = encoded(pickle.dumps({"method": Touch(marker)}))
    for kind in ("application/x-python-serialize", "application/json"):
        yield raw(envelope(body=payload) | {"content-type": kind})
    for body in (5, None, [], [CANARY], {}, {"destination": 5}, {"arguments": CANARY}):
        yield raw(envelope(body=encoded(json.dumps(body))))
    for clock in (CANARY, [5], {"a": 1}):
        yield raw(envelope(body=encoded('{"method": "ping"}'), headers={"clock": clock}))
    bomb = encoded(zlib.compress(bytes(200 * 1024 * 1024)))
    yield raw(envelope(body=bomb, headers={"compression": "gzip"}))
