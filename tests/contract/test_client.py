"""Our own clients of a whole system: typed answers, streams, a link that breaks."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import pytest

from lepton_tasks import AsyncClient, Client
from lepton_tasks.client import (
    BatchFailed,
    BatchHandle,
    BatchResult,
    DeletedObject,
    IdempotencyMismatch,
    InvalidRequest,
    ItemError,
    JobCancelled,
    JobHandle,
    KeyRefused,
    StillWaiting,
    UnknownObject,
    files,
    uploads,
)
from lepton_tasks.nlp.chat import ChatOutput
from lepton_tasks.nlp.moderation import ModerationOutput
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from tests.support.io_process import io_process
from tests.support.openai_system import System
from tests.support.proxy import Mode, Proxy

PAGE = Path(__file__).parents[2] / "docs/sdk.md"
LONG = 8_000
"""Tokens that take the model longer than a test has patience."""


@pytest.fixture(scope="module")
def client(
    system: System, system_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A client of a system that runs batches, too."""
    log = tmp_path_factory.mktemp("io") / "io.log"
    with io_process(system_settings, log), Client(system.url, system.key) as client:
        yield client


@pytest.fixture
def proxy(system: System) -> Iterator[Proxy]:
    """A link to the server that may break."""
    with Proxy(int(system.url.rpartition(":")[2])) as proxy:
        yield proxy


def break_once(proxy: Proxy) -> None:
    """Reset the links that are; new ones are whole."""
    proxy.switch(Mode.RESET)
    proxy.switch(Mode.PASS)


def test_answers_are_of_the_task_s_own_type(client: Client) -> None:
    answer = client.moderation("You are a worthless idiot and nobody wants you here.")
    assert_type(answer, ModerationOutput)
    assert answer.flagged
    assert answer.action in ("review", "block")
    chinese = client.moderation("谢谢你的耐心解答，问题已经解决了。", block_at=0.8)
    assert (chinese.language, chinese.action) == ("zh", "allow")
    chat = client.chat("Hello! How are you?")
    assert_type(chat, ChatOutput)
    assert chat.message.content
    handle = client.moderation.submit(inputs=["谢谢", "Thanks"])
    assert_type(handle, JobHandle[ModerationOutput])
    results = handle.results()
    assert_type(results, list[ModerationOutput | ItemError])
    assert [isinstance(one, ModerationOutput) for one in results] == [True, True]
    assert handle.job.model is not None
    assert isinstance(client.run("moderation", "谢谢"), ModerationOutput)
    assert "moderation" in [task.id for task in client.tasks()]


def test_what_is_wrong_is_named(client: Client, system: System) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        client.moderation("谢谢", block_at=7)
    assert wrong.value.param == "options.block_at"
    assert (wrong.value.request_id or "").startswith("req_")
    with pytest.raises(UnknownObject):
        client.jobs.get("job_none")
    with (
        Client(system.url, "lpt_wrong") as other,
        pytest.raises(KeyRefused),
    ):
        other.tasks()


def test_a_key_makes_one_job_of_many_calls(client: Client) -> None:
    first = client.moderation.submit("谢谢", idempotency_key="order-7")
    first.wait()
    again = client.moderation.submit("谢谢", idempotency_key="order-7")
    assert again.id == first.id
    assert again.result().action == "allow"
    with pytest.raises(IdempotencyMismatch):
        client.moderation.submit("再见", idempotency_key="order-7")


def test_a_lost_answer_makes_no_second_job(client: Client, system: System, proxy: Proxy) -> None:
    """The job is stored, its answer is lost on the way: the same job answers the repetition."""
    before = {one.id for one in client.jobs.list()}
    with Client(proxy.url(system.url), system.key) as flaky:
        proxy.hold()

        async def submit() -> JobHandle[ModerationOutput]:
            sending = asyncio.create_task(asyncio.to_thread(flaky.moderation.submit, "你好"))
            while {one.id for one in client.jobs.list()} == before:
                await asyncio.sleep(0.02)
            proxy.switch(Mode.RESET)
            proxy.release()
            proxy.switch(Mode.PASS)
            return await sending

        handle = asyncio.run(submit())
        assert {one.id for one in client.jobs.list()} - before == {handle.id}
        assert handle.result().action == "allow"


def test_jobs_are_listed_completed_cancelled_and_deleted(client: Client) -> None:
    late = client.moderation.submit("later", run_at=4_000_000_000, metadata={"order": "8"})
    soon = [client.moderation.submit(text) for text in ("一", "二", "三")]
    done = client.jobs.as_completed([late, *soon], timeout=60)
    assert {next(done).id for _ in soon} == {one.id for one in soon}
    assert [one.result().action for one in soon] == ["allow"] * 3
    with pytest.raises(StillWaiting) as waiting:
        next(client.jobs.as_completed([late], timeout=0.01))
    assert waiting.value.ids == (late.id,)
    assert client.jobs.get(late.id).job.metadata == {"order": "8"}
    listed = [one.id for one in client.jobs.list(task="moderation", state="queued")]
    assert listed == [late.id]
    with pytest.raises(JobCancelled):
        late.cancel().result()
    late.delete()
    with pytest.raises(DeletedObject):
        late.refresh()


def test_many_texts_come_back_in_order(client: Client) -> None:
    texts = [f"text {number}" for number in range(7)]
    texts[3] = ""
    found = list(client.moderation.map(iter(texts), chunk=2, window=2))
    assert [isinstance(one, ItemError) for one in found] == [place == 3 for place in range(7)]
    handles = list(client.submit_many("moderation", ["一", "二", "三"], chunk=2))
    assert [len(one.results()) for one in handles] == [2, 1]


def test_a_text_is_read_while_it_grows(client: Client) -> None:
    with client.generation.stream("I would like to", max_tokens=24) as text:
        pieces = list(text)
    assert "".join(pieces) == text.text != ""
    assert text.finish_reason == "length"
    assert text.usage is not None
    assert text.usage["completion_tokens"] == 24
    with client.chat.stream("你好") as answer:
        assert "".join(answer) == answer.text != ""


def test_whoever_leaves_a_text_ends_its_writing(client: Client, system: System) -> None:
    with client.generation.stream("Once upon a time", max_tokens=LONG) as text:
        next(text)
        job_id = text.job_id
    assert job_id is not None
    job = system.until(
        lambda: (
            found
            if (found := system.store.jobs.get("acme", job_id)).state is JobState.CANCELLED
            or (found.result or {}).get("outputs", [{}])[0].get("finish_reason") == "cancelled"
            else None
        )
    )
    assert job.cancel_requested


def test_the_client_of_an_event_loop_does_the_same(system: System) -> None:
    async def run() -> None:
        async with AsyncClient(system.url, system.key) as client:
            answer = await client.moderation("You are a worthless idiot.")
            assert_type(answer, ModerationOutput)
            assert answer.flagged
            answers = await asyncio.gather(*[client.moderation(text) for text in ("一", "二")])
            assert [one.action for one in answers] == ["allow", "allow"]
            found = [one async for one in client.moderation.map(["三", "四"], chunk=1)]
            assert len(found) == 2
            async with client.generation.stream("今天", max_tokens=8) as text:
                pieces = [piece async for piece in text]
            assert "".join(pieces) == text.text
            handles = [await client.moderation.submit(text) for text in ("五", "六")]
            done = {one.id async for one in client.jobs.as_completed(handles, timeout=60)}
            assert done == {one.id for one in handles}

    asyncio.run(run())


def test_a_batch_is_made_on_the_fly_and_read_while_it_runs(
    client: Client, system: System, proxy: Proxy, tmp_path: Path
) -> None:
    """Every line comes once, over a link that breaks again and again."""

    def items() -> Iterator[Any]:
        for number in range(300):
            yield (f"评论-{number}", "You are a worthless idiot." if number % 3 else "谢谢")
        yield ""

    with Client(proxy.url(system.url), system.key) as flaky:
        batch = flaky.moderation.batch(items(), metadata={"shop": "7"})
        assert_type(batch, BatchHandle[ModerationOutput])
        assert (batch.batch.metadata, batch.batch.endpoint) == ({"shop": "7"}, "/v1/jobs")
        results: list[BatchResult[ModerationOutput]] = []
        for result in batch.results():
            results.append(result)
            if len(results) % 100 == 0:
                break_once(proxy)
    assert [one.custom_id for one in results] == [*(f"评论-{n}" for n in range(300)), "301"]
    flagged = [getattr(one.output, "flagged", None) for one in results]
    assert flagged == [*(bool(n % 3) for n in range(300)), None]
    assert isinstance(results[0].output, ModerationOutput)
    assert isinstance(results[-1].output, ItemError)
    known = results[149].cursor
    assert list(client.batches.results(batch.id, task="moderation", after=known)) == results[150:]
    ended = client.batches.wait(batch.id)
    assert (ended.status, ended.counts.completed, ended.counts.failed) == ("completed", 300, 1)
    path = ended.download(tmp_path / "out.jsonl")
    assert len(path.read_bytes().splitlines()) == 300
    assert batch.id in [one.id for one in client.batches.list()]


def test_a_large_file_goes_in_parts_over_a_link_that_breaks(
    client: Client, system: System, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGE_BYTES", 1 << 20)
    monkeypatch.setattr(uploads, "PART_BYTES", 1 << 20)
    content = "评论很长。\n".encode() * 300_000
    with Client(proxy.url(system.url), system.key) as flaky:
        breaking = threading.Timer(0.05, break_once, [proxy])
        breaking.start()
        file = flaky.files.upload(content, filename="large.txt")
        breaking.join()
    assert file.bytes == len(content)
    assert b"".join(client.files.content(file.id)) == content
    client.files.delete(file.id)


def test_a_batch_that_is_refused_names_the_lines(client: Client) -> None:
    same = [("a", "x"), ("a", "y")]
    with pytest.raises(InvalidRequest, match="line 2"):
        client.batches.create(same, endpoint="/v1/moderations")
    many = [*(f"text {number}" for number in range(3_000)), ("7", "again")]
    with pytest.raises(BatchFailed, match="line 3001") as refused:
        list(client.batches.create(many, endpoint="/v1/moderations").results())
    assert refused.value.errors[0]["line"] == 3_001


def test_results_are_there_before_the_end_and_what_is_cancelled_says_so(client: Client) -> None:
    """No worker serves the task of the last lines, so the batch is half done as long as it may."""
    bodies = [{"task": "moderation", "input": f"评论 {number}"} for number in range(70)]
    waiting = [{"task": "sentiment", "input": "很好"}] * 30
    batch = client.batches.create([*bodies, *waiting], endpoint="/v1/jobs", priority="high")
    results = batch.results()
    first = [next(results) for _ in range(32)]  # lines are done so many at a time
    assert [one.custom_id for one in first] == [str(number) for number in range(1, 33)]
    assert all(one.ok for one in first)
    assert batch.refresh().status == "in_progress"
    batch.cancel()
    rest = list(results)
    assert sorted(int(one.custom_id) for one in rest) == list(range(33, 101))
    assert [one.output.code for one in rest[-30:]] == ["batch_cancelled"] * 30
    assert batch.wait().status == "cancelled"


def test_any_other_route_can_be_called(client: Client) -> None:
    made: dict[str, Any] = client.request("POST", "/v1/corpora", json={"name": "手册"})
    assert client.request("GET", f"/v1/corpora/{made['id']}")["name"] == "手册"


def test_the_page_of_the_client_says_what_happens(
    client: Client, system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every example of docs/sdk.md is run, and prints what its last comments say."""
    monkeypatch.setenv("LEPTON_BASE_URL", f"{system.url}/v1")
    monkeypatch.setenv("LEPTON_API_KEY", system.key)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 8
    for block in blocks:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102
        wanted = re.search(r"((?:^# .*\n)*)\Z", block, re.MULTILINE)
        assert wanted is not None
        assert said.getvalue() == wanted[1].replace("# ", "", 1).replace("\n# ", "\n"), block
    names["client"].close()
