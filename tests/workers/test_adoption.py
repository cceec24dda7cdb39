"""What becomes of a plain Celery message: a job, or the reason why not, and its follow-ups."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from lepton_tasks.canvas.canvas import MAX_BYTES
from lepton_tasks.canvas.signatures import CanvasRefused
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.requests import Admission
from lepton_tasks.store.adoptions import Adoption
from workers.adoption import adopt

ADMISSION = Admission(find_tasks(), 256)


def of(*args: Any, queue: str = "moderation.normal", **parts: Any) -> Adoption:
    headers = {"id": "t1", "task": "lepton.moderation", **parts.pop("headers", {})}
    message = SimpleNamespace(headers=headers, delivery_info={"routing_key": queue})
    embed = parts.pop("embed", {})
    return adopt(ADMISSION, "default", message, [list(args), parts, embed])


def reason(adoption: Adoption) -> Any:
    assert adoption.error is not None
    return orjson.loads(adoption.error)


def test_a_text_or_a_list_is_a_job_of_its_queues_priority() -> None:
    one = of("你好", queue="moderation.high")
    assert (one.job.id, one.job.priority, one.job.payload.single) == ("t1", "high", True)
    assert one.job.payload.inputs == ("你好",)
    assert of(["a", "b"]).job.payload.inputs == ("a", "b")
    assert of(input="a", queue="somewhere").job.priority == "normal"
    assert one.canvas is None


def test_times_are_the_rows() -> None:
    late = "2999-01-01T00:00:00"
    made = of("hi", headers={"eta": late, "expires": late})
    assert made.job.run_at is not None and made.job.run_at > 3e10
    assert made.job.ttl_seconds is not None and made.job.ttl_seconds > 3e9
    assert reason(of("hi", headers={"eta": "soon"}))["param"] == "eta"


@pytest.mark.parametrize(
    "given, taken, single",
    [
        ({"text": "hi", "more": 1}, ("hi",), True),
        ([{"text": "hi"}, {"text": "你好"}], ("hi", "你好"), False),
    ],
)
def test_take_names_what_is_used_of_an_earlier_output(
    given: Any, taken: tuple[str, ...], single: bool
) -> None:
    payload = of(given, take="text").job.payload
    assert (payload.inputs, payload.single) == (taken, single)
    assert of(input={"a": {"b": "deep"}}, take="a.b").job.payload.inputs == ("deep",)


@pytest.mark.parametrize("take", ["other", "", 7, "text.more"])
def test_a_field_that_is_not_there_fails_the_job(take: Any) -> None:
    assert reason(of({"text": "hi"}, take=take))["param"] == "take"


def test_what_no_text_can_say_ends_the_job_and_no_worker() -> None:
    assert reason(of("a", options={"\ud800": 1}))["param"] == "options.?"
    nested: Any = {"text": "好"}
    for _ in range(900):
        nested = [nested]
    assert reason(of(nested, take="text"))["param"] == "take"


def test_what_cannot_be_a_job_still_has_its_follow_ups() -> None:
    made = of("a", "b", embed={"errbacks": [{"task": "failed"}]})
    assert reason(made)["param"] == "args"
    assert made.canvas is not None
    assert [one["task"] for one in made.canvas.errbacks] == ["failed"]


def test_the_canvas_knows_the_shape_of_the_result() -> None:
    embed = {"callbacks": [{"task": "mine"}]}
    one, several = of("a", embed=embed).canvas, of(["a"], embed=embed).canvas
    assert one is not None and several is not None
    assert (one.single, several.single) == (True, False)


def test_follow_ups_that_cannot_be_kept_refuse_the_message() -> None:
    with pytest.raises(CanvasRefused):
        of("a", embed={"callbacks": [{"task": "mine", "args": ["长" * MAX_BYTES]}]})
