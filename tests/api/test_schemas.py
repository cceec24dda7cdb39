"""Views of stored things: complete, plain JSON, and one shape whatever the state."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from api.schemas import JobAccepted, JobCreate, JobView, Page, TaskView
from lepton_tasks.jobs import Submitted
from lepton_tasks.nlp.registry import find_tasks, get_task
from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState
from tests.support.stored import stored_job

RESULT: dict[str, Any] = {
    "model": {"name": "small", "revision": "r1"},
    "outputs": [{"flagged": True, "语言": "zh"}, {"error": {"code": "x", "message": "y"}}],
}


def json_of(view: BaseModel) -> dict[str, Any]:
    """As a route answers."""
    found: dict[str, Any] = view.model_dump(mode="json", exclude_unset=True)
    return found


def test_a_job_that_waits_has_all_fields_and_no_result() -> None:
    shown = json_of(JobView.of(stored_job(metadata={"键": "值"})))
    assert shown == {
        "id": "job_1",
        "object": "job",
        "task": "moderation",
        "state": "queued",
        "priority": "normal",
        "created_at": 1.0,
        "run_at": 1.0,
        "started_at": None,
        "finished_at": None,
        "expires_at": None,
        "attempts": 0,
        "cancel_requested": False,
        "batch_id": None,
        "metadata": {"键": "值"},
        "model": None,
        "error": None,
        "output": None,
    }


def test_one_input_has_an_output_and_many_have_outputs() -> None:
    done = {"state": JobState.SUCCEEDED, "result": RESULT}
    one = json_of(JobView.of(stored_job(**done)))
    assert one["output"] == RESULT["outputs"][0]
    assert "outputs" not in one
    many = json_of(JobView.of(stored_job(**done, single=False, items=2)))
    assert many["outputs"] == RESULT["outputs"]
    assert "output" not in many
    assert one["model"] == many["model"] == RESULT["model"]
    demo = RESULT | {"model": RESULT["model"] | {"demo": True}}
    shown = json_of(JobView.of(stored_job(**done | {"result": demo})))
    assert shown["model"]["demo"] is True


def test_outputs_of_a_list_that_waits_are_null_too() -> None:
    shown = json_of(JobView.of(stored_job(single=False, items=2)))
    assert shown["outputs"] is None and "output" not in shown


@pytest.mark.parametrize("state", JobState)
def test_every_state_can_be_shown(state: JobState) -> None:
    assert json_of(JobView.of(stored_job(state=state)))["state"] == state.value


def test_a_failure_tells_code_and_message_alone() -> None:
    error = {"code": "dead", "message": "its worker died", "internal": "path"}
    shown = json_of(JobView.of(stored_job(state=JobState.DEAD, error=error)))
    assert shown["error"] == {"code": "dead", "message": "its worker died"}


def test_a_job_does_not_show_its_tenant() -> None:
    assert "acme" not in JobView.of(stored_job(tenant="acme")).model_dump_json()


def test_an_accepted_job_is_what_the_store_answered() -> None:
    submitted = Submitted("job_1", "moderation", Priority.HIGH, JobState.QUEUED, 2.5, replayed=True)
    assert JobAccepted.of(submitted).model_dump(mode="json") == {
        "id": "job_1",
        "object": "job",
        "task": "moderation",
        "state": "queued",
        "priority": "high",
        "created_at": 2.5,
    }


def test_an_empty_page_is_a_page() -> None:
    page = Page[JobView].of([], 20, JobView.of)
    assert json_of(page) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize("found", range(5))
def test_a_page_shows_as_many_as_were_asked_for_and_says_whether_there_are_more(found: int) -> None:
    jobs = [stored_job(id=f"job_{number}") for number in range(found)]
    page = json_of(Page[JobView].of(jobs, 3, JobView.of))
    shown = [f"job_{number}" for number in range(min(found, 3))]
    assert [job["id"] for job in page["data"]] == shown
    ends = (shown[0], shown[-1]) if shown else (None, None)
    assert (page["first_id"], page["last_id"]) == ends
    assert page["has_more"] is (found > 3)


@pytest.mark.parametrize("name", list(find_tasks()))
def test_every_task_shows_examples_that_its_own_schema_takes(name: str) -> None:
    task = get_task(name)
    view = TaskView.of(task, max_inputs=256)
    assert (view.id, view.limits.max_inputs) == (name, 256)
    assert view.queues == [f"{name}.{priority.value}" for priority in Priority]
    assert view.options_schema["type"] == "object"
    assert view.examples
    for example in view.examples:
        task.options_model.model_validate(example.options)
    assert TaskView.model_validate_json(view.model_dump_json()) == view


def test_the_documented_fields_are_described() -> None:
    described = JobCreate.model_json_schema()
    assert described["required"] == ["task"]
    assert described["additionalProperties"] is False
    assert described["properties"]["inputs"]["items"] == {}
    assert described["properties"]["priority"]["enum"] == ["high", "normal", "bulk"]
