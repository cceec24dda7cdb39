"""Chunks that come in any order, twice, or never: the text is right or is known to be missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.broker.chunks import Assembly, Chunk, StoredText, StreamBroken, stored_text
from lepton_tasks.jobs import Job
from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState


def job(state: JobState, result: dict[str, Any] | None) -> Job:
    return Job(
        id="job_1",
        tenant="t",
        task="generation",
        priority=Priority.NORMAL,
        state=state,
        single=True,
        items=1,
        attempts=1,
        created_at=0.0,
        started_at=None,
        finished_at=None,
        run_at=0.0,
        deadline=None,
        cancel_requested=False,
        batch_id=None,
        ordinal=None,
        metadata={},
        result=result,
        error=None,
    )


@given(st.lists(st.text(max_size=4), min_size=1, max_size=8), st.data())
def test_what_is_taken_is_always_the_beginning_of_the_text(
    pieces: list[str], data: st.DataObject
) -> None:
    whole = "".join(pieces)
    chunks = [
        Chunk(1, index, piece, "stop" if index == len(pieces) - 1 else None)
        for index, piece in enumerate(pieces)
    ]
    came = data.draw(st.lists(st.sampled_from(chunks), max_size=12))
    assembly = Assembly()
    taken = "".join(assembly.take(chunk) for chunk in came)
    assert whole.startswith(taken)
    assert assembly.end is None or taken == whole
    assert taken + assembly.rest(whole) == whole


def test_a_worker_that_begins_anew_is_noticed() -> None:
    assembly = Assembly()
    assert assembly.take(Chunk(1, 0, "one")) == "one"
    assert assembly.take(Chunk(2, 0, "another")) == ""
    assert assembly.missed
    assert assembly.take(Chunk(1, 1, " more")) == ""
    with pytest.raises(StreamBroken, match="read the job's result"):
        assembly.rest("another one")


def test_before_the_first_text_a_new_worker_is_followed() -> None:
    assembly = Assembly()
    assembly.take(Chunk(1, 0, ""))
    assert assembly.take(Chunk(2, 0, "anew")) == "anew"
    assert assembly.take(Chunk(1, 1, "old")) == ""
    assert not assembly.missed


@pytest.mark.parametrize("data", [b"{}", b"[1, 2]", b"no json", b"[]"])
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Chunk.load(data)


def test_texts_of_jobs_that_are_over() -> None:
    done = {"outputs": [{"text": "一", "finish_reason": "stop"}, {"error": {"code": "x"}}]}
    assert stored_text(job(JobState.RUNNING, None)) is None
    assert stored_text(job(JobState.SUCCEEDED, done)) == StoredText("一", "stop")
    assert stored_text(job(JobState.SUCCEEDED, done), 1) == StoredText(None, "succeeded")
    assert stored_text(job(JobState.CANCELLED, None)) == StoredText(None, "cancelled")
