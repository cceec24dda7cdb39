"""Tenants share by cost, nobody waits for more than a round, and no room is left unused."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_tasks import round_robin
from lepton_tasks.round_robin import DeficitRoundRobin, Waiting

COSTS = st.integers(1, 400)
QUANTA = st.integers(1, 100)
MOST = 400


class Tenants:
    """Backlogs by tenant, and the ring as whoever feeds a queue lists it."""

    def __init__(self, costs: dict[str, list[int]], quantum: int) -> None:
        self.turns = DeficitRoundRobin(quantum)
        self.backlog = {tenant: deque[Waiting]() for tenant in costs}
        self.quantum = quantum
        for tenant, of_tenant in costs.items():
            for cost in of_tenant:
                self.add(tenant, cost)
        self._numbers = 0

    def add(self, tenant: str, cost: int) -> str:
        job = Waiting(f"{tenant}/{len(self.backlog[tenant])}/{cost}/{id(cost)}", cost)
        self.backlog[tenant].append(job)
        return job.id

    def choose(self, room: int) -> list[Waiting]:
        names = sorted(tenant for tenant, jobs in self.backlog.items() if jobs)
        place, cut = self.turns.place, self.turns.cut_short
        after = [name for name in names if name > place or (cut and name == place)]
        ring = after + [name for name in names if name not in after]
        chosen = self.turns.choose({name: self._jobs(name) for name in ring}, room)
        for job in chosen:
            assert self.backlog[tenant_of(job)].popleft() is job
        return chosen

    def _jobs(self, tenant: str) -> Iterator[Waiting]:
        yield from list(self.backlog[tenant])


def tenant_of(job: Waiting) -> str:
    return job.id.split("/")[0]


backlogs = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(COSTS, min_size=1, max_size=30), min_size=1
)


@given(backlogs, QUANTA, st.integers(1, 40))
def test_no_room_is_left_while_something_waits(
    costs: dict[str, list[int]], quantum: int, room: int
) -> None:
    tenants = Tenants(costs, quantum)
    left = sum(map(len, costs.values()))
    while left:
        chosen = tenants.choose(room)
        assert len(chosen) == min(room, left)
        left -= len(chosen)
    assert tenants.choose(room) == []


@given(backlogs, QUANTA, st.lists(st.integers(1, 20), min_size=1))
def test_a_tenants_jobs_keep_their_order(
    costs: dict[str, list[int]], quantum: int, rooms: list[int]
) -> None:
    tenants = Tenants(costs, quantum)
    for room in rooms:
        tenants.choose(room)  # which checks that each job was its tenant's oldest


@given(
    st.dictionaries(st.sampled_from("abcdef"), COSTS, min_size=2),
    QUANTA,
    st.lists(st.integers(1, 30), min_size=1, max_size=30),
)
def test_tenants_that_always_wait_share_by_cost(
    cost_of: dict[str, int], quantum: int, rooms: list[int]
) -> None:
    """However small the room of a call is: no two are further apart than a turn each."""
    tenants = Tenants({tenant: [] for tenant in cost_of}, quantum)
    served: Counter[str] = Counter()
    for room in rooms:
        for tenant, cost in cost_of.items():
            while len(tenants.backlog[tenant]) < room:
                tenants.add(tenant, cost)
        for job in tenants.choose(room):
            served[tenant_of(job)] += job.cost
    shares = sorted(served[tenant] for tenant in cost_of)
    assert shares[-1] - shares[0] <= 2 * quantum + 2 * max(cost_of.values())


@given(st.lists(COSTS, min_size=1, max_size=8), QUANTA, COSTS, st.integers(0, 60))
@settings(deadline=None)
def test_a_newcomer_waits_for_one_turn_of_each_other(
    cost_of: list[int], quantum: int, cost: int, before: int
) -> None:
    """Whatever its job costs, and however long the others have waited."""
    tenants = Tenants({f"t{n}": [one] * 90 for n, one in enumerate(cost_of)}, quantum)
    tenants.choose(before)
    tenants.backlog["new"] = deque()
    tenants.add("new", cost)
    ahead: Counter[str] = Counter()
    for job in tenants.choose(90 * len(cost_of) + 1):
        if tenant_of(job) == "new":
            break
        ahead[tenant_of(job)] += job.cost
    for place, one in enumerate(cost_of):
        assert ahead[f"t{place}"] <= quantum + one


def test_jobs_of_equal_cost_alternate_closely() -> None:
    tenants = Tenants({"a": [32] * 100, "b": [32] * 100, "c": [32] * 100}, 64)
    order = "".join(tenant_of(job) for job in tenants.choose(30))
    assert order == "aabbcc" * 5


def test_a_turn_goes_on_where_the_room_ended() -> None:
    tenants = Tenants({"a": [1] * 50, "b": [1] * 50}, 4)
    order = "".join(tenant_of(job) for _ in range(8) for job in tenants.choose(3))
    assert order == "aaaabbbb" * 3


def test_one_large_job_at_a_time_pays_its_debt() -> None:
    """A tenant whose backlog is empty between its jobs gets no more than its share."""
    tenants = Tenants({"small": [4] * 5_000, "large": []}, 64)
    served: Counter[str] = Counter()
    for _ in range(100):
        if not tenants.backlog["large"]:
            tenants.add("large", 640)
        for job in tenants.choose(40):
            served[tenant_of(job)] += job.cost
    assert served["large"] > 2_000
    assert abs(served["large"] - served["small"]) <= 2 * (64 + 640)


def test_past_debtors_are_forgotten() -> None:
    tenants = Tenants({f"t{n:05}": [1_000] for n in range(30)}, 64)
    bound, round_robin._MOST_DEBTORS = round_robin._MOST_DEBTORS, 10  # type: ignore[misc]
    try:
        tenants.choose(30)
        tenants.backlog["steady"] = deque()
        for _ in range(2_000):
            tenants.add("steady", 64)
        tenants.choose(1_000)
    finally:
        round_robin._MOST_DEBTORS = bound  # type: ignore[misc]
    assert len(tenants.turns._debts) <= 10


def test_no_more_is_read_than_is_chosen() -> None:
    read: list[str] = []

    def jobs(tenant: str) -> Iterator[Waiting]:
        for number in range(100):
            read.append(f"{tenant}{number}")
            yield Waiting(f"{tenant}{number}", 64)

    turns = DeficitRoundRobin(64)
    chosen = turns.choose({"a": jobs("a"), "b": jobs("b")}, 10)
    assert sorted(read) == sorted(job.id for job in chosen)
    assert all(one.id[0] != other.id[0] for one, other in pairwise(chosen))
