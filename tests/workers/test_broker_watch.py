"""When a broker counts as away, and when as back."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from workers.broker_watch import AWAY_SECONDS, BrokerWatch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> BrokerWatch:
    return BrokerWatch(clock)


def answers(clock: Clock, watch: BrokerWatch, moments: Iterable[float]) -> list[bool]:
    """Whether it is away after each answer."""
    seen = []
    for clock.now in moments:
        watch.answered()
        seen.append(watch.is_away())
    return seen


def test_one_that_answers_now_and_then_is_there(clock: Clock, watch: BrokerWatch) -> None:
    assert not any(answers(clock, watch, [AWAY_SECONDS * n for n in range(100)]))


def test_it_has_to_answer_for_a_while_to_be_back(clock: Clock, watch: BrokerWatch) -> None:
    assert answers(clock, watch, [10.0, 10.5, 11.0, 12.0]) == [True, True, False, False]


def test_one_that_answers_once_in_a_while_stays_away(clock: Clock, watch: BrokerWatch) -> None:
    assert all(answers(clock, watch, range(10, 200, 4)))


def test_silence_without_a_question_means_nothing(clock: Clock, watch: BrokerWatch) -> None:
    for clock.now in range(100):
        watch.owes_nothing()
        assert not watch.is_away()


def test_one_that_is_away_does_not_come_back_by_being_asked_nothing(
    clock: Clock, watch: BrokerWatch
) -> None:
    clock.now = 10.0
    watch.owes_nothing()
    assert watch.is_away()


def test_it_can_be_away_from_the_start(clock: Clock, watch: BrokerWatch) -> None:
    watch.missed()
    assert watch.is_away()
    assert answers(clock, watch, [1.0, 1.5, 2.0]) == [True, True, False]
