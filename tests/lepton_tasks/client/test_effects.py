from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_tasks.client.effects import Emit, Pause, Steps, Stopped, refined


def numbers(done: list[str]) -> Steps[None]:
    try:
        yield Pause(1)
        yield Emit(2)
        yield Emit(3)
    finally:
        yield Pause(9)
        done.append("clean")


def twice(value: int) -> Iterator[int]:
    yield value
    yield -value


def test_what_is_emitted_is_refined_and_the_rest_goes_through() -> None:
    done: list[str] = []
    effects = list(refined(numbers(done), twice))
    assert effects == [Pause(1), Emit(2), Emit(-2), Emit(3), Emit(-3), Pause(9)]
    assert done == ["clean"]


def test_what_is_thrown_reaches_what_is_refined() -> None:
    done: list[str] = []
    steps = refined(numbers(done), twice)
    assert [next(steps), steps.send(None)] == [Pause(1), Emit(2)]
    assert steps.throw(Stopped()) == Pause(9)
    with pytest.raises(Stopped):
        steps.send(None)
    assert done == ["clean"]
