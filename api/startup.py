"""What must be true before the API listens: a usable database, a Redis that keeps messages."""

from __future__ import annotations

import logging
import resource
from contextlib import closing, suppress
from typing import Final

from lepton_tasks.broker.connection import check_redis_if_there, connect
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store

_REDIS_SECONDS = 5.0
MOST_FILES: Final = 65_536
"""As many connections and files as may be open at once, where the system lets us."""


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


def raise_file_limit() -> None:
    """Have as many files open as this process may, up to :data:`MOST_FILES`.

    Each connection is one, and each upload two: the 1,024 of many systems are few.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def configure_logging(level: str) -> None:
    """Log to standard error; requests are logged by us, without what they carry."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # uvicorn's own access log would write whole URLs.
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    # It warns of what is wrong with a body, byte by byte; whoever sent it is told.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
