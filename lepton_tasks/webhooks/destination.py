"""Whether an endpoint's URL leads somewhere that webhooks may go, when it is registered.

The sender checks again at every connection; this is so that a mistake is told to the
one who makes it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from lepton_tasks.errors import InvalidInput
from lepton_tasks.webhooks.guard import EgressGuard, ForbiddenAddress, HttpsRequired, UnknownHost
from lepton_tasks.webhooks.target import Target, parse_target

LOOKUP_SECONDS: Final = 5.0


async def check_destination(url: str, guard: EgressGuard) -> None:
    """:func:`check_target` for the ``url`` of an endpoint, which is well-formed."""
    await check_target(parse_target(url), guard, "url")


async def check_target(target: Target, guard: EgressGuard, param: str) -> None:
    """Look the host up and judge its addresses; ``param`` is the field that names them.

    Plain http is for receivers in a private network that the operator has allowed.

    Raises:
        InvalidInput: the host has no address, one that webhooks may not reach, or a
            public one behind plain http.
    """
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            await guard.addresses(target.host, target.port, secure=target.scheme == "https")
    except (UnknownHost, TimeoutError) as error:
        raise InvalidInput(
            f"{param}: the host has no address; check its name", param, "unresolvable_host"
        ) from error
    except ForbiddenAddress as error:
        raise InvalidInput(
            f"{param} must not lead to a private or loopback address", param, "private_address"
        ) from error
    except HttpsRequired as error:
        raise InvalidInput(f"{param} must begin with https://", param, "https_required") from error
