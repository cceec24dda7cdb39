from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from tests.support.api import Api, error_of


@pytest.fixture
def api_settings(tmp_path: Path, redis_url: str, database_url: str) -> Settings:
    """Both databases."""
    database = Database(database_url)
    upgrade_schema(database)
    database.close()
    return Settings(
        home=tmp_path / "home",
        redis_url=redis_url,
        database_url=database_url,
        max_items_per_job=4,
    )


def test_a_job_is_accepted_published_done_and_read(api: Api, redis_url: str) -> None:
    response = api.submit(input="Thank you, that was kind.", priority="high", metadata={"k": "值"})
    assert response.status_code == 202
    accepted = response.json()
    assert set(accepted) == {"id", "object", "task", "state", "priority", "created_at"}
    assert accepted["id"].startswith("job_")
    assert (accepted["object"], accepted["task"]) == ("job", "moderation")
    assert (accepted["state"], accepted["priority"]) == ("queued", "high")
    assert response.headers["location"] == f"/v1/jobs/{accepted['id']}"
    with redis.Redis.from_url(redis_url) as client:
        [message] = client.lrange("moderation.high", 0, -1)
    assert accepted["id"].encode() in message
    assert b"Thank" not in message

    queued = api.call("GET", f"/v1/jobs/{accepted['id']}").json()
    assert (queued["state"], queued["output"], queued["model"]) == ("queued", None, None)
    assert queued["metadata"] == {"k": "值"}
    assert "outputs" not in queued

    api.finish(accepted["id"])
    done = api.call("GET", f"/v1/jobs/{accepted['id']}").json()
    assert done["state"] == "succeeded"
    assert done["output"] == {"characters": 25}
    assert done["model"] == {"name": "counter", "revision": "r1"}
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]
    assert (done["attempts"], done["error"], done["batch_id"]) == (1, None, None)


def test_a_list_comes_back_as_a_list_in_its_order(api: Api) -> None:
    job_id = api.submitted(input=None, inputs=["一", "two", "三三"])
    api.finish(job_id)
    done = api.call("GET", f"/v1/jobs/{job_id}").json()
    assert done["outputs"] == [{"characters": 1}, {"characters": 3}, {"characters": 2}]
    assert "output" not in done


def test_a_failed_job_says_why(api: Api) -> None:
    job_id = api.submitted()
    api.finish(job_id, error='{"code":"model_error","message":"it did not fit"}')
    done = api.call("GET", f"/v1/jobs/{job_id}").json()
    assert (done["state"], done["output"]) == ("failed", None)
    assert done["error"] == {"code": "model_error", "message": "it did not fit"}


def test_an_idempotency_key_gives_one_job(api: Api) -> None:
    key = {"Idempotency-Key": "order-7"}
    body = {"task": "moderation", "input": "一次"}
    first = api.call("POST", "/v1/jobs", json=body, headers=key)
    again = api.call("POST", "/v1/jobs", json=body, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"

    changed = api.call("POST", "/v1/jobs", json=body | {"input": "two"}, headers=key)
    assert error_of(changed, 422)["code"] == "idempotency_conflict"
    assert changed.headers["x-should-retry"] == "false"

    stranger = api.call("POST", "/v1/jobs", "other", json=body, headers=key)
    assert stranger.status_code == 202
    assert stranger.json()["id"] != first.json()["id"]


def test_concurrent_posts_with_one_key_give_one_job(api: Api) -> None:
    found: list[str] = []

    def keyed() -> None:
        response = api.call(
            "POST",
            "/v1/jobs",
            json={"task": "moderation", "input": "同时"},
            headers={"Idempotency-Key": "same"},
        )
        found.append(response.json()["id"])

    threads = [threading.Thread(target=keyed) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("written", ["number", "iso"])
def test_run_at_takes_seconds_and_iso_times(api: Api, written: str, redis_url: str) -> None:
    due = 4_000_000_000
    value = due if written == "number" else datetime.fromtimestamp(due, UTC).isoformat()
    job_id = api.submitted(run_at=value, ttl_seconds=86_400)
    seen = api.call("GET", f"/v1/jobs/{job_id}").json()
    assert seen["run_at"] == due
    assert seen["expires_at"] == pytest.approx(seen["created_at"] + 86_400)
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("moderation.normal") == 0


def test_cancel_ends_a_queued_job_and_flags_a_running_one(api: Api) -> None:
    queued, running, done = (api.submitted() for _ in range(3))
    api.finish(done)
    api.store.claims.claim("w1", [running])
    seen = [api.call("POST", f"/v1/jobs/{one}/cancel").json() for one in (queued, running, done)]
    assert [job["state"] for job in seen] == ["cancelled", "running", "succeeded"]
    assert [job["cancel_requested"] for job in seen] == [True, True, False]


def test_wait_answers_when_the_job_ends(api: Api) -> None:
    job_id = api.submitted()
    worker = threading.Timer(0.3, api.finish, [job_id])
    worker.start()
    begun = time.monotonic()
    seen = api.call("GET", f"/v1/jobs/{job_id}?wait=60").json()
    worker.join()
    assert seen["state"] == "succeeded"
    assert time.monotonic() - begun < 30


def test_the_store_tells_which_jobs_have_ended(api: Api) -> None:
    done, queued = api.submitted(), api.submitted()
    api.finish(done)
    assert api.store.jobs.ended([done, queued, "job_none"]) == {done}


def test_wait_ends_with_the_job_as_it_is(api: Api) -> None:
    job_id = api.submitted()
    begun = time.monotonic()
    assert api.call("GET", f"/v1/jobs/{job_id}?wait=0.3").json()["state"] == "queued"
    assert time.monotonic() - begun >= 0.3


def test_pages_follow_each_other_newest_first(api: Api) -> None:
    made = [api.submitted() for _ in range(5)]
    api.submitted("other")
    seen: list[str] = []
    after = ""
    while True:
        page = api.call("GET", f"/v1/jobs?limit=2{after}").json()
        assert page["object"] == "list"
        ids = [job["id"] for job in page["data"]]
        assert (page["first_id"], page["last_id"]) == (ids[0], ids[-1])
        seen += ids
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    assert seen == made[::-1]


def test_lists_are_filtered(api: Api) -> None:
    done, queued = api.submitted(), api.submitted()
    api.finish(done)

    def ids(query: str) -> list[str]:
        return [job["id"] for job in api.call("GET", f"/v1/jobs?{query}").json()["data"]]

    assert ids("state=succeeded") == [done]
    assert ids("state=queued&task=moderation") == [queued]
    assert ids("task=translation") == []
    assert ids("batch_id=batch_none") == []
    empty = api.call("GET", "/v1/jobs?task=translation").json()
    assert empty == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False
    }  # fmt: skip


def test_a_batch_shows_its_counts(api: Api) -> None:
    api.store.batches.create(
        "acme", "batch_1", "moderation", Priority.BULK, "comments.jsonl", None, {"run": "夜间"}
    )
    api.store.batches.seal("acme", "batch_1", 3)
    seen = api.call("GET", "/v1/batches/batch_1").json()
    assert (seen["id"], seen["object"], seen["state"]) == ("batch_1", "batch", "in_progress")
    assert seen["request_counts"] == {"total": 3, "completed": 0, "failed": 0}
    assert (seen["metadata"], seen["priority"]) == ({"run": "夜间"}, "bulk")
    error_of(api.call("GET", "/v1/batches/batch_2"), 404)


def test_ids_that_name_nothing_are_404(api: Api) -> None:
    for url in ("/v1/jobs/job_none", "/v1/jobs/你好", "/v1/jobs?after=job_none"):
        assert error_of(api.call("GET", url), 404)["code"] == "not_found"
    error_of(api.call("POST", "/v1/jobs/job_none/cancel"), 404)


@pytest.mark.parametrize("place", ["/v1/jobs/a%00b", "/v1/jobs?task=%00", "/v1/jobs?after=%00"])
def test_a_nul_in_the_url_is_a_clients_error(api: Api, place: str) -> None:
    assert error_of(api.call("GET", place), 400)["code"] == "invalid_url"
