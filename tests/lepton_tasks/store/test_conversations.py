"""Conversations of a tenant: made, listed, read page by page, erased, expired."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import Table, func, select, update

from lepton_tasks.errors import Conflict, Gone, NotFound
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.states import JobState
from lepton_tasks.store.conversation_tables import ConversationRow, TurnRow
from lepton_tasks.store.conversations import PAGE
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import DeliveryRow, JobRow, TombstoneRow
from tests.support.talking import a_turn, claim, converse

conversations = ConversationRow.__table__  # type: ignore[attr-defined]
turns = TurnRow.__table__  # type: ignore[attr-defined]
jobs = JobRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]
tombstones = TombstoneRow.__table__  # type: ignore[attr-defined]
CANARY = "绝密canary"


@pytest.fixture
def store(quick_store: Store) -> Store:
    return quick_store


def texts(store: Store) -> str:
    """Everything that the tables with texts hold."""
    with store.database.read() as connection:
        rows = [
            [str(value) for value in row]
            for table in (jobs, turns, conversations, deliveries, tombstones)
            for row in connection.execute(select(table)).all()
        ]
    return str(rows)


def count(store: Store, table: Table) -> int:
    with store.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def expire(store: Store) -> None:
    with store.database.write() as connection:
        connection.execute(update(conversations).values(expires_at=1.0))


def test_made_with_an_id_or_without_one(store: Store) -> None:
    made = store.conversations.create("acme", metadata={"user": "七"})
    assert made.id.startswith("conv_") and made.metadata == {"user": "七"}
    assert (made.turns, made.expires_after, made.expires_at) == (0, None, None)
    store.conversations.create("acme", "conv_a", expires_after=9)
    store.conversations.create("other", "conv_a")
    with pytest.raises(Conflict, match="conv_a already") as refused:
        store.conversations.create("acme", "conv_a")
    assert refused.value.code == "conversation_exists"


def test_each_tenant_sees_its_own_page_by_page(store: Store) -> None:
    names = [f"conv_{number}" for number in range(5)]
    for name in names:
        store.conversations.create("acme", name)
    store.conversations.create("other", "conv_1", metadata={"of": "other"})
    first = store.conversations.page("acme", limit=3)
    rest = store.conversations.page("acme", after=first[-1].id, limit=3)
    assert [one.id for one in (*first, *rest)] == names[::-1]
    [other] = store.conversations.page("other")
    assert other.metadata == {"of": "other"}
    for call in (
        lambda: store.conversations.get("other", "conv_2"),
        lambda: store.conversations.turns("other", "conv_2"),
        lambda: store.conversations.erase("other", "conv_2"),
        lambda: store.conversations.page("other", after="conv_2"),
    ):
        with pytest.raises(NotFound):
            call()


def test_turns_are_read_page_by_page_oldest_first(store: Store) -> None:
    for number in range(5):
        converse(store, f"问{number}", f"答{number}", system="简短。" if number == 0 else None)
    first = store.conversations.turns("acme", "conv_1", limit=2)
    rest = store.conversations.turns("acme", "conv_1", after=first[-1].number)
    assert [one.said for one in (*first, *rest)] == [f"问{number}" for number in range(5)]
    assert (first[0].system, first[1].system, rest[-1].answer) == ("简短。", None, "答4")
    assert store.conversations.get("acme", "conv_1").turns == 5


def test_erasing_takes_deliveries_that_outlived_their_jobs(store: Store) -> None:
    [submitted] = store.jobs.insert([a_turn("问")])
    claimed = claim(store, submitted.id)
    with store.database.write() as connection:
        connection.execute(update(jobs).values(webhook="https://a.test"))
    result = orjson.dumps({"outputs": [{"message": {"content": CANARY}}]}).decode()
    store.claims.finish([FinishedJob(claimed, result, None)])
    with store.database.write() as connection:
        connection.execute(update(jobs).values(created_at=1.0, finished_at=1.0))
    assert store.retention.sweep(86_400.0, 86_400.0).jobs == 1
    assert count(store, deliveries) == 1  # it is still to be sent
    store.conversations.erase("acme", "conv_1")
    assert count(store, deliveries) == 0
    assert CANARY not in texts(store)


def test_erasing_takes_turns_jobs_and_deliveries_of_this_tenant_alone(store: Store) -> None:
    for tenant in ("acme", "other"):
        for number in range(3):
            turn = a_turn(f"{CANARY}{number}", tenant=tenant, key=f"k{number}")
            [submitted] = store.jobs.insert([turn])
            claimed = claim(store, submitted.id)
            with store.database.write() as connection:
                connection.execute(update(jobs).values(webhook="https://a.test"))
            output = {"message": {"role": "assistant", "content": CANARY}}
            result = orjson.dumps({"outputs": [output]}).decode()
            store.claims.finish([FinishedJob(claimed, result, None)])
    assert count(store, deliveries) == 6
    store.conversations.erase("acme", "conv_1")
    left = [count(store, table) for table in (jobs, turns, conversations, deliveries)]
    assert left == [3, 3, 1, 3]
    assert len(store.conversations.turns("other", "conv_1")) == 3
    store.conversations.erase("other", "conv_1")
    assert CANARY not in texts(store)
    with pytest.raises(NotFound):
        store.conversations.get("acme", "conv_1")
    with pytest.raises(Gone):
        store.jobs.insert([a_turn(f"{CANARY}0", key="k0")])  # the key is used up
    assert converse(store, "重新", "好") == ["重新"]  # and the id is free again


def test_more_turns_than_a_page_are_erased(store: Store) -> None:
    converse(store, "一", "1")
    with store.database.write() as connection:
        [row] = connection.execute(select(turns)).all()
        copies = [
            {**row._mapping, "number": number, "job_id": f"job_{number}"}
            for number in range(1, 2 * PAGE + 5)
        ]
        connection.execute(turns.insert(), copies)
    store.conversations.erase("acme", "conv_1")
    assert (count(store, turns), count(store, conversations), count(store, jobs)) == (0, 0, 0)


def test_what_waits_is_cancelled_by_erasing_and_what_runs_is_asked_to_end(store: Store) -> None:
    [first] = store.jobs.insert([a_turn(CANARY)])
    claimed = claim(store, first.id)
    with pytest.raises(Conflict, match=first.id) as refused:
        store.conversations.erase("acme", "conv_1")
    assert refused.value.code == "still_running"
    assert store.jobs.get("acme", first.id).cancel_requested
    assert store.conversations.get("acme", "conv_1").turns == 1
    store.claims.finish([FinishedJob(claimed, '{"outputs": [{"message": {}}]}', None)])
    assert store.jobs.get("acme", first.id).state is JobState.CANCELLED
    [waiting] = store.jobs.insert([a_turn(CANARY)])
    store.conversations.erase("acme", "conv_1")
    assert CANARY not in texts(store)
    with pytest.raises(Gone):
        store.jobs.get("acme", waiting.id)
    assert store.claims.claim("w1", [waiting.id]) == []


def test_a_turns_job_is_deleted_with_its_conversation_only(store: Store) -> None:
    converse(store, "一", "1")
    [job] = store.jobs.page("acme")
    with pytest.raises(Conflict, match="conv_1") as refused:
        store.retention.erase("acme", job.id)
    assert refused.value.code == "part_of_conversation"


def test_what_expired_is_gone_at_once_and_swept_with_its_jobs(store: Store) -> None:
    converse(store, CANARY, CANARY)
    expire(store)
    store.conversations.create("acme", "conv_2")
    for call in (store.conversations.get, store.conversations.turns):
        with pytest.raises(Gone, match="conv_1"):
            call("acme", "conv_1")
    assert [one.id for one in store.conversations.page("acme")] == ["conv_2"]
    assert store.conversations.sweep() is False
    assert CANARY not in texts(store)
    with pytest.raises(NotFound, match="no conversation"):
        store.conversations.get("acme", "conv_1")
    assert count(store, conversations) == 1


def test_a_sweep_leaves_the_rest_to_the_next_one(store: Store) -> None:
    for number in range(PAGE + 1):
        store.conversations.create("acme", f"conv_{number}", expires_after=9)
    expire(store)
    assert store.conversations.sweep() is True
    assert count(store, conversations) == 1
    assert store.conversations.sweep() is False
    assert count(store, conversations) == 0


def test_turns_outlive_their_jobs(store: Store) -> None:
    converse(store, "一", "1")
    with store.database.write() as connection:
        connection.execute(update(jobs).values(created_at=1.0, finished_at=1.0))
    assert store.retention.sweep(60, 60).jobs == 1
    assert converse(store, "二", "2") == ["一", "1", "二"]
