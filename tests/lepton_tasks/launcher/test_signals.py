from __future__ import annotations

import os
import signal
import time

import pytest

from lepton_tasks.launcher.signals import interrupt_on_signals, on_hangup


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_interrupts_like_ctrl_c(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interrupt_on_signals():
        os.kill(os.getpid(), number)
        time.sleep(30)
    assert signal.getsignal(number) == before


def test_a_hangup_may_mean_begin_anew() -> None:
    taken: list[str] = []
    before = signal.getsignal(signal.SIGHUP)
    with interrupt_on_signals(), on_hangup(lambda: taken.append("hangup")):
        os.kill(os.getpid(), signal.SIGHUP)
        assert taken == ["hangup"]
    assert signal.getsignal(signal.SIGHUP) == before
