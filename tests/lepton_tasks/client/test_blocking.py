from __future__ import annotations

import httpx
import pytest

from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.effects import Emit, Pause, Pull, Steps


def driver() -> BlockingDriver:
    return BlockingDriver(httpx.Client(), Configuration("http://a.test", "k"))


def test_an_operation_that_is_interrupted_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)

    def steps() -> Steps[None]:
        try:
            yield Pause(1)
        finally:
            yield Pause(2)

    with pytest.raises(KeyboardInterrupt):
        driver().run(steps())
    assert slept == [1, 2]


def test_an_operation_may_go_on_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        raise OSError

    monkeypatch.setattr("time.sleep", sleep)

    def steps() -> Steps[str]:
        try:
            yield Pause(1)
        except OSError:
            return "went on"
        return "slept"

    assert driver().run(steps()) == "went on"


def test_a_consumer_that_stops_early_lets_it_clean_up() -> None:
    done: list[str] = []

    def steps() -> Steps[None]:
        try:
            while True:
                item = yield Pull()
                yield Emit(item)
        finally:
            yield Pause(0)
            done.append("clean")

    values = driver().iterate(steps(), ["一", "二", "三"])
    assert next(values) == "一"
    values.close()
    assert done == ["clean"]
