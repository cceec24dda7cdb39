"""The generator's thread: whoever fits joins the running batch, and the batch takes its steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from workers.errors import ModelError
from workers.generation.batch import RunningBatch, Turn
from workers.generation.limits import GenerationLimits
from workers.generation.model import DecoderModel
from workers.generation.requests import (
    ContextExceeded,
    FinishReason,
    Generation,
    GenerationRefused,
    GenerationRequest,
    OnDevice,
    OnDone,
    OnText,
)
from workers.generation.sequence import Submission
from workers.generation.waiting import Waiting
from workers.vital import vital_thread

_LEASE_POLL_SECONDS = 0.1


class Generator:
    """Runs requests on one decoder model. Every method may be called from any thread.

    The callbacks of a request are called from the generator's thread, so they must be
    quick and must not raise. ``on_done`` is called once, with the text, a GenerationFailed, or
    a cancelled text; not for a request that :meth:`close` or :meth:`stop` gave back.
    """

    def __init__(
        self,
        model: DecoderModel,
        limits: GenerationLimits,
        may_step: Callable[[], bool] = lambda: True,
        turn: Turn = nullcontext,
        on_device: OnDevice = lambda ids: None,
    ) -> None:
        """``may_step`` says whether the lease is fresh, ``turn`` is entered for each pass.

        ``on_device`` is told, within the turn, who runs in it.
        """
        self.model = model
        self._limits = limits
        self._may_step = may_step
        self._batch = RunningBatch(model, limits.most_running, limits.read_tokens, turn, on_device)
        self._waiting: Waiting[Submission] = Waiting(slack=limits.cache_tokens)
        self._held: set[str] = set()
        self._cancelled: set[str] = set()
        self._changed = threading.Condition()
        self._stop_at: float | None = None
        self._stopped = False
        self._thread = vital_thread(self._run, "generator")

    def start(self) -> None:
        """Begin to generate."""
        self._thread.start()

    def room(self) -> int:
        """Requests that should be submitted now; what comes beyond that waits, too."""
        if self._stop_at is not None:
            return 0
        most = self._limits.most_running + self._limits.most_waiting
        return max(0, most - len(self._held))

    def check(self, request: GenerationRequest) -> None:
        """Raise GenerationRefused for a request that could never run."""
        if not request.prompt:
            raise GenerationRefused("the prompt has no tokens; send some text")
        if request.spec.max_new_tokens < 1:
            raise GenerationRefused("max_tokens must be at least 1")
        if request.most_tokens > self.model.context:
            raise ContextExceeded(
                f"the prompt has {len(request.prompt):,} tokens and max_tokens asks for "
                f"{request.spec.max_new_tokens:,} more; {self.model.name} takes "
                f"{self.model.context:,} together. Shorten the prompt or lower max_tokens."
            )

    def submit(
        self, request: GenerationRequest, on_done: OnDone, on_text: OnText | None = None
    ) -> None:
        """Take a request; returns at once.

        Raises:
            GenerationRefused: it could never run; ContextExceeded where it is too long.
            ModelError: it is held already, or the generator has stopped.
        """
        self.check(request)
        done = partial(self._done, request.id, on_done)
        with self._changed:
            if self._stop_at is not None:
                raise ModelError("the generator has stopped")
            if request.id in self._held:
                raise ModelError(f"the request {request.id} is held already")
            self._held.add(request.id)
            self._waiting.add(
                request.id,
                Submission(request, on_text, done),
                size=self._batch.size(request),
                rank=request.rank,
                tenant=request.tenant,
            )
            self._changed.notify()

    def cancel(self, request_id: str) -> None:
        """End a request after the step that runs; one that is not held is left alone."""
        with self._changed:
            if request_id in self._held:
                self._cancelled.add(request_id)
                self._changed.notify()

    def close(self, until: float) -> list[str]:
        """Start nothing more; returns the ids that did not start, which are given back.

        What runs may end until that time on the monotonic clock.
        """
        with self._changed:
            self._stop_at = until
            ids = [one.request.id for one in self._waiting.drain()]
            self._held.difference_update(ids)
            self._changed.notify()
            return ids

    def stop(self) -> list[str]:
        """Wait for what may still end, at once where nothing was closed before.

        The step that runs is always finished. Returns the ids that did not end; nobody
        is told of these again.
        """
        ids = [] if self._stop_at is not None else self.close(time.monotonic())
        if self._thread.ident is not None:
            self._thread.join()
        with self._changed:
            ids += self._batch.abandon()
            self._held.clear()
            self._stopped = True
            return ids

    def has_stopped(self) -> bool:
        """Whether its model and the model's cache are free again."""
        return self._stopped

    def _run(self) -> None:
        while self._await_work():
            self._cancel()
            if self._may_step():
                self._admit()
                self._batch.step()
            else:
                time.sleep(_LEASE_POLL_SECONDS)

    def _await_work(self) -> bool:
        """Wait until there is something to do; False when it is time to stop."""
        with self._changed:
            while self._stop_at is None:
                if len(self._batch) or len(self._waiting):
                    return True
                self._changed.wait()
            return bool(len(self._batch)) and time.monotonic() < self._stop_at

    def _cancel(self) -> None:
        with self._changed:
            ids, self._cancelled = self._cancelled, set()
            never_ran = [one for key in ids if (one := self._waiting.remove(key)) is not None]
        for request_id in ids:
            if request_id in self._batch:
                self._batch.cancel(request_id)
        for submission in never_ran:
            prompt = submission.request.prompt
            submission.on_done(Generation("", FinishReason.CANCELLED, len(prompt), 0))

    def _admit(self) -> None:
        with self._changed:
            while self._stop_at is None:
                submission = self._waiting.take(self._batch.fits)
                if submission is None:
                    return
                self._batch.join(submission)

    def _done(self, request_id: str, on_done: OnDone, outcome: Generation | Exception) -> None:
        with self._changed:
            self._held.discard(request_id)
            self._cancelled.discard(request_id)
        on_done(outcome)
