"""What must be true before the API listens: a usable database, a Redis that keeps messages."""

from __future__ import annotations

import logging
from contextlib import closing

from lepton_tasks.broker.connection import check_redis_if_there, connect
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store

_REDIS_SECONDS = 5.0


def check_startup(settings: Settings) -> None:
    """Look at what the API needs. A Redis that is away is only missed.

    Raises:
        LeptonError: a setting is missing or wrong, the database cannot be used, or
            Redis would lose messages; the message says what to do.
    """
    client = connect(settings.redis_url, _REDIS_SECONDS)
    with closing(open_store(settings)) as store:
        store.endpoints.check_key()
    with client:
        check_redis_if_there(client)


def configure_logging(level: str) -> None:
    """Log to standard error; requests are logged by us, without what they carry."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # uvicorn's own access log would write whole URLs.
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    # It warns of what is wrong with a body, byte by byte; whoever sent it is told.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
