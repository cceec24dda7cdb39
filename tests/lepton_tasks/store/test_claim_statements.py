"""A claim is written only by who still holds it, whichever statement writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy.sql.dml import ReturningUpdate

from lepton_tasks.jobs import ClaimedJob, NewJob, Payload
from lepton_tasks.states import JobState
from lepton_tasks.store.claim_statements import (
    claim_statement,
    finish_statement,
    release_statement,
    retry_statement,
)
from lepton_tasks.store.rowset import bind_rows
from lepton_tasks.store.store import Store

Statement = Callable[[str], ReturningUpdate[Any]]

WRITERS: dict[str, tuple[Statement, str, Sequence[Any]]] = {
    "finish": (finish_statement, "outcome", [JobState.SUCCEEDED, '{"outputs":[1]}', None]),
    "release": (release_statement, "mine", []),
    "retry": (retry_statement, "again", [0.0]),
}
"""By what it does: the statement, its parameter, and what a row says after its claim."""


def written(store: Store, writer: str, claim: ClaimedJob) -> list[str]:
    statement, parameter, said = WRITERS[writer]
    row = (claim.id, claim.fence, claim.claim_id, *said)
    with store.database.write(durable=False) as connection:
        found = connection.execute(
            statement(store.database.dialect), {parameter: bind_rows([row])}
        ).all()
    return [one.id for one in found]


@pytest.mark.parametrize("writer", WRITERS)
def test_only_the_holder_writes(quick_store: Store, writer: str) -> None:
    job = NewJob("acme", "moderation", Payload(("你好",), single=True), cost=1)
    quick_store.jobs.insert([job])
    [claim] = quick_store.claims.claim("w1", [job.id])
    for stale in (
        dataclasses.replace(claim, id="job_of_nobody"),
        dataclasses.replace(claim, fence=claim.fence - 1),
        dataclasses.replace(claim, fence=claim.fence + 1),
        dataclasses.replace(claim, claim_id="claim_of_nobody"),
    ):
        assert written(quick_store, writer, stale) == []
    assert quick_store.jobs.get("acme", job.id).state is JobState.RUNNING
    assert written(quick_store, writer, claim) == [job.id]
    assert written(quick_store, writer, claim) == []  # it holds it no more


def test_a_claim_passes_over_what_another_is_taking(quick_store: Store) -> None:
    database = quick_store.database
    text = str(claim_statement(database.dialect).compile(database.engine))
    several_write = database.dialect == "postgresql"  # SQLite has one writer at a time
    assert ("FOR UPDATE SKIP LOCKED" in text) is several_write
