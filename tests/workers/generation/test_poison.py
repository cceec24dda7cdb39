"""A prompt that kills the worker's process, among others: it dies alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.jobs import Submitted
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import open_store
from tests.plugins.generation.lepton_deadly import POISON
from tests.support.lepton_worker import LeptonWorker
from tests.support.models import save_decoder
from tests.support.plugins import GENERATION, installed

WAIT = 300.0


@pytest.fixture
def live(tmp_path: Path, redis_url: str) -> Iterator[Settings]:
    folder = tmp_path / "deadly"
    shutil.copytree(GENERATION, folder)
    catalogue = folder / "catalogue.toml"
    text = catalogue.read_text().replace('"decoder"', '"deadly-decoder"')
    catalogue.write_text(text.replace("1024", "8192"))
    save_decoder(folder / "model", "llama", eos_token_id=None, max_position_embeddings=2048)
    with installed(folder):
        # The lease outlives the test: what is known of a death, the supervisor saw.
        yield Settings(home=tmp_path / "home", redis_url=redis_url, lease_seconds=600.0, threads=1)


# Its worker is started five times; on a busy machine that takes long.
@pytest.mark.timeout(600)
def test_a_prompt_that_kills_the_process_dies_alone(live: Settings, tmp_path: Path) -> None:
    store = open_store(live)
    producer = Producer(live, store)

    def submit(*prompts: str, new: int = 24) -> Submitted:
        return producer.submit("generation", inputs=prompts, options={"max_tokens": new})

    innocent = [submit(f"The parcel {number}") for number in range(4)]
    killer = submit("谢谢", f"Where is {POISON}", "今天天气")
    innocent += [submit("Once", new=100), *(submit(f"今天 {number}") for number in range(4))]
    worker = LeptonWorker(live, tmp_path / "output", task="generation")
    try:
        for submitted in (*innocent, killer):
            job = producer.wait(submitted.id, WAIT)
            assert job.state is JobState.SUCCEEDED, worker.log.read_text()[-4000:]
    finally:
        worker.kill()
    outputs = producer.get(killer.id).output()
    assert [place for place, output in enumerate(outputs) if "error" in output] == [1]
    assert outputs[1]["error"]["code"] == "crashed"
    said = worker.log.read_text()
    assert said.count("was killed by SIGKILL, starting again at once; ") == 4, (
        said
    )  # once with the others, three times alone
    store.close()
