"""Nobody is passed, and a turn ends even where its work fails."""

from __future__ import annotations

import threading
import time

import pytest

from workers.turns import Turns


def test_turns_go_by_arrival_though_the_holder_asks_again() -> None:
    turns = Turns()
    order: list[str] = []

    def work(name: str) -> None:
        with turns.take():
            order.append(name)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    with turns.take():
        for asked, thread in enumerate(threads, start=2):
            thread.start()
            while turns._asked < asked:
                time.sleep(0.001)
    work("holder")
    for thread in threads:
        thread.join()
    assert order == ["0", "1", "2", "3", "holder"]


def test_an_error_hands_the_turn_on() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns.take():
        raise KeyError
    with turns.take():
        pass
