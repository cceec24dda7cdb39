"""The stock ``openai`` client manages endpoints here and unwraps what they get."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from openai import InvalidWebhookSignatureError, NotFoundError, OpenAI

from api.app import create_app
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from tests.support.receiver import Receiver, running_receiver
from tests.support.sending import eventually, running_sender
from tests.support.serving import serving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(
        home=tmp_path / "home", redis_url=redis_url, webhook_private_networks="127.0.0.0/8"
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture
def client(settings: Settings, store: Store) -> Iterator[OpenAI]:
    key = store.keys.create("acme", "test")
    app = create_app(settings)
    with (
        serving(uvicorn.Config(app, log_config=None)) as url,
        OpenAI(api_key=key, base_url=f"{url}/v1") as client,
    ):
        yield client


def test_the_life_of_an_endpoint(client: OpenAI, store: Store, receiver: Receiver) -> None:
    made = client.webhooks.create(
        name="batches", url=receiver.url("/hooks"), event_types=["batch.completed"]
    )
    assert made.event_types == ["batch.completed"]
    assert "batch.completed" in client.webhooks.event_types.list().data
    assert [one.id for one in client.webhooks.list()] == [made.id]
    assert client.webhooks.retrieve(made.id).signing_secret_hint is not None
    assert client.webhooks.update(made.id, name="文件").name == "文件"

    rotated = client.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    with running_sender(store):
        tested = client.webhooks.test(made.id, event_type="batch.completed")
        assert (tested.status_code, tested.success) == (200, True)
        store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f")
        store.batches.seal("acme", "batch_1", 0)
        eventually(lambda: len(receiver.at("/hooks")) == 2)
    request = receiver.at("/hooks")[1]
    for secret in (made.signing_secret, rotated.signing_secret):
        event = client.webhooks.unwrap(request.body, request.headers, secret=secret)
        assert event.type == "batch.completed"
        assert event.data.id == "batch_1"
        request.verify(secret)
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(request.body + b" ", request.headers, secret=made.signing_secret)

    assert client.webhooks.delete(made.id).deleted
    with pytest.raises(NotFoundError):
        client.webhooks.retrieve(made.id)
