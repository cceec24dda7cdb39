from __future__ import annotations

from tests.support.api import Api


def test_tasks_are_described_well_enough_to_be_called(api: Api) -> None:
    page = api.call("GET", "/v1/tasks").json()
    assert (page["object"], page["has_more"]) == ("list", False)
    [task] = [task for task in page["data"] if task["id"] == "moderation"]
    assert task["object"] == "task"
    assert task["input_schema"]["type"] == "string"
    assert {"language", "block_at"} <= set(task["options_schema"]["properties"])
    assert "flagged" in task["output_schema"]["properties"]
    assert task["queues"] == ["moderation.high", "moderation.normal", "moderation.bulk"]
    assert task["limits"] == {"max_characters": 20_000, "max_bytes": 65_536, "max_inputs": 256}
    for example in task["examples"]:
        response = api.submit(input=example["input"], options=example["options"])
        assert response.status_code == 202, response.text


def test_the_openapi_description_names_every_field_of_a_job(api: Api) -> None:
    description = api.client.get("/openapi.json").json()
    post = description["paths"]["/v1/jobs"]["post"]
    body = post["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/JobCreate"}
    assert set(description["components"]["schemas"]["JobCreate"]["properties"]) == {
        "task", "input", "inputs", "options", "priority",
        "ttl_seconds", "run_at", "webhook", "metadata",
    }  # fmt: skip
