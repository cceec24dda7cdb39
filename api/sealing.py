"""Routes that seal secrets, in an installation that has no key to seal them with."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from api.errors import ApiError
from lepton_tasks.errors import ConfigError

logger = logging.getLogger(__name__)


async def needs_key() -> AsyncIterator[None]:
    """Dependency of such routes: says that the key is what is missing.

    The reason is for the log alone: it names files and the keys that the database knows.

    Raises:
        ApiError: 503, there is no key here or not the right one. Nothing was changed.
    """
    try:
        yield
    except ConfigError as error:
        logger.error("%s", error)
        raise ApiError(
            503,
            "secret_key_required",
            "secrets cannot be sealed here, so nothing was changed: whoever runs this service "
            "has to set LEPTON_SECRET_KEY to the key of this database",
            headers={"x-should-retry": "false"},
        ) from error
