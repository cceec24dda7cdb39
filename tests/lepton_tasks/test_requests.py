"""The gate: every wrong field is named, every right request becomes a job."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.errors import InvalidInput, UnknownTask
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.requests import Admission, JobRequest, check_webhook_url

ADMISSION = Admission(find_tasks(), max_items=4)


def request(**fields: Any) -> JobRequest:
    return JobRequest(**({"task": "moderation", "input": "你好"} | fields))


def test_a_single_text() -> None:
    job = ADMISSION.admit("acme", request(priority="high", metadata={"order": "7"}))
    assert (job.tenant, job.queue, job.payload.single) == ("acme", "moderation.high", True)
    assert job.cost >= 1


def test_a_list_keeps_its_order() -> None:
    job = ADMISSION.admit("acme", request(input=None, inputs=["b", "a"]))
    assert (job.payload.inputs, job.payload.single) == (("b", "a"), False)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"task": "mind-reading"}, "task"),
        ({"task": None}, "task"),
        ({"task": ["moderation"]}, "task"),
        ({"input": None}, "input"),
        ({"inputs": ["a"]}, "input"),
        ({"input": ""}, "input"),
        ({"input": " \n"}, "input"),
        ({"input": 7}, "input"),
        ({"input": "a\0b"}, "input"),
        ({"input": "\ud800"}, "input"),
        ({"input": "x" * 10_000_000}, "input"),
        ({"input": None, "inputs": []}, "inputs"),
        ({"input": None, "inputs": "text"}, "inputs"),
        ({"input": None, "inputs": ["a", 7]}, "inputs[1]"),
        ({"input": None, "inputs": ["a"] * 5}, "inputs"),
        ({"priority": "urgent"}, "priority"),
        ({"priority": 1}, "priority"),
        ({"options": "x"}, "options"),
        ({"options": {"colour": "red"}}, "options.colour"),
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": float("nan")}, "ttl_seconds"),
        ({"ttl_seconds": "1"}, "ttl_seconds"),
        ({"ttl_seconds": True}, "ttl_seconds"),
        ({"run_at": -1}, "run_at"),
        ({"webhook": "ftp://host/"}, "webhook"),
        ({"webhook": "https://"}, "webhook"),
        ({"webhook": "https://user:secret@host/"}, "webhook"),
        ({"webhook": "https://host:99999999/"}, "webhook"),
        ({"webhook": "https://host/a b"}, "webhook"),
        ({"webhook": 7}, "webhook"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {str(n): "v" for n in range(17)}}, "metadata"),
        ({"metadata": {"k": "\0"}}, "metadata"),
        ({"idempotency_key": ""}, "Idempotency-Key"),
        ({"idempotency_key": "k" * 256}, "Idempotency-Key"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ADMISSION.admit("acme", request(**fields))
    assert caught.value.param == param
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("task", "options", "says"),
    [
        ("sentiment", {"tone": 1}, "sentiment has no option 'tone'; its options are language, mo"),
        ("moderation", {"thresholds": {"spam": 2}}, "options.thresholds.spam: Input should be le"),
        ("moderation", {"thresholds": {"ham": 1}}, "options.thresholds: unknown category 'ham';"),
        ("classification", {"labels": "体育"}, "options.labels: one text must be the name of a"),
        ("classification", {"labels": ["a", 5]}, "options.labels[1]: Input should be a valid st"),
        ("preprocessing", {"parts": ["words"]}, "options.parts[0]: Input should be 'sentences'"),
        ("sentiment", {"x" * 10_000: 1}, "sentiment has no option 'xxx"),
        ("sentiment", {"model": "a\ud800"}, "options.model holds half of a surrogate pair"),
    ],
)
def test_a_wrong_option_is_told_in_plain_words(
    task: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        ADMISSION.admit("acme", request(task=task, options=options))
    assert str(caught.value).startswith(says)
    assert len(str(caught.value)) < 600


def test_an_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(UnknownTask, match="moderation"):
        ADMISSION.task("mind-reading")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_no_json_value_anywhere_raises_anything_else(value: Any) -> None:
    for field in ("task", "input", "inputs", "options", "priority", "ttl_seconds", "webhook"):
        try:
            ADMISSION.admit("acme", request(**{field: value}))
        except InvalidInput as error:
            assert error.param


def test_the_hash_tells_requests_apart() -> None:
    assert request().body_hash() == request().body_hash()
    assert request().body_hash() != request(priority="bulk").body_hash()


def test_good_urls_pass() -> None:
    for url in ("http://127.0.0.1:8080/hook?x=1", "https://xn--fsqu00a.test/"):
        assert check_webhook_url(url) == url


def test_a_corpus_must_be_there_before_anything_is_stored() -> None:
    asked: list[tuple[str, str]] = []

    def has_corpus(tenant: str, corpus: str) -> bool:
        asked.append((tenant, corpus))
        return corpus == "handbook"

    gate = Admission(find_tasks(), 4, has_corpus)
    good = JobRequest("similarity", input={"text": "a"}, options={"corpus": "handbook"})
    assert gate.admit("acme", good).payload.options == {"corpus": "handbook"}
    missing = JobRequest("similarity", inputs=[{"text": "a"}], options={"corpus": "none"})
    with pytest.raises(InvalidInput) as refused:
        gate.admit("acme", missing)
    assert (refused.value.param, refused.value.code) == ("options.corpus", "corpus_not_found")
    assert asked == [("acme", "handbook"), ("acme", "none")]
    # Where nobody can tell, a worker finds out.
    assert ADMISSION.admit("acme", missing).task == "similarity"
    assert good.reads_store and not request().reads_store
    with pytest.raises(InvalidInput) as refused:
        gate.admit("acme", request(options={"corpus": "handbook"}))
    assert refused.value.param == "options.corpus"
