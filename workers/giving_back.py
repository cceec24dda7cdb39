"""Claimed jobs that this worker will not run go back to the queue."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.jobs import ClaimedJob
from lepton_tasks.store.store import Store

logger = logging.getLogger(__name__)


def give_back(store: Store, claims: Sequence[ClaimedJob]) -> int:
    """Release ``claims``; returns how many wait again.

    While the store is away that is none: they come back when the worker's lease ends.
    """
    try:
        return len(store.claims.release(claims))
    except (StoreUnavailable, DBAPIError) as error:
        logger.warning("%d jobs come back when the lease ends: %s", len(claims), error)
        return 0
