"""Conversations over HTTP: each tenant its own, turn after turn, and erased."""

from __future__ import annotations

from typing import Any

from tests.support.api import Answer, Api, error_of
from tests.support.talking import answer

URL = "/v1/conversations"


def said(api: Api, text: str, tenant: str = "acme", **more: Any) -> Answer:
    item = {"messages": [{"role": "user", "content": text}]}
    options = {"conversation": "conv_1"} | more.pop("options", {})
    return api.submit(tenant, task="chat", input=item, options=options, **more)


def conversed(api: Api, text: str, answered: str, tenant: str = "acme") -> list[str]:
    response = said(api, text, tenant)
    assert response.status_code == 202, response.text
    return answer(api.store, response.json()["id"], answered)


def test_made_read_and_listed(api: Api) -> None:
    made = api.call("POST", URL, json={"id": "conv_1", "expires_after": 60, "metadata": {"a": "b"}})
    assert made.status_code == 201 and made.headers["location"] == f"{URL}/conv_1"
    body = made.json()
    assert (body["object"], body["turns"], body["metadata"]) == ("conversation", 0, {"a": "b"})
    assert body["expires_at"] == body["created_at"] + 60
    assert error_of(api.call("POST", URL, json={"id": "conv_1"}), 409)["code"] == (
        "conversation_exists"
    )
    own = api.call("POST", URL).json()
    assert own["id"].startswith("conv_") and own["expires_after"] == 30 * 86_400
    page = api.call("GET", f"{URL}?limit=1").json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([own["id"]], True)
    rest = api.call("GET", f"{URL}?after={page['last_id']}").json()
    assert [one["id"] for one in rest["data"]] == ["conv_1"]
    assert error_of(api.call("POST", URL, json={"ttl": 5}), 422)["param"] == "ttl"


def test_turn_after_turn(api: Api) -> None:
    assert conversed(api, "你好", "您好！") == ["你好"]
    pending = said(api, "门票？")
    job_id = pending.json()["id"]
    busy = error_of(said(api, "快点"), 409)
    assert busy["code"] == "conversation_busy" and job_id in busy["message"]
    assert answer(api.store, job_id, "免费。") == ["你好", "您好！", "门票？"]
    read = api.call("GET", f"{URL}/conv_1").json()
    assert read["turns"] == 2
    assert [one["messages"] for one in read["messages"]["data"]] == [
        [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "您好！"}],
        [{"role": "user", "content": "门票？"}, {"role": "assistant", "content": "免费。"}],
    ]
    first = api.call("GET", f"{URL}/conv_1?limit=1").json()["messages"]
    assert (first["first_id"], first["last_id"], first["has_more"]) == ("turn_0", "turn_0", True)
    [second] = api.call("GET", f"{URL}/conv_1?after=turn_0").json()["messages"]["data"]
    assert (second["id"], second["job_id"]) == ("turn_1", job_id)
    for name in ("turn_x", "7", "turn_", "turn_-1"):
        error_of(api.call("GET", f"{URL}/conv_1?after={name}"), 404)


def test_a_repeated_key_is_the_same_turn(api: Api) -> None:
    headers = {"idempotency-key": "k1"}
    body = {
        "task": "chat",
        "input": {"messages": [{"role": "user", "content": "你好"}]},
        "options": {"conversation": "conv_1"},
    }
    first, again = (api.call("POST", "/v1/jobs", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"


def test_each_tenant_has_its_own(api: Api) -> None:
    conversed(api, "我们的", "是")
    assert error_of(api.call("GET", f"{URL}/conv_1", "other"), 404)["code"] == "not_found"
    assert error_of(api.call("DELETE", f"{URL}/conv_1", "other"), 404)["code"] == "not_found"
    assert api.call("GET", URL, "other").json()["data"] == []
    error_of(api.call("GET", f"{URL}?after=conv_1", "other"), 404)
    assert conversed(api, "他们的", "是", "other") == ["他们的"]
    assert api.call("DELETE", f"{URL}/conv_1", "other").status_code == 200
    assert api.call("GET", f"{URL}/conv_1").json()["turns"] == 1


def test_deleted_with_its_jobs(api: Api) -> None:
    conversed(api, "你好", "您好！")
    [job] = api.call("GET", "/v1/jobs").json()["data"]
    error = error_of(api.call("DELETE", f"/v1/jobs/{job['id']}"), 409)
    assert error["code"] == "part_of_conversation"
    deleted = api.call("DELETE", f"{URL}/conv_1")
    assert deleted.json() == {"id": "conv_1", "object": "conversation", "deleted": True}
    error_of(api.call("GET", f"{URL}/conv_1"), 404)
    error_of(api.call("DELETE", f"{URL}/conv_1"), 404)
    assert error_of(api.call("GET", f"/v1/jobs/{job['id']}"), 410)["code"] == "deleted"


def test_what_can_be_no_turn_is_told(api: Api) -> None:
    item = {"messages": [{"role": "user", "content": "你好"}]}
    several = api.submit(task="chat", inputs=[item], options={"conversation": "conv_1"})
    assert error_of(several, 422)["code"] == "conversation_takes_one"
    odd = said(api, "你好", options={"conversation": "x"})
    assert error_of(odd, 422)["param"] == "options.conversation"
    assert api.call("GET", URL).json()["data"] == []
