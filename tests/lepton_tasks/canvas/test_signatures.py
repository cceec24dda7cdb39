"""Signatures as Celery itself writes them, checked, named and routed without Celery."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import Celery, chain, chord, group

from lepton_tasks.canvas.signatures import (
    MAX_DEPTH,
    CanvasRefused,
    check,
    identified,
    leaves,
    result_tree,
    routed,
)

APP = Celery("producer", set_as_current=False)


def sig(name: str, *args: Any, **options: Any) -> Any:
    return APP.signature(name, args=args, options=options)


def plain(signature: Any) -> dict[str, Any]:
    """The signature as it stands in a message."""
    made: dict[str, Any] = json.loads(json.dumps(signature))
    return made


def ids(signature: dict[str, Any]) -> list[str | None]:
    return [one.get("options", {}).get("task_id") for one in leaves(signature)]


@pytest.mark.parametrize(
    "made",
    [
        sig("a"),
        chain(sig("a"), sig("b"), app=APP),
        group([sig("a"), sig("b")], app=APP),
        chord([sig("a"), sig("b")], sig("c"), app=APP),
        chord([chain(sig("a"), sig("b"), app=APP), sig("c")], sig("d"), app=APP),
    ],
)
def test_each_call_gets_an_id_that_does_not_change(made: Any) -> None:
    first = identified(check(plain(made), "callbacks"), "job_1/link/0")
    assert first == identified(plain(made), "job_1/link/0")
    assert first != identified(plain(made), "job_2/link/0")
    named = ids(first)
    assert all(named) and len(set(named)) == len(named)
    assert identified(first, "another seed") == first
    frozen = APP.signature(first).freeze()
    assert (frozen.id if not hasattr(frozen, "results") else frozen.results[0].id) in [
        *named,
        frozen.id,
    ]


def test_the_result_of_a_call_is_that_of_its_last_part() -> None:
    made = identified(plain(chain(sig("a"), sig("b"), app=APP)), "s")
    assert result_tree(made) == [[ids(made)[1], None], None]
    both = identified(plain(group([sig("a"), sig("b")], app=APP)), "s")
    tree = result_tree(both, [["parent", None], None])
    assert tree is not None
    assert tree[0] == [both["options"]["task_id"], [["parent", None], None]]
    assert [one[0][0] for one in tree[1]] == ids(both)
    last = identified(plain(chord([sig("a")], sig("c"), app=APP)), "s")
    assert result_tree(last) == [[ids(last)[0], None], None]


def test_ours_go_to_their_queues_and_others_to_the_one_that_is_named() -> None:
    made = plain(
        chord(
            [sig("lepton.sentiment"), sig("mine"), sig("lepton.sentiment", queue="sentiment.high")],
            sig("lepton.moderation", chain=[plain(sig("mine")), plain(sig("lepton.editing"))]),
            app=APP,
        )
    )
    sent = routed(made, "celery")
    queues = [one["options"]["queue"] for one in sent["kwargs"]["header"]]
    assert queues == ["sentiment.normal", "celery", "sentiment.high"]
    body = sent["kwargs"]["body"]["options"]
    assert body["queue"] == "moderation.normal"
    # Whoever sends them later knows better where tasks go that are not ours.
    assert "queue" not in body["chain"][0]["options"]
    assert body["chain"][1]["options"]["queue"] == "editing.normal"


@pytest.mark.parametrize(
    "wrong",
    [
        7,
        {},
        {"task": ""},
        {"task": "a", "args": {"a": 1}},
        {"task": "a", "kwargs": [1]},
        {"task": "a", "options": [1]},
        {"task": "a", "options": {"link": [None]}},
        {"task": "g", "subtask_type": "group", "kwargs": {"tasks": ["a"]}},
    ],
)
def test_what_is_no_signature_is_refused(wrong: Any) -> None:
    with pytest.raises(CanvasRefused, match=r"signature.*\(callbacks\)"):
        check(wrong, "callbacks")


def test_what_is_nested_too_deeply_is_refused() -> None:
    made: dict[str, Any] = {"task": "a"}
    for _ in range(MAX_DEPTH + 1):
        made = {"task": "celery.chain", "subtask_type": "chain", "kwargs": {"tasks": [made]}}
    with pytest.raises(CanvasRefused, match=f"more than {MAX_DEPTH} deep"):
        check(made, "chain")
