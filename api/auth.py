"""Who calls: an API key becomes a tenant."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Response, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.errors import ApiError
from api.services import ServicesDep
from lepton_tasks.store.keys import SHOWN_CHARACTERS

_LONGEST_KEY: Final = 256
_CHALLENGE: Final = {"www-authenticate": "Bearer"}

_Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(HTTPBearer(auto_error=False, description="A key from `lepton keys create`.")),
]
_Header = Annotated[
    str | None, Security(APIKeyHeader(name="x-api-key", scheme_name="ApiKey", auto_error=False))
]


async def tenant_of_request(
    services: ServicesDep, response: Response, bearer: _Bearer, header: _Header
) -> str:
    """Tenant of the key in ``Authorization: Bearer`` or else ``x-api-key``.

    A key that was revoked fails within a second. The request counts for the tenant's rate.

    Raises:
        ApiError: 401, there is no key or not a valid one.
        Overloaded: the tenant sends more requests than it may.
    """
    key = bearer.credentials if bearer is not None else header
    if not key:
        raise ApiError(
            401,
            "missing_api_key",
            "send your API key as `Authorization: Bearer lpt_…`; `lepton keys create` makes one",
            headers=_CHALLENGE,
        )
    tenant = None
    if len(key) <= _LONGEST_KEY:
        tenant = await services.keys.tenant_of(key)
    if tenant is None:
        raise ApiError(
            401, "invalid_api_key", "the API key is unknown or revoked", headers=_CHALLENGE
        )
    left = services.requests.take(tenant, 1)
    response.headers.update(services.requests.headers(left))
    return tenant


Tenant = Annotated[str, Depends(tenant_of_request)]


async def caller_of_request(bearer: _Bearer, header: _Header) -> str:
    """The calling key as people know it, without its secret part; for the record."""
    key = bearer.credentials if bearer is not None else header or ""
    return f"API key {key[:SHOWN_CHARACTERS]}…"


Caller = Annotated[str, Depends(caller_of_request)]
