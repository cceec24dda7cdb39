from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.transport.quota import plan

backlogs = st.lists(st.tuples(st.integers(0, 300), st.sampled_from([16, 4, 1])), max_size=12)


@given(backlogs, st.integers(0, 256), st.integers(0, 10_000))
def test_takes_all_there_is_room_for_and_no_more_than_a_queue_holds(
    backlog: list[tuple[int, int]], room: int, turn: int
) -> None:
    lengths = [length for length, _ in backlog]
    taken = plan(lengths, [weight for _, weight in backlog], room, turn)
    assert sum(taken) == min(room, sum(lengths))
    assert all(0 <= count <= length for count, length in zip(taken, lengths, strict=True))


@given(st.lists(st.sampled_from([16, 4, 1]), min_size=1, max_size=9), st.integers(1, 64))
def test_shares_of_full_queues_are_exact_over_a_cycle(weights: list[int], room: int) -> None:
    lengths = [10_000] * len(weights)
    for start in (0, 7):
        cycle = [plan(lengths, weights, room, start + turn) for turn in range(sum(weights))]
        totals = [sum(column) for column in zip(*cycle, strict=True)]
        assert totals == [room * weight for weight in weights]


@given(backlogs, st.integers(1, 128), st.integers(0, 100))
def test_a_waiting_queue_never_gets_less_than_its_share_of_all(
    backlog: list[tuple[int, int]], room: int, turn: int
) -> None:
    lengths = [length for length, _ in backlog]
    weights = [weight for _, weight in backlog]
    for length, weight, count in zip(
        lengths, weights, plan(lengths, weights, room, turn), strict=True
    ):
        assert count >= min(length, room * weight // sum(weights))


def test_urgent_messages_fill_the_room_that_others_leave() -> None:
    assert plan([100, 0, 1], [16, 4, 1], 50, 3) == [49, 0, 1]
