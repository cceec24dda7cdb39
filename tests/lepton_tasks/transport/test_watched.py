"""What a fetch takes from each list: all the room, by weight, and steps within a queue in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.queues import Priority, split_queue_name
from lepton_tasks.transport.quota import plan, weight_of
from lepton_tasks.transport.watched import Watched


@st.composite
def backlogs(draw: st.DrawFn) -> tuple[Watched, list[int]]:
    """Queues, most urgent first, with the lengths of their lists."""
    names = draw(st.lists(st.sampled_from(["a", "翻译", "c"]), max_size=4))
    priorities = [draw(st.sampled_from(Priority)) for _ in names]
    priorities.sort(key=lambda one: one.rank)
    queues = tuple(f"{name}{number}.{priority}" for number, (name, priority)
                   in enumerate(zip(names, priorities, strict=True)))  # fmt: skip
    steps = draw(st.integers(1, 4))
    lists = tuple(f"{queue}|{step}" for queue in queues for step in range(steps))
    lengths = draw(st.lists(st.integers(0, 40), min_size=len(lists), max_size=len(lists)))
    return Watched(queues, lists, steps), lengths


@given(backlogs(), st.integers(0, 200), st.integers(0, 100))
def test_all_the_room_is_used_and_no_list_gives_more_than_it_has(
    backlog: tuple[Watched, list[int]], room: int, turn: int
) -> None:
    watched, lengths = backlog
    quotas = watched.quotas(lengths, room, turn)
    assert len(quotas) == len(watched.lists)
    assert sum(quotas) == min(room, sum(lengths))
    assert all(0 <= quota <= length for quota, length in zip(quotas, lengths, strict=True))


@given(backlogs(), st.integers(0, 200), st.integers(0, 100))
def test_steps_change_nothing_between_queues_and_go_in_order_within_one(
    backlog: tuple[Watched, list[int]], room: int, turn: int
) -> None:
    watched, lengths = backlog
    quotas = watched.quotas(lengths, room, turn)
    steps = watched.steps
    starts = range(0, len(lengths), steps)
    totals = [sum(lengths[start : start + steps]) for start in starts]
    wanted = plan(totals, [weight_of(queue) for queue in watched.queues], room, turn)
    assert [sum(quotas[start : start + steps]) for start in starts] == wanted
    for start in starts:
        for place in range(start, start + steps - 1):
            assert quotas[place] == lengths[place] or quotas[place + 1] == 0


@given(backlogs())
def test_the_urgent_part_is_the_beginning_that_is_urgent(
    backlog: tuple[Watched, list[int]],
) -> None:
    watched, _ = backlog
    urgent = watched.urgent
    assert all(split_queue_name(queue)[1] is Priority.HIGH for queue in urgent.queues)
    rest = watched.queues[len(urgent.queues) :]
    assert all(split_queue_name(queue)[1] is not Priority.HIGH for queue in rest)
    assert watched.queues[: len(urgent.queues)] == urgent.queues
    assert watched.lists[: len(urgent.lists)] == urgent.lists
    assert len(urgent.lists) == len(urgent.queues) * urgent.steps
    assert urgent.urgent == urgent


@given(backlogs())
def test_a_list_leads_to_its_queue(backlog: tuple[Watched, list[int]]) -> None:
    watched, _ = backlog
    for place, name in enumerate(watched.lists):
        assert watched.queue_of(place) == name.rpartition("|")[0]


def test_nothing_watched_takes_nothing() -> None:
    assert Watched().quotas([], 10, 3) == []
    assert Watched().urgent == Watched()
