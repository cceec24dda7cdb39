"""``lepton webhooks``: endpoints and their deliveries, sent again and tried out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any, Final

import orjson
import typer

from lepton_tasks.cli.listen import listen
from lepton_tasks.cli.opened import opened_store
from lepton_tasks.errors import InvalidInput
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.delivery_history import UNDELIVERED, DeliveryView, PastAttempt
from lepton_tasks.store.endpoints import Endpoint
from lepton_tasks.store.store import Store
from lepton_tasks.times import parse_time, show_time
from lepton_tasks.webhooks.events import EVENT_TYPES

app = typer.Typer(
    help="""Webhooks: receive them on this machine, look at deliveries, send them again.

    Begin with `lepton webhooks listen`, which stands for your receiver while you write it.""",
    no_args_is_help=True,
)
app.command()(listen)

_FAILED: Final = 1
_PAGE: Final = 200
_LOOK_SECONDS: Final = 0.1

TenantOption = Annotated[str, typer.Option(help="Whose endpoints and deliveries.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@app.command("list")
def list_them(
    endpoint: Annotated[
        str | None, typer.Option(help="List this endpoint's deliveries instead.")
    ] = None,
    state: Annotated[
        DeliveryState | None, typer.Option(help="Only deliveries in this state.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most lines.")] = 100,
    tenant: TenantOption = "default",
    as_json: JsonOption = False,
) -> None:
    """List a tenant's endpoints, or the deliveries of one, newest first.

    Columns of endpoints: id, state, URL, failing since or disabled why, name.
    Columns of deliveries: id, time, event, state, attempts, next attempt.

    Examples:
        lepton webhooks list

        lepton webhooks list --endpoint ep_0rxd7hjrazvhw890dqn0ksbpp3 --state exhausted
    """
    if state is not None and endpoint is None:
        raise InvalidInput("--state goes with --endpoint", "--state")
    with opened_store() as store:
        if endpoint is None:
            found = [_endpoint(one, as_json) for one in _endpoints(store, tenant, limit + 1)]
        else:
            store.endpoints.get(tenant, endpoint)
            pages = _deliveries(store, tenant, endpoint, state, limit + 1)
            found = [_delivery(one, as_json) for one in pages]
    for line in found[:limit]:
        typer.echo(line)
    if not found:
        typer.echo("There are none.", err=True)
    elif len(found) > limit:
        typer.echo(f"There are more; raise --limit above {limit} to see them.", err=True)


@app.command()
def replay(
    delivery_id: Annotated[
        str | None, typer.Argument(help="Id from `lepton webhooks list --endpoint …`.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Send again what this endpoint did not get.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="From when: ISO 8601 with an offset, or Unix seconds.")
    ] = "",
    until: Annotated[str, typer.Option(help="Up to when; now, if left out.")] = "",
    delivered: Annotated[
        bool, typer.Option(help="Send again also what was delivered in that time.")
    ] = False,
    tenant: TenantOption = "default",
) -> None:
    """Send deliveries again: one by its id, or an endpoint's over a time.

    Ids and bodies stay the same and the schedule of retries begins anew, so receivers that
    drop ids they have seen are safe. Over a time, only what did not arrive goes out, and
    doing it twice sends nothing twice. An `io` worker sends them.

    Examples:
        lepton webhooks replay evt_0rxd7hjrazvhw890dqn0ksbpp3

        lepton webhooks replay --endpoint ep_… --since 2026-01-31T08:00:00Z
    """
    if (delivery_id is None) == (endpoint is None):
        raise InvalidInput("name a delivery, or give --endpoint and --since", "--endpoint")
    if endpoint is not None and not since:
        raise InvalidInput("--endpoint needs --since", "--since")
    if delivery_id is not None and (since or until or delivered):
        raise InvalidInput("--since, --until and --delivered go with --endpoint", "--since")
    with opened_store() as store:
        if delivery_id is not None:
            store.deliveries.replay(tenant, delivery_id)
            typer.echo(f"on its way again: {delivery_id}", err=True)
            return
        begin = _parse_time(since, "--since")
        end = _parse_time(until, "--until") if until else time.time() + 1
        states = (*UNDELIVERED, DeliveryState.DELIVERED) if delivered else UNDELIVERED
        count, after, more = 0, None, True
        while more:
            step = store.deliveries.replay_range(
                tenant, str(endpoint), begin, end, states=states, after=after
            )
            count, after, more = count + step.count, step.last_id, step.has_more
    typer.echo(f"on their way again: {count:,} deliveries", err=True)


@app.command("test")
def try_out(
    endpoint: Annotated[str, typer.Argument(help="Id from `lepton webhooks list`.")],
    event_type: Annotated[str, typer.Option(help="Type of the event.")] = EVENT_TYPES[0],
    wait: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 30.0,
    tenant: TenantOption = "default",
) -> None:
    """Send an endpoint one test event and say what its receiver answers.

    It is signed as any other; its `data.test` is true. Exits with 1 where it did not
    arrive. An `io` worker has to run.

    Example: lepton webhooks test ep_0rxd7hjrazvhw890dqn0ksbpp3
    """
    if event_type not in EVENT_TYPES:
        raise InvalidInput(f"--event-type is one of {', '.join(EVENT_TYPES)}", "--event-type")
    with opened_store() as store:
        delivery_id = store.endpoints.send_test(tenant, endpoint, event_type)
        past = _first_attempt(store, tenant, delivery_id, wait)
        store.deliveries.cancel(tenant, delivery_id)
    if past is None:
        typer.echo(f"not sent within {wait:g} s; is `lepton io` running?", err=True)
        raise typer.Exit(_FAILED)
    status = "no answer" if past.status is None else f"status {past.status}"
    typer.echo(f"{delivery_id}\t{status}\t{past.seconds * 1e3:.0f} ms\t{past.error or 'delivered'}")
    if past.error is not None:
        raise typer.Exit(_FAILED)


def _first_attempt(
    store: Store, tenant: str, delivery_id: str, seconds: float
) -> PastAttempt | None:
    end = time.monotonic() + seconds
    while True:
        if found := store.deliveries.attempts(tenant, delivery_id):
            return found[0]
        if time.monotonic() > end:
            return None
        time.sleep(_LOOK_SECONDS)


def _endpoints(store: Store, tenant: str, most: int) -> Iterable[Endpoint]:
    after: str | None = None
    while most > 0:
        page = store.endpoints.page(tenant, after=after, limit=min(most, _PAGE))
        if not page:
            return
        yield from page
        most, after = most - len(page), page[-1].id


def _deliveries(
    store: Store, tenant: str, endpoint: str, state: DeliveryState | None, most: int
) -> Iterable[DeliveryView]:
    after: str | None = None
    while most > 0:
        page = store.deliveries.page(
            tenant, endpoint, state=state, after=after, limit=min(most, _PAGE)
        )
        if not page:
            return
        yield from page
        most, after = most - len(page), page[-1].id


def _endpoint(one: Endpoint, as_json: bool) -> str:
    if as_json:
        return _json(one)
    why = ""
    if one.disabled_reason is not None:
        why = str(one.disabled_reason)
    elif one.failing_since is not None:
        why = f"since {show_time(one.failing_since)}"
    return "\t".join([one.id, one.state, one.url, why, one.name])


def _delivery(one: DeliveryView, as_json: bool) -> str:
    if as_json:
        return _json(one)
    due = show_time(one.next_at) if one.state == DeliveryState.PENDING else ""
    columns = [one.id, show_time(one.created_at), one.event_type, one.state, str(one.attempt), due]
    return "\t".join(columns)


def _json(one: Any) -> str:
    return orjson.dumps(asdict(one)).decode()


def _parse_time(text: str, option: str) -> float:
    """Unix seconds of a time.

    >>> _parse_time("2026-01-01T08:00:00+08:00", "--since"), _parse_time("1767225600", "--since")
    (1767225600.0, 1767225600.0)
    """
    try:
        return float(text)
    except ValueError:
        pass  # the other form
    return parse_time(text, option)
