"""lepton-tasks: asynchronous NLP on Celery and Redis, with durable results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lepton_tasks.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the clients when they are asked for: others do not need them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lepton_tasks import client

    return getattr(client, name)
