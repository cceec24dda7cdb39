"""The thread ahead of the model: encodes inputs, and makes the next micro-batch ready."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.retrieval import CorpusTask
from workers.batcher import Batcher
from workers.bounded import BoundedCalls
from workers.engines.base import Engine
from workers.errors import ModelError
from workers.held import HeldJob, Input, Item
from workers.outcomes import CANCELLED, ENCODING_FAILED, ENCODING_TIMEOUT, Failed, refused
from workers.progress import Region
from workers.text_free import describe
from workers.vital import vital_thread

logger = logging.getLogger(__name__)

CHUNK_CHARACTERS: Final = 16_384
"""Characters that are encoded at a time; what comes meanwhile waits for no more."""


class Failures(Protocol):
    """Takes inputs that will never reach the model."""

    def fail(self, inputs: Sequence[Input], why: Failed) -> None:
        """Record ``why`` for each of ``inputs``."""
        ...


class Preparer:
    """Encodes claimed inputs, most urgent first, in chunks; never the model's thread.

    Which inputs come next is the batcher's rule once more, with characters for tokens:
    priorities by weight, tenants fairly, so that a flood of one kind delays nobody here
    either. An input whose encoding raises or takes too long fails alone.
    """

    def __init__(
        self,
        sink: Callable[[Sequence[Item]], None],
        prepare_next: Callable[[], None],
        failures: Failures,
        encode_seconds: float,
        in_work: Region,
    ) -> None:
        """``sink`` takes items that are encoded, always of one engine.

        ``prepare_next`` makes the next micro-batch ready; ``encode_seconds`` is the most
        that one input may take; ``in_work`` names the inputs that are being encoded.
        """
        self._in_work = in_work
        self._sink = sink
        self._prepare_next = prepare_next
        self._failures = failures
        self._bounded = BoundedCalls(encode_seconds, "encoding")
        self._backlog: Batcher[Input] = Batcher()
        self._wanted = threading.Condition()
        self._stale = False
        self._closed = False
        self._thread = vital_thread(self._run, "preparer")

    def start(self) -> None:
        """Begin to encode."""
        self._thread.start()

    def __len__(self) -> int:
        """Inputs that are not encoded yet."""
        return len(self._backlog)

    def add(self, jobs: Sequence[HeldJob]) -> None:
        """Take claimed jobs; a suspect again after each of its inputs, for the next one."""
        with self._wanted:
            if self._closed:
                return
            for job in jobs:
                for place in job.begin():
                    one = Input(job, place)
                    self._backlog.add(
                        one,
                        length=one.characters,
                        rank=one.rank,
                        lane=job.lane(place),
                        tenant=job.claim.tenant,
                        deadline=job.claim.deadline,
                    )
            self._wanted.notify()

    def wake(self) -> None:
        """Make the next micro-batch ready: the model has taken one."""
        with self._wanted:
            self._stale = True
            self._wanted.notify()

    def close(self) -> list[HeldJob]:
        """Encode nothing more; returns the jobs with inputs that were not encoded."""
        with self._wanted:
            self._closed = True
            self._wanted.notify()
        self._thread.join()
        self._bounded.close()
        return list({one.job: None for one in self._backlog.drain()})

    def _run(self) -> None:
        while True:
            with self._wanted:
                while not (self._closed or self._stale or len(self._backlog)):
                    self._wanted.wait()
                if self._closed:
                    return
                stale, self._stale = self._stale, False
                chunk = [] if stale else self._backlog.take(CHUNK_CHARACTERS)
            if stale:
                self._prepare_next()
            else:
                self._encode(chunk)

    def _encode(self, chunk: Sequence[Input]) -> None:
        by_engine: defaultdict[tuple[str, str], list[Input]] = defaultdict(list)
        for one in chunk:
            if one.job.cancelled:
                self._failures.fail([one], CANCELLED)
            else:
                by_engine[one.job.model].append(one)
        for inputs in by_engine.values():
            self._in_work.hold(one.name for one in inputs)
            try:
                self._sink(self._bounded(partial(encode, inputs)))
            except ModelError:
                raise
            except Exception as error:  # noqa: BLE001 - one input's failure is an outcome
                if len(inputs) > 1:
                    for one in inputs:
                        self._encode([one])
                else:
                    self._fail(inputs[0], error)
            self._in_work.clear()

    def _fail(self, one: Input, error: Exception) -> None:
        why = refused(error)
        if why is None:
            why = ENCODING_TIMEOUT if isinstance(error, TimeoutError) else ENCODING_FAILED
        logger.warning("job %s: an input cannot be encoded: %s", one.job.claim.id, describe(error))
        self._failures.fail([one], why)


def encode(inputs: Sequence[Input]) -> list[Item]:
    """Clean and tokenise inputs for one engine, in order.

    Raises:
        Exception: an input cannot be encoded; which one, the error does not say.
    """
    engine: Engine = inputs[0].job.engine
    cleaned = [_clean(one) for one in inputs]
    encoded = engine.tokenize(cleaned)
    return [
        Item(one.job, one.place, model_input, tokens)
        for one, model_input, tokens in zip(inputs, cleaned, encoded, strict=True)
    ]


def _clean(one: Input) -> ModelInput:
    task, options = one.job.task, one.job.options
    item = task.read_item(one.value)
    if isinstance(task, CorpusTask) and one.place in one.job.found:
        found = one.job.found[one.place]
        if found is None:
            raise LookupError("nothing could be looked up for it")
        return task.encode_found(item, found, options)
    return task.encode(item, options)
