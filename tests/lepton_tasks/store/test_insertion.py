"""Several callers' jobs in one transaction: each caller's all or none."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from lepton_tasks.errors import IdempotencyConflict, StoreUnavailable
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.store.database import Database
from lepton_tasks.store.insertion import Outcome, Stored
from lepton_tasks.store.jobs import JobStore
from lepton_tasks.store.store import Store


def a_job(text: str = "你好", **changes: object) -> NewJob:
    return NewJob("acme", "moderation", Payload((text,), single=True), 1, **changes)  # type: ignore[arg-type]


def keyed(key: str, body: str = "h") -> NewJob:
    return a_job(idempotency_key=key, body_hash=body)


def ids(outcome: Outcome) -> list[str]:
    assert isinstance(outcome, Stored)
    return [answer.id for answer in outcome.answers]


def stored(store: Store) -> set[str]:
    return {job.id for job in store.jobs.page("acme", limit=1_000)}


def test_what_goes_in_comes_out(store: Store) -> None:
    job = a_job(
        "多谢，thank you",
        ttl_seconds=60.0,
        run_at=4_000_000_000.0,
        metadata={"顾客": "七"},
        webhook="https://example.test/",
        batch_id="batch_1",
        ordinal=3,
    )
    [answer] = store.jobs.insert([job])
    seen = store.jobs.get("acme", job.id)
    assert seen.run_at == 4_000_000_000.0
    assert seen.deadline == pytest.approx(answer.created_at + 60)
    assert (seen.metadata, seen.batch_id, seen.ordinal) == ({"顾客": "七"}, "batch_1", 3)
    assert (seen.items, seen.single, seen.attempts, seen.state) == (1, True, 0, "queued")
    [due] = store.jobs.insert([a_job("多谢，thank you")])
    [claimed] = store.claims.claim("w1", [due.id])
    assert claimed.payload == Payload(("多谢，thank you",), single=True)


def test_a_deadline_is_kept_as_it_is(store: Store) -> None:
    job = a_job(deadline=4_000_000_000.25, ttl_seconds=60.0)
    store.jobs.insert([job])
    assert store.jobs.get("acme", job.id).deadline == 4_000_000_000.25


def test_a_conflict_is_its_callers_alone(store: Store) -> None:
    store.jobs.insert([keyed("k")])
    one, another = a_job(), keyed("k2")
    first, conflict, replay, last = store.jobs.insert_groups(
        [[one], [keyed("k", "other")], [keyed("k")], [another]]
    )
    assert isinstance(conflict, IdempotencyConflict)
    assert (ids(first), ids(last)) == ([one.id], [another.id])
    assert isinstance(replay, Stored)
    assert (replay.answers[0].replayed, replay.due) == (True, [])
    assert len(stored(store)) == 3


def test_a_caller_with_a_conflict_leaves_nothing_behind(store: Store) -> None:
    store.jobs.insert([keyed("k")])
    torn = [a_job(), keyed("new"), keyed("k", "other")]
    other, same_key = a_job(), keyed("new")
    outcomes = store.jobs.insert_groups([[other], torn, [same_key]])
    assert isinstance(outcomes[1], IdempotencyConflict)
    # The key that went in with the torn caller is free for whoever came behind it.
    assert (ids(outcomes[0]), ids(outcomes[2])) == ([other.id], [same_key.id])
    assert not stored(store) & {job.id for job in torn}


def test_one_key_in_one_group_is_one_job(store: Store) -> None:
    outcomes = store.jobs.insert_groups([[keyed("k")] for _ in range(5)] + [[keyed("k", "other")]])
    assert len({ids(outcome)[0] for outcome in outcomes[:5]}) == 1
    assert isinstance(outcomes[5], IdempotencyConflict)
    assert len(stored(store)) == 1


def test_more_keys_than_a_query_takes(store: Store) -> None:
    new = [keyed(f"k{n}") for n in range(900)]
    assert [answer.id for answer in store.jobs.insert(new)] == [job.id for job in new]
    again = store.jobs.insert([keyed(f"k{n}") for n in range(900)])
    assert [answer.id for answer in again] == [job.id for job in new]
    assert all(answer.replayed for answer in again)


def test_a_row_that_cannot_be_stored_fails_alone(store: Store) -> None:
    good = [a_job() for _ in range(6)]
    unreadable = a_job("half \ud83d of a pair")
    twice = a_job(id=good[0].id)
    groups = [[job] for job in good]
    groups.insert(2, [a_job(), unreadable])
    groups.insert(5, [twice])
    outcomes = store.jobs.insert_groups(groups)
    assert isinstance(outcomes[2], TypeError)
    assert isinstance(outcomes[5], IntegrityError)
    assert [ids(outcome)[0] for n, outcome in enumerate(outcomes) if n not in (2, 5)] == [
        job.id for job in good
    ]
    assert stored(store) == {job.id for job in good}


def test_an_outage_is_everybodys() -> None:
    away = JobStore(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    with pytest.raises(StoreUnavailable):
        away.insert_groups([[a_job()], [a_job()]])


def test_callers_without_jobs_get_no_answers(store: Store) -> None:
    assert [ids(outcome) for outcome in store.jobs.insert_groups([[], []])] == [[], []]
    assert store.jobs.insert([]) == []
