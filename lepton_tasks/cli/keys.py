"""``lepton keys``: who may call the API."""

from __future__ import annotations

from typing import Annotated

import typer

from lepton_tasks.cli.opened import opened_store
from lepton_tasks.errors import InvalidInput
from lepton_tasks.times import show_time

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)

_LONGEST_NAME = 64

TenantOption = Annotated[str, typer.Option(help="Whose jobs the key may see and submit.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for; shown in the list.")] = "",
    tenant: TenantOption = "default",
    show_webhook_secret: Annotated[
        bool, typer.Option(help="Print the tenant's webhook secret on a second line.")
    ] = False,
) -> None:
    """Make an API key and print it, this once: the store keeps only its hash."""
    _check_name(tenant, "--tenant", required=True)
    _check_name(name, "--name", required=False)
    with opened_store() as store:
        typer.echo(store.keys.create(tenant, name))
        if show_webhook_secret:
            typer.echo(store.keys.webhook_secret(tenant))
    typer.echo("Keep it: it cannot be shown again.", err=True)


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's keys.")] = None,
) -> None:
    """List keys, oldest first, without their secret parts."""
    with opened_store() as store:
        found = store.keys.all(tenant)
    for key in found:
        state = "active" if key.revoked_at is None else f"revoked {show_time(key.revoked_at)}"
        columns = [key.id, key.tenant, f"{key.prefix}…", show_time(key.created_at), state, key.name]
        typer.echo("\t".join(columns))
    if not found:
        typer.echo("There are no keys; `lepton keys create` makes one.", err=True)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="Id from `lepton keys list`.")]) -> None:
    """Revoke a key; it fails from the next request on."""
    with opened_store() as store:
        store.keys.revoke(key_id)
    typer.echo(f"revoked {key_id}", err=True)


@app.command("webhook-secret")
def webhook_secret(tenant: TenantOption = "default") -> None:
    """Print the secret that signs a tenant's webhooks."""
    _check_name(tenant, "--tenant", required=True)
    with opened_store() as store:
        typer.echo(store.keys.webhook_secret(tenant))


def _check_name(name: str, option: str, required: bool) -> None:
    if (required and not name.strip()) or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidInput(
            f"{option} must be printable text of {1 if required else 0} to "
            f"{_LONGEST_NAME} characters",
            option,
        )
