"""A real worker that writes: jobs, streams, cancelling, and what is given back at the end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lepton_tasks.broker.chunks import StoredText
from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.streams import TextStream
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.jobs import Job, NewJob, Payload
from lepton_tasks.producer import Producer
from lepton_tasks.requests import JobRequest
from lepton_tasks.settings import Settings
from lepton_tasks.states import TERMINAL, JobState
from lepton_tasks.store.store import Store, open_store
from tests.support.models import save_chat_decoder
from tests.support.plugins import GENERATION, installed
from tests.support.worker import WorkerProcess

WAIT = 60.0
LONG = {"max_tokens": 4000}
CHAT = """
[tiny-chat]
task = "chat"
default = true
engine = "decoder"
folder = "model"
"""


class Bench:
    def __init__(self, settings: Settings, store: Store, worker: WorkerProcess) -> None:
        self.settings = settings
        self.store = store
        self.worker = worker
        self.producer = Producer(settings, store)

    def write(self, *prompts: str, **options: object) -> Job:
        return self.ended(self.producer.submit("generation", inputs=prompts, options=options).id)

    def ended(self, job_id: str) -> Job:
        job = self.producer.wait(job_id, WAIT)
        assert job.state in TERMINAL
        return job

    @contextmanager
    def following(self, **options: object) -> Iterator[tuple[str, TextStream]]:
        """Submit a prompt whose text is followed from its first piece on."""
        payload = Payload(("今天天气",), True, {"stream": True, **options})
        job = NewJob("default", "generation", payload, 1)

        def stored() -> StoredText | None:
            found = self.producer.get(job.id)
            if found.state not in TERMINAL:
                return None
            return StoredText(found.output()["text"], found.output()["finish_reason"])

        client = connect(self.settings.redis_url, 5.0)
        with TextStream(client, job.id, stored) as stream:
            self.producer.put([job])
            yield job.id, stream

    def until(self, job_id: str, state: JobState) -> None:
        end = time.monotonic() + WAIT
        while self.producer.get(job_id).state is not state:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.fixture(scope="module")
def bench(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("writing")
    shutil.copytree(GENERATION, folder, dirs_exist_ok=True)
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(catalogue.read_text().replace("1024", "16384") + CHAT)
    # It never comes to an end by itself, so what is long is long.
    save_chat_decoder(folder / "model", "llama", eos_token_id=None, max_position_embeddings=4096)
    with installed(folder):
        settings = Settings(
            home=folder / "home",
            redis_url=redis_server.url[:-1] + "3",
            lease_seconds=3.0,
            threads=1,
            drain_seconds=0.5,
        )
        store = open_store(settings)
        tasks = ["generation", "chat"]
        worker = WorkerProcess(settings, store, folder / "worker.log", tasks=tasks)
        with worker:
            yield Bench(settings, store, worker)
        store.close()


def test_many_prompts_are_written_together_as_each_alone(bench: Bench) -> None:
    prompts = ["今天", "The parcel", "谢谢", "Where is"]
    together = bench.write(*prompts, max_tokens=12).output()
    assert [one["usage"]["completion_tokens"] for one in together] == [12] * 4
    assert [bench.write(one, max_tokens=12).output()[0] for one in prompts] == together


def test_a_short_job_does_not_wait_for_a_long_one(bench: Bench) -> None:
    long = bench.producer.submit("generation", "Once", options=LONG)
    bench.until(long.id, JobState.RUNNING)
    assert bench.write("今天", max_tokens=4).state is JobState.SUCCEEDED
    assert bench.producer.get(long.id).state is JobState.RUNNING
    bench.producer.cancel(long.id)
    assert bench.ended(long.id).state is JobState.CANCELLED


def test_a_text_can_be_followed(bench: Bench) -> None:
    with bench.following(max_tokens=40, temperature=0.8, seed=5) as (job_id, stream):
        pieces = list(stream)
    assert len(pieces) > 1
    output = bench.ended(job_id).output()
    assert "".join(pieces) == output["text"]
    assert stream.finish_reason == output["finish_reason"] == "length"


def test_a_dialogue_can_be_followed_and_is_remembered(bench: Bench) -> None:
    options = {"conversation": "conv_1", "max_tokens": 24, "stream": True}
    for history in (0, 2):
        item = {"messages": [{"role": "user", "content": "今天天气很好"}]}
        request = JobRequest("chat", input=item, options=options)
        job = bench.producer.admission.admit("default", request)

        def stored(job_id: str = job.id) -> StoredText | None:
            found = bench.producer.get(job_id)
            if found.state not in TERMINAL:
                return None
            output = found.output()
            return StoredText(output["message"]["content"], output["finish_reason"])

        with TextStream(connect(bench.settings.redis_url, 5.0), job.id, stored) as stream:
            bench.producer.put([job])
            pieces = list(stream)
        output = bench.ended(job.id).output()
        assert "".join(pieces) == output["message"]["content"]
        assert stream.finish_reason == output["finish_reason"] == "length"
        assert output["usage"]["completion_tokens"] == 24
        assert output["history"]["messages"] == history
    assert output["usage"]["prompt_tokens"] > 24  # the answer before it is a part of it


def test_messages_that_a_template_refuses_say_why(bench: Bench) -> None:
    system = {"role": "system", "content": "简短。"}
    item = {"messages": [system, {"role": "user", "content": "今天"}]}
    job = bench.ended(bench.producer.submit("chat", item).id)
    assert job.error is not None
    assert job.error["code"] == "chat_template_refused"
    assert "简短" not in job.error["message"]


def test_a_prompt_that_can_never_run_says_why(bench: Bench) -> None:
    job = bench.write("今天", max_tokens=4096)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error["code"] == "context_exceeded"
    assert "lower max_tokens" in job.error["message"]


def test_what_is_being_written_at_the_end_is_given_back_or_finished(
    bench: Bench, tmp_path: Path
) -> None:
    long = bench.producer.submit("generation", "Once", options=LONG)
    bench.until(long.id, JobState.RUNNING)
    assert bench.worker.terminate() == 0
    job = bench.producer.get(long.id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    bench.producer.cancel(long.id)
    patient = {"LEPTON_DRAIN_SECONDS": "240"}
    log = tmp_path / "worker.log"
    with (
        WorkerProcess(bench.settings, bench.store, log, "w2", ["generation"], patient) as worker,
        bench.following(max_tokens=800) as (job_id, stream),
    ):
        assert next(iter(stream))
        assert worker.terminate() == 0
    written = bench.producer.get(job_id)
    assert written.state is JobState.SUCCEEDED
    assert written.output()["usage"]["completion_tokens"] == 800
