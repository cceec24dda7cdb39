from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from tests.support.certificates import Authority
from tests.support.models import save_decoder
from tests.support.noop import NoopBench, noop_bench
from tests.support.openai_system import System, openai_system
from tests.support.tls_proxy import TlsProxy
from tests.support.upstream import Upstream, upstream


@pytest.fixture(scope="module")
def bench(
    redis_server: EmbeddedRedis, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NoopBench]:
    """A worker with small micro-batches on a Redis that speaks nothing but TLS."""
    folder = tmp_path_factory.mktemp("contract")
    login = redis_server.url.partition("://")[2].rpartition("@")[0]
    with TlsProxy(redis_server.port, authority.server()) as proxy:
        # A database of its own: the fixture `redis_url` empties the first one.
        url = f"rediss://{login}@127.0.0.1:{proxy.port}/7?ssl_ca_certs={authority.ca_file}"
        settings = Settings(
            home=folder / "home",
            redis_url=url,
            lease_seconds=3.0,
            token_budget=8,
            window_items=64,
        )
        with noop_bench(settings, folder / "worker.log") as bench:
            yield bench


@pytest.fixture(scope="module")
def system_settings(
    redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of ``system``; its decoder never ends a text by itself.

    A text of 8,000 tokens takes it long enough on any machine for somebody to hang up.
    """
    folder = tmp_path_factory.mktemp("openai")
    changes = {"eos_token_id": None, "max_position_embeddings": 8192, "num_hidden_layers": 8}
    save_decoder(folder / "model", "llama", **changes)
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(
        """[tiny-generation]
        task = "generation"
        default = true
        engine = "decoder"
        folder = "model"
        options = { most_running = 4, cache_tokens = 16384 }
        """
    )
    return Settings(
        home=folder / "home",
        redis_url=redis_server.url[:-1] + "5",
        lease_seconds=5.0,
        threads=1,
        max_items_per_job=2,
        catalogues=str(catalogue),
    )


@pytest.fixture(scope="module")
def system(system_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that clients of two kinds call, stock ones of OpenAI's API and our own."""
    log = tmp_path_factory.mktemp("system") / "worker.log"
    tasks = ["moderation", "embedding", "chat", "generation"]
    with openai_system(system_settings, tasks, log) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    """An upstream that does what prompts say."""
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def front(
    redis_server: EmbeddedRedis,
    system: System,
    server: Upstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[System]:
    """A system without a model of its own: ``system`` writes for it, and the scripted server."""
    folder = tmp_path_factory.mktemp("front")
    far = f'url = "{system.url}/v1", model = "default", key_variable = "UPSTREAM_KEY"'
    scripted = f'url = "{server.url}", model = "default"'
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(
        f"""[far-chat]
        task = "chat"
        default = true
        engine = "openai-upstream"
        options = {{ {far} }}

        [scripted-chat]
        task = "chat"
        engine = "openai-upstream"
        options = {{ {scripted} }}

        [far-generation]
        task = "generation"
        default = true
        engine = "openai-upstream"
        options = {{ {far} }}
        """
    )
    settings = Settings(
        home=folder / "home",
        redis_url=redis_server.url[:-1] + "6",
        lease_seconds=5.0,
        threads=1,
        retry_seconds=0.1,
        catalogues=str(catalogue),
    )
    log = folder / "worker.log"
    with openai_system(settings, ["chat", "generation"], log, key=system.key) as running:
        yield running
