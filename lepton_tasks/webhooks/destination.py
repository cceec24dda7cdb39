"""Whether an endpoint's URL leads somewhere that webhooks may go, when it is registered.

The sender checks again at every connection; this is so that a mistake is told to the
one who makes it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from lepton_tasks.errors import InvalidInput
from lepton_tasks.webhooks.guard import EgressGuard, ForbiddenAddress, UnknownHost, is_public
from lepton_tasks.webhooks.target import parse_target

LOOKUP_SECONDS: Final = 5.0


async def check_destination(url: str, guard: EgressGuard, param: str = "url") -> None:
    """Look the host up and judge its addresses; ``url`` is well-formed.

    Plain http is for receivers in a private network that the operator has allowed.

    Raises:
        InvalidInput: the host has no address, one that webhooks may not reach, or a
            public one behind plain http.
    """
    target = parse_target(url)
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            addresses = await guard.addresses(target.host, target.port)
    except (UnknownHost, TimeoutError) as error:
        raise InvalidInput(
            f"{param}: the host has no address; check its name", param, "unresolvable_host"
        ) from error
    except ForbiddenAddress as error:
        raise InvalidInput(
            f"{param} must not lead to a private or loopback address", param, "private_address"
        ) from error
    if target.scheme != "https" and any(is_public(address) for address in addresses):
        raise InvalidInput(f"{param} must begin with https://", param, "https_required")
