"""Sending calls that are owed: Celery makes the messages, the store knows which are due.

Sending is at least once. Ids are in the signatures, so a second sending is the same tasks
again: ours are adopted once, and other workers see them as Celery's redeliveries.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import redis
from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from lepton_tasks.canvas.following import Call
from lepton_tasks.canvas.signatures import routed
from lepton_tasks.errors import BrokerUnavailable, StoreUnavailable
from lepton_tasks.settings import Settings
from lepton_tasks.store.follow_ups import MOST_AT_ONCE, TAKEN_SECONDS, FollowUp, FollowUpStore

if TYPE_CHECKING:
    from celery import Celery

    from lepton_tasks.store.store import Store

logger = logging.getLogger(__name__)

_OUTAGES: Final = (OperationalError, redis.RedisError, ConnectionError, TimeoutError)
_AGAIN_SECONDS: Final = 1.0
_MOST_TRIES: Final = 3
"""How often a call is tried that fails though the broker is there."""


class FollowUpSender:
    """Takes calls that are due and sends them by a Celery app."""

    def __init__(self, store: FollowUpStore, app: Callable[[], Celery], queue: str | None) -> None:
        """``app`` is asked for when there is something to send.

        ``queue`` is that of calls of other workers' tasks that name none; None leaves these
        to the app's own routes.
        """
        self._store = store
        self._app = app
        self._queue = queue

    def send(self, ids: Sequence[str] | None = None) -> int:
        """Send what is due, or what of ``ids`` is; returns how many were taken.

        Raises:
            BrokerUnavailable: the broker did not take them; they are due again in a second.
            StoreUnavailable: the database is away; they are due again in some seconds.
        """
        taken = self._store.take(ids)
        done: list[FollowUp] = []
        began = time.monotonic()
        try:
            for one in taken:
                if time.monotonic() - began > TAKEN_SECONDS / 3:
                    break  # before somebody else may take them
                if self._sent(one):
                    done.append(one)
        except _OUTAGES as error:
            self._store.sent(done)
            self._store.postpone(_without(taken, done), _AGAIN_SECONDS)
            raise BrokerUnavailable(f"follow-ups could not be sent ({_name(error)})") from error
        self._store.sent(done)
        self._store.postpone(_without(taken, done), _AGAIN_SECONDS)
        return len(taken)

    def send_all(self) -> None:
        """Send whatever is due now.

        Raises:
            BrokerUnavailable: the broker did not take them; they are due again in a second.
        """
        while self.send() == MOST_AT_ONCE:
            pass

    def _sent(self, one: FollowUp) -> bool:
        try:
            publish(self._app(), one.call, self._queue)
        except (*_OUTAGES, StoreUnavailable, SQLAlchemyError):
            raise  # not the call's fault: Celery asks our backend about chords
        except Exception as error:  # noqa: BLE001 - a call that no Celery can make is its own
            logger.warning("follow-up %s cannot be sent: %s", one.id, _name(error))
            if one.attempts >= _MOST_TRIES:
                self._store.give_up(one, _unsendable(error))
            return False
        return True


def follow_up_sender(store: Store, settings: Settings) -> FollowUpSender:
    """Make the sender of a process of ours; Celery is imported when there is something to send."""

    @cache
    def app() -> Celery:
        from lepton_tasks.celery.app import make_sending_app

        return make_sending_app(settings)

    return FollowUpSender(store.follow_ups, app, settings.celery_queue)


def publish(app: Celery, call: Call, queue: str | None) -> None:
    """Send one call, which may be many messages: a group's, a chord's header."""
    options = dict(call.options)
    if options.get("chain"):
        options["chain"] = [routed(step, None) for step in options["chain"]]
    signature = app.signature(routed(call.signature, queue))
    signature.apply_async(tuple(call.args), **options)


def _without(taken: Sequence[FollowUp], done: Sequence[FollowUp]) -> list[FollowUp]:
    gone = {one.id for one in done}
    return [one for one in taken if one.id not in gone]


def _unsendable(error: Exception) -> dict[str, Any]:
    return {
        "exc_type": "ChordError",
        "exc_message": [f"the call could not be sent: {_name(error)}"],
        "exc_module": "celery.exceptions",
    }


def _name(error: Exception) -> str:
    return type(error).__name__
