"""The stock ``openai`` client takes files through batches: a real server, io worker, worker.

Lines of a task that no worker serves wait, so a batch of such and of others is half done for as
long as a test wants.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from openai import BadRequestError, DefaultHttpxClient, NotFoundError, OpenAI
from openai.types import Batch

from lepton_tasks.batches import orders
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store
from tests.support.io_process import io_process
from tests.support.openai_system import PATIENCE, openai_system
from tests.support.plugins import NOOP, installed
from tests.support.receiver import Receiver, running_receiver

PAGE = Path(__file__).parents[2] / "docs/openai.md"
INSULT = "这种地方出来的人都没素质，滚回去吧。"
ENDED = {"completed", "failed", "expired", "cancelled"}
DONE, WAITING = 70, 30
"""Lines of a batch that a worker does, and behind them lines that wait."""


@dataclass(frozen=True)
class Live:
    """A whole system, and what its webhooks were told."""

    client: OpenAI
    store: Store
    receiver: Receiver

    def create(self, lines: Sequence[bytes], endpoint: str, **more: Any) -> Batch:
        """A batch of lines, from an upload on; its end is told at the path ``/done``."""
        file = self.client.files.create(file=("in.jsonl", b"".join(lines)), purpose="batch")
        more.setdefault("completion_window", "24h")
        extra = {"webhook": self.receiver.url("/done"), "priority": "normal"}
        return self.client.batches.create(
            input_file_id=file.id,
            endpoint=endpoint,  # type: ignore[arg-type]
            extra_body=extra,
            **more,
        )

    def until(self, batch: Batch, true: Callable[[Batch], bool]) -> Batch:
        """The batch once something is so of it."""
        end = time.monotonic() + PATIENCE
        while not true(batch := self.client.batches.retrieve(batch.id)):
            assert time.monotonic() < end, batch
            time.sleep(0.05)
        return batch

    def ended(self, batch: Batch) -> Batch:
        """The batch once it has ended."""
        return self.until(batch, lambda seen: seen.status in ENDED)

    def lines(self, file_id: str | None) -> list[dict[str, Any]]:
        """Lines of a file that a batch has made; none where it made none."""
        if file_id is None:
            return []
        content = self.client.files.content(file_id).read()
        return [orjson.loads(line) for line in content.splitlines()]

    def told(self, batch: Batch) -> Any:
        """The event of the batch's end, unwrapped once it has come."""
        secret = self.store.keys.webhook_secret("acme")
        end = time.monotonic() + PATIENCE
        while True:
            for request in self.receiver.at("/done"):
                event: Any = self.client.webhooks.unwrap(
                    request.body, request.headers, secret=secret
                )
                if event.data.id == batch.id:
                    return event
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture(scope="module")
def live(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("batches")
    settings = Settings(
        home=folder / "home",
        redis_url=redis_server.url[:-1] + "12",
        webhook_private_networks="127.0.0.0/8",
        threads=1,
        batches_at_once=8,
        catalogues=str(NOOP / "catalogue.toml"),
    )
    tasks = ["noop", "moderation", "embedding", "chat"]
    with (
        installed(),
        running_receiver() as receiver,
        openai_system(settings, tasks, folder / "worker.log") as system,
        io_process(settings, folder / "io.log"),
    ):
        yield Live(system.client, system.store, receiver)


def a_line(custom_id: object, url: str, body: object) -> bytes:
    line = {"custom_id": custom_id, "method": "POST", "url": url, "body": body}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def job_lines() -> list[bytes]:
    """Lines that are done, and lines that wait behind them."""
    done = [{"task": "noop", "input": "好" * (1 + number % 5)} for number in range(DONE)]
    waiting = [{"task": "summarisation", "input": "A long text."} for _ in range(WAITING)]
    return [
        a_line(f"行-{number}", "/v1/jobs", body) for number, body in enumerate([*done, *waiting])
    ]


TEXTS = ["Thank you!", INSULT] * 40


def moderation_lines() -> list[bytes]:
    """Eighty lines, of which the eighth is wrong."""
    bodies: list[dict[str, Any]] = [{"input": text} for text in TEXTS]
    bodies[7] = {"inputs": "no such field"}
    return [a_line(f"评-{n}", "/v1/moderations", body) for n, body in enumerate(bodies)]


def embedding_lines() -> bytes:
    """Three lines, packed."""
    model = "text-embedding-3-small"
    bodies: list[dict[str, Any]] = [
        {"model": model, "input": text, "encoding_format": "float"}
        for text in ("How do I get a new card?", "怎样才能换一张新卡？")
    ]
    bodies.append({"model": model, "input": ["a", "b", "c"]})
    lines = [a_line(str(n), "/v1/embeddings", body) for n, body in enumerate(bodies)]
    return gzip.compress(b"".join(lines))


def chat_lines() -> list[bytes]:
    """One line, and the same as a stream."""
    body = {"model": "default", "messages": [{"role": "user", "content": "你好"}]}
    path = "/v1/chat/completions"
    return [a_line(str(stream), path, body | {"stream": stream}) for stream in (False, True)]


def wrong_lines() -> list[bytes]:
    """A hundred good lines, and wrong ones behind."""
    wrong = [a_line("b", "/v1/embeddings", {}), b"{\n", a_line("行-1", "/v1/jobs", {})]
    return [*job_lines(), *wrong]


@pytest.fixture(scope="module")
def made(live: Live) -> dict[str, Batch]:
    """Batches by what becomes of them; all of them run at once."""
    with pytest.MonkeyPatch.context() as patch:  # of the server, which runs in this process
        patch.setattr(orders, "_WINDOW", re.compile(r"([1-9][0-9]{0,4})([smhd])"))
        patch.setitem(orders._UNITS, "s", 1)
        overdue = live.create(job_lines(), "/v1/jobs", completion_window="6s")
    return {
        "overdue": overdue,
        "moderations": live.create(
            moderation_lines(), "/v1/moderations", metadata={"项目": "评论"}
        ),
        "embeddings": live.create([embedding_lines()], "/v1/embeddings"),
        "chat": live.create(chat_lines(), "/v1/chat/completions"),
        "wrong": live.create(wrong_lines(), "/v1/jobs"),
        "half": live.create(job_lines(), "/v1/jobs"),
    }


def check_half_done(live: Live, batch: Batch, code: str) -> None:
    """What was done is in order in the one file, all else in the other."""
    counts = batch.request_counts
    assert counts is not None
    output, errors = live.lines(batch.output_file_id), live.lines(batch.error_file_id)
    assert (counts.total, counts.completed, counts.failed) == (
        DONE + WAITING,
        len(output),
        len(errors),
    )
    names = [line["custom_id"] for line in output + errors]
    assert names == [f"行-{number}" for number in range(DONE + WAITING)]
    for number, line in enumerate(output):
        assert line["response"]["body"] == {"output": {"characters": 1 + number % 5}}
    assert {line["error"]["code"] for line in errors} == {code}
    assert all(line["response"] is None for line in errors)


def test_moderations_from_the_upload_to_the_output(live: Live, made: dict[str, Batch]) -> None:
    first = made["moderations"]
    assert (first.object, first.status) == ("batch", "validating")
    assert (first.endpoint, first.completion_window) == ("/v1/moderations", "24h")
    assert first.metadata == {"项目": "评论"}

    batch = live.ended(first)
    assert batch.status == "completed", batch
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 80, "completed": 79, "failed": 1}
    times = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert all(isinstance(one, int) for one in times)
    assert times == sorted(times)  # type: ignore[type-var]

    output = live.lines(batch.output_file_id)
    assert [line["custom_id"] for line in output] == [
        f"评-{number}" for number in range(80) if number != 7
    ]
    for line in output:
        assert line["error"] is None
        assert line["id"].startswith("batch_req_")
        assert line["response"]["status_code"] == 200
        [result] = line["response"]["body"]["results"]
        assert result["flagged"] == (int(line["custom_id"][2:]) % 2 == 1)
    [error] = live.lines(batch.error_file_id)
    assert (error["custom_id"], error["error"]) == ("评-7", None)
    assert error["response"]["status_code"] == 400
    assert error["response"]["body"]["error"]["param"] == "inputs"

    assert live.client.files.retrieve(str(batch.output_file_id)).purpose == "batch_output"
    event = live.told(batch)
    assert event.type == "batch.completed"
    assert event.model_dump()["data"]["request_counts"]["failed"] == 1


def test_embeddings_packed(live: Live, made: dict[str, Batch]) -> None:
    batch = live.ended(made["embeddings"])
    assert batch.status == "completed", batch
    answers = [line["response"]["body"] for line in live.lines(batch.output_file_id)]
    assert [len(answer["data"]) for answer in answers] == [1, 1, 3]
    assert isinstance(answers[0]["data"][0]["embedding"], list)
    assert batch.usage is not None
    assert batch.model == "text-embedding-3-small"
    read = sum(answer["usage"]["prompt_tokens"] for answer in answers)
    assert batch.usage.input_tokens == batch.usage.total_tokens == read


def test_chat_and_a_stream_that_cannot_be(live: Live, made: dict[str, Batch]) -> None:
    batch = live.ended(made["chat"])
    assert batch.status == "completed", batch
    [answer] = [line["response"]["body"] for line in live.lines(batch.output_file_id)]
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"]
    [refused] = [line["response"] for line in live.lines(batch.error_file_id)]
    assert (refused["status_code"], refused["body"]["error"]["param"]) == (400, "stream")
    assert batch.usage is not None
    assert batch.usage.output_tokens == answer["usage"]["completion_tokens"]


def test_a_cancelled_batch_keeps_what_is_done(live: Live, made: dict[str, Batch]) -> None:
    half = made["half"]
    moving = live.until(
        half,
        lambda seen: seen.request_counts is not None and seen.request_counts.completed > 0,
    )
    assert moving.status == "in_progress"
    assert moving.request_counts is not None
    assert moving.request_counts.total == DONE + WAITING > moving.request_counts.completed
    assert moving.output_file_id is None
    asked = live.client.batches.cancel(half.id)
    assert asked.status == "cancelling"
    assert asked.cancelling_at is not None
    batch = live.ended(half)
    assert batch.status == "cancelled"
    assert batch.output_file_id is not None
    check_half_done(live, batch, "batch_cancelled")
    assert live.told(batch).type == "batch.cancelled"
    assert live.client.batches.cancel(half.id) == batch


def test_a_file_that_turns_out_wrong_fails(live: Live, made: dict[str, Batch]) -> None:
    batch = live.ended(made["wrong"])
    assert batch.status == "failed"
    assert batch.errors is not None and batch.errors.data is not None
    found = [(one.code, one.line, one.param) for one in batch.errors.data]
    assert found == [
        ("invalid_url", 101, "url"),
        ("invalid_json_line", 102, None),
        ("duplicate_custom_id", 103, "custom_id"),
    ]
    assert (batch.output_file_id, batch.error_file_id) == (None, None)
    assert batch.failed_at is not None
    assert live.told(batch).type == "batch.failed"


def test_what_can_be_told_at_once(live: Live, made: dict[str, Batch]) -> None:
    with pytest.raises(BadRequestError) as caught:
        live.create([*job_lines()[:3], b"[]\n"], "/v1/jobs")
    assert (caught.value.code, caught.value.param) == ("invalid_type", "input_file_id")
    body: Any = caught.value.body
    assert body["line"] == 4
    with pytest.raises(BadRequestError, match="/v1/moderations") as caught:
        live.create(job_lines(), "/v1/images/generations")
    assert caught.value.param == "endpoint"
    with pytest.raises(NotFoundError) as missing:
        live.client.batches.create(
            input_file_id="file_none", endpoint="/v1/moderations", completion_window="24h"
        )
    assert missing.value.param == "input_file_id"


def test_an_order_whose_answer_is_lost_makes_one_batch(live: Live, made: dict[str, Batch]) -> None:
    lost: list[bytes] = []

    def lose(response: Any) -> None:
        if response.url.path.endswith("/batches") and not lost:
            lost.append(response.read())
            raise httpx.ReadError("the line is dead")

    http = DefaultHttpxClient(event_hooks={"response": [lose]})
    file_id = made["moderations"].input_file_id
    with live.client.with_options(max_retries=1, http_client=http) as client:
        batch = client.batches.create(
            input_file_id=file_id, endpoint="/v1/moderations", completion_window="24h"
        )
    assert orjson.loads(lost[0])["id"] == batch.id
    of_file = [one for one in live.client.batches.list() if one.input_file_id == file_id]
    assert [one.id for one in of_file] == [batch.id, made["moderations"].id]


def test_an_overdue_batch_keeps_what_is_done(live: Live, made: dict[str, Batch]) -> None:
    batch = live.ended(made["overdue"])
    assert batch.status == "expired"
    assert batch.expired_at is not None and batch.expires_at is not None
    assert batch.expired_at >= batch.expires_at
    check_half_done(live, batch, "batch_expired")
    assert live.told(batch).type == "batch.expired"


def test_batches_are_listed(live: Live, made: dict[str, Batch]) -> None:
    listed = list(live.client.batches.list(limit=2))
    assert {one.id for one in made.values()} <= {one.id for one in listed}
    assert listed[-1].id == made["overdue"].id
    assert [one.created_at for one in listed] == sorted(
        (one.created_at for one in listed), reverse=True
    )


def events_of(
    live: Live, batch: Batch, **headers: str
) -> Generator[tuple[str, str, bytes], None, None]:
    """Kind, cursor and data of the events of a stream of results, as they come."""
    url = f"{live.client.base_url}batches/{batch.id}/results"
    asked = {
        "authorization": f"Bearer {live.client.api_key}",
        "accept": "text/event-stream",
        **headers,
    }
    with httpx.stream("GET", url, headers=asked, timeout=PATIENCE) as answer:
        assert answer.status_code == 200
        event: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                event[name] = value
                continue
            if "data" in event:
                yield event.get("event", "line"), event["id"], event["data"].encode()
            event = {}


def test_results_are_read_while_a_batch_runs_and_are_its_file(live: Live) -> None:
    batch = live.create(job_lines(), "/v1/jobs")
    stream = events_of(live, batch)
    first = [next(stream) for _ in range(3)]
    stream.close()
    assert live.client.batches.retrieve(batch.id).status == "in_progress"
    page: Any = live.client.get(f"/batches/{batch.id}/results?limit=2", cast_to=object)
    assert [line["cursor"] for line in page["data"]] == [cursor for _, cursor, _ in first[:2]]
    assert [line["custom_id"] for line in page["data"]] == ["行-0", "行-1"]

    live.client.batches.cancel(batch.id)
    *rest, done = events_of(live, batch, **{"last-event-id": first[-1][1]})
    ended = live.client.batches.retrieve(batch.id)
    whole = live.client.files.content(str(ended.output_file_id)).read()
    assert b"".join(data + b"\n" for _, _, data in [*first, *rest]) == whole
    assert (done[0], done[1], orjson.loads(done[2])["status"]) == (
        "done",
        str(len(whole)),
        "cancelled",
    )
    wrong: Any = live.client.get(f"/batches/{batch.id}/results?file=errors", cast_to=object)
    assert {line["error"]["code"] for line in wrong["data"]} == {"batch_cancelled"}
    assert len(first) + len(rest) + len(wrong["data"]) == DONE + WAITING


def test_the_page_says_what_happens(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every example of docs/openai.md is run, and prints what its comments say."""
    monkeypatch.chdir(tmp_path)
    for name in ("comments.jsonl", "large.jsonl"):
        Path(name).write_text('{"custom_id": "评-1"}\n')
    page = PAGE.read_text().replace("http://localhost:8000/v1", str(live.client.base_url))
    page = page.replace("lpt_…", live.client.api_key)
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    for block in blocks:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102
        wanted = "\n".join(re.findall("^# (.*)$", block, re.MULTILINE)) or "..."
        pattern = re.escape(wanted).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, said.getvalue().strip(), re.DOTALL), block
    names["client"].close()
