"""Turns and their jobs: one order, the history in the job, the answer in the turn."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from lepton_tasks.conversations import MOST_TURNS
from lepton_tasks.errors import Conflict, Gone, IdempotencyConflict
from lepton_tasks.jobs import FinishedJob, Payload
from lepton_tasks.states import JobState
from lepton_tasks.store.conversation_tables import ConversationRow
from lepton_tasks.store.insertion import Stored
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow
from tests.support.lives import a_job
from tests.support.talking import DAY, a_turn, answer, claim, converse

conversations = ConversationRow.__table__  # type: ignore[attr-defined]
jobs = JobRow.__table__  # type: ignore[attr-defined]


@pytest.fixture
def store(quick_store: Store) -> Store:
    return quick_store


def history(store: Store, job_id: str) -> list[int]:
    """What a job tells of the history in it."""
    with store.database.read() as connection:
        payload = connection.execute(select(jobs.c.payload).where(jobs.c.id == job_id)).scalar_one()
    return list(Payload.load(payload).inputs[0]["history"])


def test_what_was_said_and_answered_stands_before_the_next_message(store: Store) -> None:
    assert converse(store, "你好", "您好！") == ["你好"]
    assert converse(store, "有免费的吗？", "有，故宫。") == [
        "你好",
        "您好！",
        "有免费的吗？",
    ]
    [third] = store.jobs.insert([a_turn("门票？")])
    assert history(store, third.id) == [4, 0]
    assert answer(store, third.id, "免费。")[-3:] == ["有免费的吗？", "有，故宫。", "门票？"]
    found = store.conversations.turns("acme", "conv_1")
    assert [(one.number, one.said, one.answer) for one in found] == [
        (0, "你好", "您好！"),
        (1, "有免费的吗？", "有，故宫。"),
        (2, "门票？", "免费。"),
    ]


def test_the_oldest_leave_first_and_are_counted(store: Store) -> None:
    for number in range(4):
        converse(store, f"问{number}", f"答{number}")
    [submitted] = store.jobs.insert([a_turn("完？", history_turns=2)])
    assert history(store, submitted.id) == [4, 4]
    assert answer(store, submitted.id, "完") == ["问2", "答2", "问3", "答3", "完？"]
    [submitted] = store.jobs.insert([a_turn("再？", history_characters=7)])
    assert history(store, submitted.id) == [4, 6]
    assert answer(store, submitted.id, "再")[0] == "问3"
    assert converse(store, "嗯", "嗯", history_turns=0) == ["嗯"]


def test_a_system_message_holds_until_there_is_another(store: Store) -> None:
    converse(store, "一", "1", system="简短。")
    assert converse(store, "二", "2") == ["简短。", "一", "1", "二"]
    assert converse(store, "三", "3", system="Be long.")[0] == "Be long."
    assert converse(store, "四", "4", history_turns=0) == ["Be long.", "四"]


def test_the_cost_counts_the_history(store: Store) -> None:
    converse(store, "长" * 400, "长" * 400)
    first = a_turn("短")
    store.jobs.insert([first])
    with store.database.read() as connection:
        cost = connection.execute(select(jobs.c.cost).where(jobs.c.id == first.id)).scalar_one()
    assert cost >= first.cost + 2 * 400 * 3 // 4


def test_while_a_turn_is_not_done_the_next_is_refused_and_the_job_named(store: Store) -> None:
    [first] = store.jobs.insert([a_turn("一")])
    for state in ("queued", "running"):
        with pytest.raises(Conflict, match=first.id) as refused:
            store.jobs.insert([a_turn("二")])
        assert refused.value.code == "conversation_busy", state
        if state == "queued":
            claimed = claim(store, first.id)
    assert len(store.jobs.page("acme")) == 1
    store.claims.finish([FinishedJob(claimed, None, '{"code": "x", "message": "y"}')])
    assert converse(store, "二", "2") == ["二"]  # what failed is no history


@pytest.mark.parametrize("end", ["cancelled", "deleted by age"])
def test_a_turn_that_ended_without_an_answer_holds_nobody_up(store: Store, end: str) -> None:
    converse(store, "一", "1")
    [second] = store.jobs.insert([a_turn("二")])
    store.jobs.cancel("acme", second.id)
    if end == "deleted by age":
        with store.database.write() as connection:
            connection.execute(update(jobs).values(created_at=1.0, finished_at=1.0))
        assert store.retention.sweep(DAY, DAY).jobs == 2
    assert converse(store, "三", "3") == ["一", "1", "三"]


def test_a_dead_turn_that_runs_again_holds_the_next_one_up(store: Store) -> None:
    [first] = store.jobs.insert([a_turn("一")])
    with store.database.write() as connection:
        connection.execute(update(jobs).values(state=JobState.DEAD, finished_at=1.0))
    store.dead_letters.redrive(first.id, "me")
    with pytest.raises(Conflict, match=first.id):
        store.jobs.insert([a_turn("二")])
    answer(store, first.id, "1")
    assert converse(store, "二", "2") == ["一", "1", "二"]


def test_a_dead_turn_runs_again_only_where_it_is_the_one_of_a_live_conversation(
    store: Store,
) -> None:
    [first] = store.jobs.insert([a_turn("一")])
    with store.database.write() as connection:
        connection.execute(update(jobs).values(state=JobState.DEAD, finished_at=1.0))
    [second] = store.jobs.insert([a_turn("二")])
    with pytest.raises(Conflict, match=second.id) as refused:
        store.dead_letters.redrive(first.id, "me")
    assert refused.value.code == "conversation_busy"
    answer(store, second.id, "2")
    with store.database.write() as connection:
        connection.execute(update(conversations).values(expires_at=1.0))
        connection.execute(
            update(jobs)
            .where(jobs.c.id == first.id)
            .values(error='{"message": "it ended its worker"}')
        )
    with pytest.raises(Gone, match="conv_1 has expired"):
        store.dead_letters.redrive(first.id, "me")
    [letter] = store.dead_letters.page()
    assert store.dead_letters.redrive_page([letter], "me") == []
    with store.database.write() as connection:
        connection.execute(update(conversations).values(expires_at=1e11))
    assert store.dead_letters.redrive_page([letter], "me") == [first.id]
    assert store.conversations.get("acme", "conv_1").expires_at is None


def test_of_callers_at_one_time_one_gets_the_turn(store: Store) -> None:
    outcomes = store.jobs.insert_groups(
        [[a_turn("甲")], [a_job()], [a_turn("乙")], [a_turn("丙", "conv_2")]]
    )
    first, plain, second, other = outcomes
    assert isinstance(first, Stored) and isinstance(plain, Stored) and isinstance(other, Stored)
    assert isinstance(second, Conflict) and first.answers[0].id in str(second)
    with pytest.raises(Conflict):
        store.jobs.insert([a_turn("一", "conv_3"), a_turn("二", "conv_3")])
    assert {one.id for one in store.conversations.page("acme")} == {"conv_1", "conv_2"}


def test_of_threads_at_one_time_one_gets_the_turn(store: Store) -> None:
    converse(store, "一", "1")
    outcomes: list[object] = []

    def submit(said: str) -> None:
        try:
            outcomes.append(store.jobs.insert([a_turn(said)])[0].id)
        except Conflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=submit, args=(f"问{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [one for one in outcomes if isinstance(one, str)]
    assert len(won) == 1 and len(outcomes) == 6
    assert all(won[0] in str(one) for one in outcomes)
    assert [one.number for one in store.conversations.turns("acme", "conv_1")] == [0, 1]


def test_a_repeated_key_is_answered_while_its_own_turn_runs(store: Store) -> None:
    [first] = store.jobs.insert([a_turn("一", key="k")])
    [again] = store.jobs.insert([a_turn("一", key="k")])
    assert (again.id, again.replayed) == (first.id, True)
    with pytest.raises(IdempotencyConflict):
        store.jobs.insert([a_turn("二", key="k")])
    answer(store, first.id, "1")
    [again] = store.jobs.insert([a_turn("一", key="k")])
    assert again.replayed
    assert [one.said for one in store.conversations.turns("acme", "conv_1")] == ["一"]


def test_a_key_that_comes_twice_at_one_time_is_one_turn(store: Store) -> None:
    outcomes = store.jobs.insert_groups(
        [[a_turn("一", key="k")], [a_turn("一", key="k")], [a_turn("二", key="k")]]
    )
    first, again, other = outcomes
    assert isinstance(first, Stored) and isinstance(again, Stored)
    [one], [two] = first.answers, again.answers
    assert (one.replayed, two.replayed, two.id) == (False, True, one.id)
    assert isinstance(other, IdempotencyConflict)
    assert history(store, one.id) == [0, 0]
    assert [turn.said for turn in store.conversations.turns("acme", "conv_1")] == ["一"]


def test_two_tenants_may_have_the_same_id(store: Store) -> None:
    converse(store, "我们的", "是", tenant="acme")
    assert converse(store, "他们的", "是", tenant="other") == ["他们的"]
    store.jobs.insert([a_turn("又", tenant="acme")])
    assert converse(store, "还有", "是", tenant="other") == ["他们的", "是", "还有"]
    assert [one.said for one in store.conversations.turns("acme", "conv_1")] == ["我们的", "又"]


def test_answers_of_one_transaction_find_their_turns(store: Store) -> None:
    submitted = store.jobs.insert([a_turn(f"问{n}", f"conv_{n}") for n in (3, 1, 2)])
    claims = [claim(store, one.id) for one in submitted]
    done = [
        FinishedJob(
            one,
            f'{{"outputs": [{{"message": {{"content": "答{number}"}}}}]}}',
            None,
        )
        for one, number in zip(claims, (3, 1, 2), strict=True)
    ]
    assert len(store.claims.finish(done)) == 3
    for number in (1, 2, 3):
        [turn] = store.conversations.turns("acme", f"conv_{number}")
        assert (turn.said, turn.answer) == (f"问{number}", f"答{number}")


def test_nothing_expires_while_a_turn_is_open(store: Store) -> None:
    store.conversations.create("acme", "conv_1", expires_after=60)
    before = store.conversations.get("acme", "conv_1")
    assert before.expires_at == pytest.approx(before.created_at + 60)
    [submitted] = store.jobs.insert([a_turn("一")])
    assert store.conversations.get("acme", "conv_1").expires_at is None
    answer(store, submitted.id, "1")
    after = store.conversations.get("acme", "conv_1")
    assert after.expires_at == pytest.approx(after.updated_at + 60, abs=1.0)
    store.jobs.insert([a_turn("二")])
    store.jobs.cancel("acme", store.jobs.page("acme", limit=1)[0].id)
    assert store.conversations.get("acme", "conv_1").expires_at is not None


def test_an_expired_one_takes_no_turn(store: Store) -> None:
    converse(store, "一", "1")
    assert store.conversations.get("acme", "conv_1").expires_after == DAY
    with store.database.write() as connection:
        connection.execute(update(conversations).values(expires_at=1.0))
    with pytest.raises(Gone, match="conv_1 has expired"):
        store.jobs.insert([a_turn("二")])


def test_a_full_one_takes_no_turn(store: Store) -> None:
    converse(store, "一", "1")
    with store.database.write() as connection:
        connection.execute(update(conversations).values(turns=MOST_TURNS))
    with pytest.raises(Conflict, match="1,000 turns") as refused:
        store.jobs.insert([a_turn("二")])
    assert refused.value.code == "conversation_full"
