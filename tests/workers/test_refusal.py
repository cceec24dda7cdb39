"""What a producer is told about a model: its name and the reason, never where files lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.catalogue.entries import how_to_get
from workers.refusal import model_unavailable, unknown_model

parts = st.text(st.sampled_from("abc模型_-.7"), min_size=1, max_size=6).filter(
    lambda part: part.strip(".")
)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("/srv/models/big has no config.json", "big has no config.json"),
        ("/srv/模型/大 没有 config.json", "大 没有 config.json"),
        ("/a/b/c.safetensors: /a/b/d", "c.safetensors: d"),
        ("it needs 900 MB, of 512 MB", "it needs 900 MB, of 512 MB"),
        ("read '/x/y z' failed", "read 'y z' failed"),
        ("tokens/s and 3/4 stay", "tokens/s and 3/4 stay"),
        ("", ""),
    ],
)
def test_paths_are_cut_to_their_last_part(reason: str, shown: str) -> None:
    refused = model_unavailable("big", reason)
    assert refused.code == "model_unavailable"
    assert refused.message == f"the model 'big' is not available: {shown}"


@given(st.lists(parts, min_size=2, max_size=5), st.sampled_from(["", ": ", " has no ", ", "]))
def test_no_folder_above_the_last_is_told(path: list[str], after: str) -> None:
    folders = [f"secret{number}{part}" for number, part in enumerate(path[:-1])]
    reason = f"see /{'/'.join([*folders, path[-1]])}{after}config.json"
    message = model_unavailable("big", reason).message
    assert "secret" not in message
    assert path[-1].rstrip(".") in message


def test_a_folder_with_blanks_in_its_name_is_cut_where_it_is_known() -> None:
    folder = Path("/home/acme corp/my models/big one")
    message = model_unavailable("big", f"{folder} has no config.json", [None, folder]).message
    assert message == "the model 'big' is not available: big one has no config.json"


def test_the_models_that_there_are_are_listed_in_order() -> None:
    refused = unknown_model("moderation", "大", {"b": 1, "a": 2})
    assert refused.code == "unknown_model"
    assert refused.message == "there is no model '大' for moderation; the models are: a, b"


@pytest.mark.parametrize("model", ["x" * 10_000, "\n" * 10_000, "\ud800" * 10_000, "模" * 10_000])
def test_a_name_that_a_client_chose_is_cut_and_quoted(model: str) -> None:
    message = unknown_model("moderation", model, ["a"]).message
    assert len(message) < 600
    assert "\n" not in message
    message.encode()  # no half of a character


def test_a_model_of_the_hub_says_how_to_get_it() -> None:
    refused = unknown_model("embedding", "bge-m3", ["embedding"], how_to_get("embedding", "bge-m3"))
    assert refused.message.endswith(
        "the models are: embedding; `lepton models pull bge-m3` fetches BAAI/bge-m3 of the hub"
    )
    assert how_to_get("moderation", "bge-m3") == "", "a model of another task"
