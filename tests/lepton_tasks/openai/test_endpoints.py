"""The paths that are understood."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.openai.endpoints import ENDPOINTS
from lepton_tasks.openai.failures import refusal
from lepton_tasks.openai.names import renamed
from lepton_tasks.requests import Admission, JobRequest

TEXTS = st.sampled_from(["", " ", "\0", "好", "user", "text", "chat", "default", "x" * 70_000])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "role", "content", "\0"]), inner)
    ),
    max_leaves=8,
)
GOOD: dict[str, dict[str, Any]] = {
    "/v1/moderations": {"input": "好"},
    "/v1/embeddings": {"input": "好"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "好"}]},
    "/v1/completions": {"prompt": "好"},
    "/v1/jobs": {"task": "sentiment", "input": "好"},
}
FIELDS = (
    "input inputs messages prompt task options model stop seed n temperature max_tokens "
    "stream_options metadata dimensions service_tier logit_bias tools \0 名"
)
NAMES = st.sampled_from(FIELDS.split())


@pytest.fixture(scope="module")
def admission() -> Admission:
    return Admission(find_tasks(), 256)


@pytest.mark.parametrize("path", GOOD)
@settings(max_examples=50)
@given(changes=st.dictionaries(NAMES, JSON, max_size=3))
def test_whatever_a_body_holds_it_is_taken_or_refused_in_words(
    admission: Admission, path: str, changes: dict[str, Any]
) -> None:
    try:
        asked = ENDPOINTS[path].read(GOOD[path] | changes)
    except InvalidInput as error:
        assert orjson.dumps(refusal(error).body())
        return
    request = JobRequest(task=asked.task, inputs=asked.inputs, options=asked.options)
    try:
        assert admission.admit("acme", request).payload.dump()
    except InvalidInput as error:
        assert orjson.dumps(refusal(renamed(error, asked.names)).body())


def test_endpoints_are_found_by_their_paths() -> None:
    assert set(ENDPOINTS) == {
        "/v1/moderations",
        "/v1/embeddings",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/jobs",
    }
    assert all(endpoint.path == path for path, endpoint in ENDPOINTS.items())
