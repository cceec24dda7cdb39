"""Hashed features: the same for a word whatever else is in the batch."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.tagging.features import FEATURES, buckets_of, shape_of

BUCKETS = 1 << 12
WORDS = st.tuples(st.text(max_size=6), st.sampled_from(["", "n", "v"]))
SENTENCES = st.lists(st.lists(WORDS, max_size=6), max_size=5)


@given(SENTENCES)
def test_a_sentence_has_the_same_features_alone(
    sentences: list[list[tuple[str, str]]],
) -> None:
    together = buckets_of(sentences, BUCKETS)
    alone = [buckets_of([one], BUCKETS) for one in sentences]
    assert together.shape == (sum(map(len, sentences)), FEATURES)
    assert np.array_equal(together, np.concatenate([np.zeros((0, FEATURES), np.int32), *alone]))
    assert ((together >= 0) & (together < BUCKETS)).all()


def test_neighbours_two_places_away_are_seen_and_no_others() -> None:
    words = [(word, "") for word in "abcdef"]
    changed = [*words[:5], ("other", "")]
    differs = (buckets_of([words], BUCKETS) != buckets_of([changed], BUCKETS)).any(axis=1)
    assert differs.tolist() == [False, False, False, True, True, True]


def test_the_extra_key_counts() -> None:
    plain, kind = buckets_of([[("走", "")]], BUCKETS), buckets_of([[("走", "v")]], BUCKETS)
    assert (plain != kind).any()


def test_shapes() -> None:
    assert [shape_of(word) for word in ("iPhone", "ÀÉ", "3.5", "北京A", "--")] == [
        "xXxx",
        "XX",
        "0.0",
        "hhX",
        "--",
    ]
