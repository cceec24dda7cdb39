from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pandas as pd
import pytest

from lepton_tasks import Client
from lepton_tasks.client.frames import column_mapper, run_column
from lepton_tasks.errors import InvalidInput
from tests.support.job_bodies import accepted, job
from tests.support.scripted_http import Asked, Say, ScriptedServer

TEXTS = ["好", None, "很好", "", float("nan")]


@pytest.fixture
def blocking(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of a server that counts characters, and takes no empty text."""
    inputs: dict[str, list[str]] = {}

    def answer(asked: Asked) -> Say:
        server.asked.append(asked)
        if asked.method == "GET":
            job_id = asked.path.rpartition("/")[2]
            outputs = [_output(text) for text in inputs[job_id]]
            return Say(200, job(job_id, outputs=outputs))
        texts = orjson.loads(asked.body)["inputs"]
        if "" in texts:
            place = f"inputs[{texts.index('')}]"
            error = {"code": "empty_text", "message": "it is empty", "param": place}
            return Say(422, {"error": error})
        job_id = f"job_{len(inputs)}"
        inputs[job_id] = texts
        return Say(202, accepted(job_id))

    monkeypatch.setattr(server, "answer", answer)
    with Client(server.url, "lpt_test") as client:
        yield client


def _output(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        return dict(orjson.loads(text))
    return {"characters": len(text), "long": len(text) > 1}


def test_a_data_frame_gets_columns_and_keeps_its_index(blocking: Client) -> None:
    frame = pd.DataFrame({"id": [7, 8, 9, 10, 11], "text": TEXTS}, index=list("vwxyz"))
    found = run_column(blocking, frame, "text", "noop", chunk=2)
    assert list(found.columns) == ["id", "text", "noop_characters", "noop_long", "noop_error"]
    assert list(found.index) == list("vwxyz")
    assert found["noop_characters"].dropna().to_dict() == {"v": 1, "x": 2}
    assert found["noop_error"].dropna().to_dict() == {"y": "empty_text"}
    assert list(frame.columns) == ["id", "text"]
    nullable = pd.DataFrame({"text": pd.array(["好", pd.NA], dtype="string")})
    assert run_column(blocking, nullable, "text", "noop")["noop_characters"].tolist()[0] == 1


def test_a_mapping_of_columns_gets_those_that_are_kept(
    blocking: Client, server: ScriptedServer
) -> None:
    found = run_column(
        blocking, {"text": TEXTS}, "text", "noop", keep=["long"], prefix="", priority="bulk"
    )
    assert list(found) == ["text", "long", "error"]
    assert found["long"] == [False, None, True, None, None]
    assert found["error"] == [None, None, None, "empty_text", None]
    assert server.asked[0].json["priority"] == "bulk"


def test_batches_of_a_data_set_have_the_same_columns(blocking: Client) -> None:
    answer = column_mapper(blocking, "text", "noop", keep=["characters"])
    first = answer({"text": ["好", "很好"], "id": [1, 2]})
    assert first == {"noop_characters": [1, 2], "noop_error": [None, None]}
    assert answer({"text": [""], "id": [3]}) == {
        "noop_characters": [None],
        "noop_error": ["empty_text"],
    }


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ({"words": ["x"]}, "no column 'text'"),
        ({"text": ["x"], "noop_error": [1]}, "prefix"),
    ],
)
def test_what_does_not_fit_is_named(blocking: Client, frame: Any, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        run_column(blocking, frame, "text", "noop")


def test_a_field_that_the_task_does_not_have_is_named(blocking: Client) -> None:
    rating = {"label": "positive", "scores": {}, "language": "en", "language_supported": True}
    frame = {"text": [orjson.dumps({**rating, "truncated": False}).decode()]}
    kept = run_column(blocking, frame, "text", "sentiment", keep=["label"])
    assert kept["sentiment_label"] == ["positive"]
    with pytest.raises(InvalidInput, match="no field 'lable'; its fields are: label, scores"):
        run_column(blocking, frame, "text", "sentiment", keep=["lable"])


def test_what_is_no_frame_is_refused(blocking: Client) -> None:
    class Columns(list[str]):
        def __getitem__(self, name: Any) -> Any:
            return ["x"]

    with pytest.raises(InvalidInput, match="Columns is no frame"):
        run_column(blocking, Columns(["text"]), "text", "noop")
