"""The Lua scripts on a real Redis: every message is somewhere, once, after each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton_tasks.transport.scripts import REQUEUE, OwnKeys, Scripts, taken_apart

KEYS = OwnKeys("lepton:unacked", "lepton:unacked_index", "lepton:quarantine")
OWN = [KEYS.unacked, KEYS.index, KEYS.quarantine]
LONGEST = 2_000
BOUND = 1_000


def message(tag: str, body: str = "好") -> bytes:
    return orjson.dumps(
        {"body": body, "properties": {"delivery_tag": tag, "delivery_info": {"exchange": ""}}}
    )


BAD = {
    b"": "not JSON",
    b"\xff\x00": "not JSON",
    b"[" * 1_500: "not JSON",
    b"7": "not an object",
    b"null": "not an object",
    b'"text"': "not an object",
    b"[]": "no properties",
    b"{}": "no properties",
    b'{"properties": null}': "no properties",
    b'{"properties": {"delivery_tag": 7, "delivery_info": {}}, "body": ""}': "no properties.deliv",
    b'{"properties": {"delivery_tag": "", "delivery_info": {}}, "body": ""}': "no properties.deliv",
    '{"properties": {"delivery_tag": "标", "delivery_info": {}}, "body": ""}'.encode(): "printable",
    b'{"properties": {"delivery_tag": "a\\nb", "delivery_info": {}}, "body": ""}': "printable",
    b'{"properties": {"delivery_tag": "t"}, "body": ""}': "no properties.delivery_info",
    b'{"properties": {"delivery_tag": "t", "delivery_info": {}}}': "no body",
    b'{"properties": {"delivery_tag": "t", "delivery_info": {}}, "body": {}}': "no body",
    message("long", "x" * LONGEST): f"longer than {LONGEST} bytes",
}


class Bench:
    """The scripts, and where every message is."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.scripts = Scripts(client)
        self.requeue = client.register_script(REQUEUE)

    def push(self, key: str, *raw: bytes) -> None:
        """Push as a producer does, the first to be popped first."""
        if raw:
            self.client.lpush(key, *raw)

    def fetch(
        self,
        room: int,
        *lists: str,
        quotas: Sequence[int] = (),
        limited: Sequence[str] = (),
        bound: int = BOUND,
    ) -> list[tuple[int, str, bytes]]:
        arguments: list[Any] = [room, bound, LONGEST]
        for place, name in enumerate(lists):
            arguments += [quotas[place] if quotas else 0, int(name not in limited), name]
        found: Any = self.scripts.fetch(keys=[*OWN, *lists], args=arguments)
        return [
            (number, tag.decode(), raw)
            for number, tag, raw in zip(found[::3], found[1::3], found[2::3], strict=True)
        ]

    def unacked(self) -> dict[str, bytes]:
        found: Any = self.client.hgetall(KEYS.unacked)
        return {tag.decode(): entry for tag, entry in found.items()}

    def index(self) -> list[tuple[str, float]]:
        found: Any = self.client.zrange(KEYS.index, 0, -1, withscores=True)
        return [(tag.decode(), score) for tag, score in found]

    def quarantined(self) -> list[tuple[dict[str, Any], bytes]]:
        """Description and raw message, oldest first."""
        found: Any = self.client.lrange(KEYS.quarantine, 0, -1)
        lines = [one.partition(b"\n") for one in reversed(found)]
        return [(orjson.loads(line), raw) for line, _, raw in lines]

    def waiting(self, key: str) -> list[bytes]:
        """What is in a list, next to be popped first."""
        found: Any = self.client.lrange(key, 0, -1)
        return list(reversed(found))

    def register(self, *tags: str, at: float = 1_000.0) -> None:
        """As fetched at ``at``, a second apart."""
        for place, tag in enumerate(tags):
            entry = b"[" + message(tag) + b', "", "q"]'
            self.client.hset(KEYS.unacked, tag, entry)
            self.client.zadd(KEYS.index, {tag: at + place})

    def restore(self, before: float, push: str, *rows: tuple[str, bytes, list[int]]) -> int:
        arguments: list[Any] = [before, push]
        for tag, text, numbers in rows:
            arguments += [tag, text, len(numbers), *numbers]
        found: Any = self.scripts.restore(keys=[KEYS.unacked, KEYS.index, "a", "b"], args=arguments)
        return int(found)


@pytest.fixture
def bench(client: redis.Redis) -> Bench:
    return Bench(client)


def test_messages_come_oldest_first_and_are_registered(bench: Bench) -> None:
    sent = [message(f"t{number}") for number in range(5)]
    bench.push("q", *sent)
    assert bench.fetch(3, "q") == [(1, f"t{number}", sent[number]) for number in range(3)]
    assert bench.waiting("q") == sent[3:]
    assert {tag: taken_apart(entry) for tag, entry in bench.unacked().items()} == {
        f"t{number}": (sent[number], "q") for number in range(3)
    }
    [seconds, micros] = bench.client.time()
    tags, times = zip(*bench.index(), strict=True)
    assert tags == ("t0", "t1", "t2")
    assert sorted(set(times)) == list(times)
    assert abs(seconds + micros / 1e6 - times[0]) < 600


def test_what_is_registered_is_in_kombus_own_form(bench: Bench) -> None:
    bench.push("翻译/a.high", message("t"))
    bench.fetch(1, "翻译/a.high")
    entry = orjson.loads(bench.unacked()["t"])
    assert entry == [orjson.loads(message("t")), "", "翻译/a.high"]
    assert taken_apart(bench.unacked()["t"]) == (message("t"), "翻译/a.high")


@pytest.mark.parametrize(
    ("room", "quotas", "tags"),
    [
        (0, (3, 3), []),
        (3, (1, 2), ["a0", "b0", "b1"]),
        (6, (1, 2), ["a0", "b0", "b1", "a1", "a2", "b2"]),
        (4, (0, 1), ["b0", "a0", "a1", "a2"]),
        (100, (100, 0), ["a0", "a1", "a2", "b0", "b1", "b2"]),
        (2, (100, 100), ["a0", "a1"]),
    ],
)
def test_quotas_first_and_then_the_rest_by_order(
    bench: Bench, room: int, quotas: tuple[int, int], tags: list[str]
) -> None:
    for name in "ab":
        bench.push(name, *(message(f"{name}{number}") for number in range(3)))
    assert [tag for _, tag, _ in bench.fetch(room, "a", "b", quotas=quotas)] == tags


def test_a_limited_list_gives_its_quota_and_no_more(bench: Bench) -> None:
    for name in "ab":
        bench.push(name, *(message(f"{name}{number}") for number in range(3)))
    fetched = bench.fetch(6, "a", "b", quotas=(1, 1), limited=["a"])
    assert [tag for _, tag, _ in fetched] == ["a0", "b0", "b1", "b2"]


def test_empty_lists_give_nothing(bench: Bench) -> None:
    assert bench.fetch(5, "a", "b", quotas=(3, 2)) == []
    assert bench.client.dbsize() == 0


@pytest.mark.parametrize("raw", BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_message_is_set_aside_and_its_neighbours_are_not(
    bench: Bench, raw: bytes, place: int
) -> None:
    sent = [message("one"), message("two")]
    sent.insert(place, raw)
    bench.push("q", *sent)
    assert [tag for _, tag, _ in bench.fetch(10, "q")] == ["one", "two"]
    [(line, kept)] = bench.quarantined()
    assert kept == raw
    assert BAD[raw] in line["reason"]
    assert line["queue"] == "q"
    assert set(bench.unacked()) == {"one", "two"}


def test_a_bad_message_takes_room(bench: Bench) -> None:
    bench.push("q", b"bad", b"worse", message("good"))
    assert bench.fetch(2, "q") == []
    assert bench.waiting("q") == [message("good")]
    ids = [line["id"] for line, _ in bench.quarantined()]
    assert len(set(ids)) == 2


def test_the_quarantine_keeps_the_newest(bench: Bench) -> None:
    bench.push("q", *(f"bad {number}".encode() for number in range(9)))
    bench.fetch(20, "q", bound=4)
    assert [raw for _, raw in bench.quarantined()] == [b"bad 5", b"bad 6", b"bad 7", b"bad 8"]


def test_the_same_message_twice_is_one(bench: Bench) -> None:
    bench.push("q", message("t"), message("t"), message("u"))
    assert [tag for _, tag, _ in bench.fetch(10, "q")] == ["t", "u"]
    assert bench.quarantined() == []
    bench.push("q", message("t"))
    assert bench.fetch(10, "q") == []


def test_another_message_of_the_same_tag_does_not_replace_it(bench: Bench) -> None:
    bench.push("q", message("t", "one"), message("t", "two"))
    assert bench.fetch(10, "q") == [(1, "t", message("t", "one"))]
    [(line, raw)] = bench.quarantined()
    assert (line["reason"], raw) == (
        "delivery tag of another message in flight",
        message("t", "two"),
    )
    assert taken_apart(bench.unacked()["t"])[0] == message("t", "one")


def test_a_key_that_is_no_list_is_left_alone(bench: Bench) -> None:
    bench.client.set("theirs", "value")
    bench.push("q", message("t"))
    found = bench.fetch(10, "theirs", "q", quotas=(5, 5))
    assert found == [(2, "t", message("t"))]
    assert bench.client.get("theirs") == b"value"


@pytest.mark.parametrize("key", OWN)
def test_with_a_key_of_ours_of_the_wrong_type_nothing_is_popped(bench: Bench, key: str) -> None:
    bench.client.set(key, "value")
    bench.push("q", message("t"), b"bad")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        bench.fetch(10, "q")
    assert bench.waiting("q") == [message("t"), b"bad"]


contents = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["good", "bad", "again"])), max_size=12
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=contents,
    room=st.integers(0, 14),
    quotas=st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
def test_every_message_is_somewhere_once(
    bench: Bench, sent: list[tuple[str, str]], room: int, quotas: tuple[int, int]
) -> None:
    bench.client.flushdb()
    everything: set[bytes] = set()
    for number, (name, kind) in enumerate(sent):
        raw = f"bad {number}".encode() if kind == "bad" else message(f"t{number}")
        everything.add(raw)
        bench.push(name, *([raw] * (2 if kind == "again" else 1)))
    before = sum(len(bench.waiting(name)) for name in "ab")
    found = bench.fetch(room, "a", "b", quotas=quotas)
    left = [raw for name in "ab" for raw in bench.waiting(name)]
    assert len(left) == before - min(room, before)
    aside = [raw for _, raw in bench.quarantined()]
    fetched = [raw for _, _, raw in found]
    assert set(left) | set(aside) | set(fetched) == everything
    assert len(set(fetched)) == len(fetched) and not set(fetched) & set(aside)
    assert set(bench.unacked()) == {tag for tag, _ in bench.index()} == {tag for _, tag, _ in found}


def test_overdue_are_those_fetched_long_ago_latest_first(bench: Bench) -> None:
    bench.register("old", "older")  # in 1970
    bench.push("q", message("fresh"))
    bench.fetch(1, "q")
    bench.client.zadd(KEYS.index, {"orphan": 2_000.0})
    found: Any = bench.scripts.overdue(keys=[KEYS.unacked, KEYS.index], args=[3_600, 10])
    before, *pairs = found
    assert [one.decode() for one in pairs[::2]] == ["orphan", "older", "old"]
    assert pairs[1] is None
    assert taken_apart(pairs[3]) == (message("older"), "q")
    [(_, fetched_at)] = [one for one in bench.index() if one[0] == "fresh"]
    assert 0 < float(before) < fetched_at
    found = bench.scripts.overdue(keys=[KEYS.unacked, KEYS.index], args=[3_600, 1])
    assert found[1:] == [b"orphan", None]
    found = bench.scripts.overdue(keys=[KEYS.unacked, KEYS.index], args=[1e10, 10])
    assert found[1:] == []


@pytest.mark.parametrize(
    ("push", "order"), [("RPUSH", ["y", "x", "waits"]), ("LPUSH", ["waits", "x", "y"])]
)
def test_restored_messages_are_next_or_last(bench: Bench, push: str, order: list[str]) -> None:
    bench.push("a", message("waits"))
    bench.register("x", "y")
    rows = [(tag, message(tag), [1]) for tag in ("x", "y")]
    assert bench.restore(5_000.0, push, *rows) == 2
    assert bench.waiting("a") == [message(tag) for tag in order]
    assert bench.unacked() == {} and bench.index() == []


def test_what_was_acknowledged_or_fetched_anew_is_not_restored(bench: Bench) -> None:
    bench.register("acked", "anew", "due")
    bench.client.hdel(KEYS.unacked, "acked")
    bench.client.zadd(KEYS.index, {"anew": 9_000.0})
    rows = [(tag, message(tag), [1]) for tag in ("acked", "anew", "due", "unknown")]
    assert bench.restore(5_000.0, "RPUSH", *rows) == 1
    assert bench.waiting("a") == [message("due")]
    assert set(bench.unacked()) == {"anew"}
    assert [tag for tag, _ in bench.index()] == ["anew"]


def test_restoring_twice_restores_once(bench: Bench) -> None:
    bench.register("x")
    rows = [("x", message("x"), [1])]
    assert [bench.restore(5_000.0, "RPUSH", *rows) for _ in range(2)] == [1, 0]
    assert bench.waiting("a") == [message("x")]


def test_a_message_goes_to_all_its_lists_or_to_none(bench: Bench) -> None:
    bench.register("both", "none")
    rows = [("both", message("both"), [1, 2]), ("none", b"", [])]
    assert bench.restore(5_000.0, "LPUSH", *rows) == 2
    assert bench.waiting("a") == bench.waiting("b") == [message("both")]
    assert bench.unacked() == {}


def test_a_fetched_message_is_set_aside_unless_it_was_acknowledged(bench: Bench) -> None:
    bench.register("t")
    for wanted in (1, 0):
        done: Any = bench.scripts.set_aside(
            keys=OWN, args=["t", BOUND, "翻译.high", "原因", b"\xff raw\nbytes"]
        )
        assert done == wanted
    [(line, raw)] = bench.quarantined()
    assert (line["queue"], line["reason"], raw) == ("翻译.high", "原因", b"\xff raw\nbytes")
    assert bench.unacked() == {} and bench.index() == []


def test_a_quarantined_message_goes_back_once_and_last(bench: Bench) -> None:
    bench.push("q", b"\xff bad", message("t"))
    bench.fetch(1, "q")
    element: Any = bench.client.lindex(KEYS.quarantine, 0)
    for wanted in (1, 0):
        done: Any = bench.requeue(keys=[KEYS.quarantine, "q"], args=[element, b"\xff bad"])
        assert done == wanted
    assert bench.waiting("q") == [message("t"), b"\xff bad"]
    assert bench.quarantined() == []


def test_a_redis_that_forgot_the_scripts_gets_them_again(bench: Bench) -> None:
    bench.push("q", message("t"), message("u"))
    assert bench.fetch(1, "q")
    bench.client.script_flush()
    assert bench.fetch(1, "q") == [(1, "u", message("u"))]


@given(
    st.binary(max_size=40),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
)
def test_an_entry_comes_apart_as_it_was_put_together(raw: bytes, queue: str) -> None:
    entry = b"[" + raw + b', "", ' + orjson.dumps(queue) + b"]"
    assert taken_apart(entry) == (raw, queue)


@pytest.mark.parametrize(
    "entry",
    [b"", b"[]", b'[{}, "", 7]', b'[{}, "", ""]', b'[{}, "", nonsense]', b'[{}, "ex", "key"]'],
)
def test_an_entry_that_is_not_ours_stays_whole(entry: bytes) -> None:
    assert taken_apart(entry) == (entry, "")
