"""``lepton webhooks listen``: a receiver on this machine that prints what comes."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer

from lepton_tasks.errors import ConfigError, InvalidInput
from lepton_tasks.launcher.ports import LOOPBACK
from lepton_tasks.settings import load_settings
from lepton_tasks.store.store import open_store
from lepton_tasks.webhooks.listener import Heard, Listener

SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        envvar="LEPTON_WEBHOOK_SECRET",
        help="Secret whsec_… to verify with; give it again for a second one. Left out: the "
        "secret of this machine's default tenant, as `lepton keys webhook-secret` prints it.",
        show_default=False,
    ),
]


def listen(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8900,
    secret: SecretOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
    fail_rate: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share answered with 500 at random, to see retries."),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one event a line.")] = False,
) -> None:
    """Receive webhooks on this machine, verify each and print it as it comes.

    Answers 200 to what is signed rightly, 401 to what is not. An event that came before is
    printed as such: a sender may repeat one, always with the same webhook-id, and your
    receiver should drop what it has seen. Ctrl-C stops it.

    Give the URL it prints as a job's `webhook`, or to `lepton batch run --webhook`.
    `lepton up` sends to this machine; an io worker of its own needs
    LEPTON_WEBHOOK_PRIVATE_NETWORKS=127.0.0.0/8.

    Examples:
        lepton webhooks listen

        lepton webhooks listen --port 9000 --secret whsec_… --fail-rate 0.3
    """
    counts: Counter[int] = Counter()
    show: Callable[[Heard], str] = _json if as_json else _page

    def hear(heard: Heard) -> None:
        counts[heard.status] += 1
        typer.echo(show(heard))

    try:
        listener = Listener(
            (host, port),
            secret or [_own_secret()],
            hear,
            lambda: random.random() < fail_rate,  # noqa: S311
        )
    except ValueError as error:
        raise InvalidInput("--secret is no secret: it looks like whsec_…", "--secret") from error
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listener:
        typer.echo(f"listening on http://{host}:{listener.server_address[1]}/ (Ctrl-C stops)")
        try:
            listener.serve_forever()
        except KeyboardInterrupt:
            told = ", ".join(f"{count:,} × {status}" for status, count in sorted(counts.items()))
            typer.echo(f"\nstopped; answered {told or 'nothing'}", err=True)


def _own_secret() -> str:
    settings = load_settings()
    store = open_store(settings)
    try:
        return store.keys.webhook_secret(settings.default_tenant)
    finally:
        store.close()


def _page(heard: Heard) -> str:
    event = _parsed(heard.body)
    kind = event.get("type", "-") if isinstance(event, dict) else "-"
    again = f"  again, {_nth(heard.times)} time" if heard.times > 1 else ""
    verdict = "verified" if heard.problem is None else f"NOT VERIFIED: {heard.problem}"
    time = datetime.fromtimestamp(heard.at).strftime("%H:%M:%S")
    head = f"{time}  {kind}  {heard.id or 'no webhook-id'}  {verdict}{again}  → {heard.status}"
    if event is None:
        return f"{head}\n  {len(heard.body):,} bytes that are no JSON"
    shown = orjson.dumps(event, option=orjson.OPT_INDENT_2).decode()
    return "\n  ".join([head, *shown.splitlines()])


def _json(heard: Heard) -> str:
    fields = {
        "at": heard.at,
        "path": heard.path,
        "id": heard.id,
        "times": heard.times,
        "verified": heard.problem is None,
        "problem": heard.problem,
        "status": heard.status,
        "event": _parsed(heard.body),
    }
    return orjson.dumps(fields).decode()


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _nth(number: int) -> str:
    """Ordinal of a count.

    >>> [_nth(number) for number in (2, 3, 11, 12, 21)]
    ['2nd', '3rd', '11th', '12th', '21st']
    """
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 <= number % 100 <= 20 else ends.get(number % 10, 'th')}"
