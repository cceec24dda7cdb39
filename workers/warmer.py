"""From a catalogue entry to a warm engine, beside those in memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from lepton_tasks.errors import LeptonError
from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.catalogue.entries import CatalogueEntry
from workers.device_faults import DeviceFault, is_device_fault, is_out_of_memory
from workers.engines.base import Engine
from workers.engines.loader import expected_bytes, load_engine
from workers.engines.trunks import Trunks
from workers.engines.warm import warm_up
from workers.errors import TemporaryFailure
from workers.refusal import Refused, model_unavailable
from workers.resident import ResidentModels
from workers.text_free import describe

logger = logging.getLogger(__name__)


class Warmer:
    """Loads engines and runs their tasks' examples; engines share encoders."""

    def __init__(
        self, tasks: Mapping[str, AnyTask], settings: Settings, resident: ResidentModels
    ) -> None:
        """``tasks`` by name are those whose models are asked for."""
        self._tasks = tasks
        self._device = settings.device
        self._resident = resident
        self._trunks = Trunks()

    def warm(self, entry: CatalogueEntry) -> Engine:
        """Make room, load and warm; the engine is not held yet.

        Raises:
            LeptonError: the model cannot be loaded or does not fit; the message names it.
            Exception: a task's example fails.
        """
        self._resident.make_room(entry.name, expected_bytes(entry, self._device, self._trunks))
        began = time.monotonic()
        task = self._tasks[entry.task]
        only = {entry.name: entry}
        engine = load_engine(task.name, only, self._device, entry.name, self._trunks)
        warm_up(task, engine)
        took = time.monotonic() - began
        logger.info("%s is warm: %s at %s, %.1f s", task.name, engine.name, engine.revision, took)
        self._resident.make_room_for(entry.name, engine)
        return engine


def refusal(entry: CatalogueEntry, error: Exception) -> Refused:
    """Why a model could not be had, for its producers; the operator is told by the log.

    Raises:
        DeviceFault: ``error`` says that the device is broken.
    """
    reason, retryable = reason_of(error)
    logger.warning("the model %s is not available: %s", entry.name, reason)
    return model_unavailable(entry.name, reason, [entry.folder, entry.encoder_folder], retryable)


def reason_of(error: Exception) -> tuple[str, bool]:
    """Why a model could not be loaded or warmed, without a text of a user; whether it may pass.

    Raises:
        DeviceFault: ``error`` says that the device is broken.
    """
    if is_device_fault(error):
        raise DeviceFault(describe(error)) from error
    if isinstance(error, LeptonError):
        return str(error), isinstance(error, TemporaryFailure)
    if is_out_of_memory(error):
        return "the device has no memory left for it", True
    return f"loading or warming it raised {describe(error)}", isinstance(error, OSError)
