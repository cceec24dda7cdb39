"""Logging for entry points: one line an event on stderr, libraries only when it matters."""

from __future__ import annotations

import logging
import sys

_CHATTY = ("alembic", "httpx", "httpcore")


def set_up_logging(level: str = "INFO") -> None:
    """Log to stderr from ``level`` up; called once, by an entry point."""
    logging.basicConfig(
        level=level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    quiet_libraries()


def quiet_libraries() -> None:
    """Keep libraries that report every call to their warnings."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
