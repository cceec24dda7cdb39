"""The stock ``openai`` client asks for moderations and embeddings: a real server and worker."""

from __future__ import annotations

import math

import httpx
import pytest
from openai import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OpenAI,
    UnprocessableEntityError,
)

from lepton_tasks.nlp.moderation import CATEGORIES, OPENAI_CATEGORIES
from tests.support.openai_system import System

INSULT = "You are a worthless idiot and nobody wants you here."
THANKS = "谢谢你的耐心解答，问题已经解决了。"


def test_a_text_is_moderated(system: System) -> None:
    answer = system.client.moderations.create(input=INSULT)
    assert answer.id.startswith("modr_")
    assert answer.model == "omni-moderation-latest"
    [result] = answer.results
    assert result.flagged
    assert result.categories.harassment
    assert result.category_scores.harassment > 0.5
    assert result.category_applied_input_types.harassment == ["text"]
    raw = result.model_dump(by_alias=True)
    assert set(OPENAI_CATEGORIES) < set(raw["categories"]) == set(CATEGORIES)
    for name in raw["unsupported_categories"]:
        assert (raw["categories"][name], raw["category_scores"][name]) == (False, 0.0)
        assert raw["category_applied_input_types"][name] == []


def test_a_list_keeps_its_order_beyond_what_one_job_holds(system: System) -> None:
    texts = [THANKS, INSULT, "Thank you!", "这种地方出来的人都没素质，滚回去吧。", INSULT]
    answer = system.client.moderations.create(input=texts, model="text-moderation-latest")
    assert [one.flagged for one in answer.results] == [False, True, False, True, True]
    languages = [one.model_dump()["language"] for one in answer.results]
    assert languages == ["zh", "en", "en", "zh", "en"]


def test_parts_are_one_text_and_images_are_refused_by_name(system: System) -> None:
    parts = [{"type": "text", "text": "你好"}, {"type": "text", "text": INSULT}]
    assert len(system.client.moderations.create(input=parts).results) == 1  # type: ignore[arg-type]
    image = {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}}
    with pytest.raises(BadRequestError) as caught:
        system.client.moderations.create(input=[parts[0], image])  # type: ignore[arg-type]
    assert caught.value.param == "input[1].image_url"
    assert caught.value.code == "unsupported_image"


def test_vectors_are_the_same_in_both_encodings(system: System) -> None:
    texts = ["How do I get a new card?", "怎样才能换一张新卡？", "Thanks"]
    packed = system.client.embeddings.create(model="text-embedding-3-small", input=texts)
    plain = system.client.embeddings.create(
        model="text-embedding-ada-002", input=texts, encoding_format="float"
    )
    assert [one.index for one in packed.data] == [0, 1, 2]
    for left, right in zip(packed.data, plain.data, strict=True):
        assert left.embedding == pytest.approx(right.embedding, abs=1e-6)
        assert math.hypot(*left.embedding) == pytest.approx(1.0, abs=1e-3)
    assert packed.usage.total_tokens > 0
    short = system.client.embeddings.create(
        model="text-embedding-3-large", input=texts[0], dimensions=128
    )
    assert len(short.data[0].embedding) == 128
    with pytest.raises(BadRequestError) as caught:
        system.client.embeddings.create(
            model="text-embedding-3-small", input=texts[0], dimensions=100
        )
    assert caught.value.param == "dimensions"


def test_models_are_listed_with_their_aliases(system: System) -> None:
    names = {one.id for one in system.client.models.list()}
    assert {"omni-moderation-latest", "text-embedding-3-small", "moderation", "embedding"} <= names
    assert system.client.models.retrieve("embedding").model_dump()["task"] == "embedding"
    with pytest.raises(NotFoundError) as caught:
        system.client.models.retrieve("gpt-9")
    assert caught.value.code == "model_not_found"


def test_a_model_that_is_not_there_is_named(system: System) -> None:
    with pytest.raises(NotFoundError) as caught:
        system.client.moderations.create(input="你好", model="gpt-9")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "gpt-9" in caught.value.message


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": ["好", "好", "好", " "]}, "input[3]"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": [[1, 2]]}, "input[0]"),
        ({}, "input"),
        ({"input": "a", "temperature": 1}, "temperature"),
        ({"input": "a", "service_tier": "gold"}, "service_tier"),
        ({"input": "a", "model": 7}, "model"),
    ],
)
def test_what_is_wrong_is_named(system: System, body: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        system.client.post("/moderations", body=body, cast_to=object)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert str(caught.value.request_id).startswith("req_")


def test_a_key_is_needed(system: System) -> None:
    with (
        OpenAI(api_key="lpt_wrong", base_url=f"{system.url}/v1") as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.moderations.create(input="你好")


def test_a_request_that_is_sent_again_is_answered_by_its_first_job(system: System) -> None:
    def post(count: int, text: str, **headers: str) -> httpx.Response:
        return httpx.post(
            f"{system.url}/v1/moderations",
            json={"input": text},
            headers={
                "authorization": f"Bearer {system.key}",
                "x-stainless-retry-count": str(count),
                **headers,
            },
            timeout=60,
        )

    first = post(0, "一样").json()["id"]
    assert post(1, "一样").json()["id"] == first
    assert post(1, "不一样").json()["id"] != first
    assert post(0, "一样").json()["id"] != first
    keyed = post(0, "一样", **{"idempotency-key": "a"})
    assert keyed.json()["id"] == post(0, "一样", **{"idempotency-key": "a"}).json()["id"]
    with pytest.raises(UnprocessableEntityError) as caught:
        system.client.moderations.create(input="别的", extra_headers={"Idempotency-Key": "a"})
    assert caught.value.code == "idempotency_conflict"


@pytest.mark.parametrize(
    ("tier", "priority"), [(None, "high"), ("default", "normal"), ("flex", "bulk")]
)
def test_the_service_tier_is_the_priority(system: System, tier: str | None, priority: str) -> None:
    answer = system.client.moderations.create(input="hello", extra_body={"service_tier": tier})
    job_id = answer.id.replace("modr_", "job_")
    job = httpx.get(
        f"{system.url}/v1/jobs/{job_id}", headers={"authorization": f"Bearer {system.key}"}
    )
    assert job.json()["priority"] == priority
