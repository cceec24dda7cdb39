"""What a run must heed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lepton_tasks.batches.watch import Interrupted, Watch
from lepton_tasks.errors import LeaseLost
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState
from lepton_tasks.store.batch_runs import BatchClaim

_CLAIM = BatchClaim(
    id="batch_1",
    tenant="acme",
    endpoint="/v1/jobs",
    priority=Priority.BULK,
    input_file_id="file_1",
    state=BatchState.VALIDATING,
    validated=False,
    expires_at=4_000_000_000.0,
    seconds_left=10.0,
    holder="io-1",
    fence=1,
)


def test_a_run_goes_on_until_it_is_told_otherwise() -> None:
    watch = Watch(_CLAIM)
    heeded = []
    for state in (BatchState.IN_PROGRESS, BatchState.CANCELLING, BatchState.IN_PROGRESS):
        watch.saw(state)
        watch.check()
        heeded.append(watch.cancelling)
    assert heeded == [False, True, True]
    watch.interrupt()
    with pytest.raises(Interrupted):
        watch.check()
    watch.lose()
    with pytest.raises(LeaseLost):
        watch.check()


def test_the_deadline_is_counted_from_the_claim() -> None:
    clock = 100.0
    watch = Watch(_CLAIM, lambda: clock)
    assert (watch.seconds_left, watch.overdue) == (10.0, False)
    clock = 111.0
    assert (watch.seconds_left, watch.overdue) == (-1.0, True)
    assert not Watch(replace(_CLAIM, seconds_left=None)).overdue
