from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.client.messages import Failure, Response
from lepton_tasks.client.retrying import LONGEST_PAUSE, is_passing, pause_before


@given(st.integers(400, 599))
def test_what_the_request_itself_got_wrong_is_not_sent_again(status: int) -> None:
    assert is_passing(Response(status, {})) == (status in (408, 429) or status >= 500)
    assert is_passing(Response(status, {"x-should-retry": "True"}))
    assert not is_passing(Response(status, {"x-should-retry": "false"}))


@given(st.integers(2, 50), st.floats(0, 1))
def test_pauses_grow_to_eight_seconds_and_no_more(attempt: int, chance: float) -> None:
    pause = pause_before(attempt, Failure("reset"), chance)
    assert pause is not None
    assert 0.375 <= pause <= 8.0


@given(st.floats(0, 1e6), st.floats(0, 1))
def test_nobody_comes_back_sooner_than_asked(seconds: float, chance: float) -> None:
    pause = pause_before(2, Response(429, {"retry-after": str(seconds)}), chance)
    if seconds > LONGEST_PAUSE:
        assert pause is None
    else:
        assert pause is not None
        assert pause >= seconds
