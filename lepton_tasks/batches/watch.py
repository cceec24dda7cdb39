"""What the run of a batch must heed: its lease, its tenant's cancel, its deadline, a shutdown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lepton_tasks.errors import LeaseLost, LeptonError
from lepton_tasks.states import BatchState
from lepton_tasks.store.batch_runs import BatchClaim


class Interrupted(LeptonError):
    """A run was asked to stop; what it wrote is kept, and another goes on."""

    code = "interrupted"


class Watch:
    """Told by the thread that renews leases, asked by the run."""

    def __init__(self, claim: BatchClaim, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        left = claim.seconds_left
        self._deadline = None if left is None else clock() + left
        self._state = claim.state
        self._lost = False
        self.stop = threading.Event()
        """Set when the run is to end, for whatever reason."""

    def saw(self, state: BatchState) -> None:
        """Note in which state the batch was found.

        A cancel is not forgotten over what was read before it and is told after it.
        """
        if self._state is not BatchState.CANCELLING:
            self._state = state

    def lose(self) -> None:
        """Note that another has the batch."""
        self._lost = True
        self.stop.set()

    def interrupt(self) -> None:
        """Ask the run to stop."""
        self.stop.set()

    def check(self) -> None:
        """End the run where it may not or must not go on.

        Raises:
            LeaseLost: another has the batch.
            Interrupted: it was asked to stop.
        """
        if self._lost:
            raise LeaseLost("another runs the batch")
        if self.stop.is_set():
            raise Interrupted("the run was asked to stop")

    @property
    def cancelling(self) -> bool:
        """Whether the tenant has cancelled the batch."""
        return self._state is BatchState.CANCELLING

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the deadline, negative behind it; None where there is none."""
        return None if self._deadline is None else self._deadline - self._clock()

    @property
    def overdue(self) -> bool:
        """Whether the deadline has passed."""
        left = self.seconds_left
        return left is not None and left <= 0
