from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.launcher.backoff import RestartPolicy

policies = st.builds(
    RestartPolicy,
    first_delay=st.floats(0.01, 10),
    factor=st.floats(1, 4),
    max_delay=st.floats(10, 100),
    limit=st.integers(1, 40),
    stable_after=st.floats(1, 100),
)


@given(policies)
def test_delays_grow_to_the_maximum_and_then_it_gives_up(policy: RestartPolicy) -> None:
    delays = [policy.delay(crashes) for crashes in range(1, policy.limit)]
    known = [delay for delay in delays if delay is not None]
    assert known == delays
    assert known == sorted(known)
    assert all(policy.first_delay <= delay <= policy.max_delay for delay in known)
    assert policy.delay(policy.limit) is None


@given(policies, st.integers(0, 40), st.floats(0, 200))
def test_a_stable_run_forgives_earlier_crashes(
    policy: RestartPolicy, crashes: int, ready_for: float
) -> None:
    stable = ready_for >= policy.stable_after
    assert policy.count(crashes, ready_for) == (1 if stable else crashes + 1)
