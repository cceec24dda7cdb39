"""N-grams with their places: the features of a bag, each where it stands."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.features.gram_spans import canonical_mapped, gram_spans
from workers.features.ngrams import NgramSpec, bags, canonical

SPECS = [
    NgramSpec(1 << 16, (1, 4), (1, 2)),
    NgramSpec(1 << 4, (3, 5), (0, 0)),  # so few buckets that n-grams meet
    NgramSpec(1 << 16, (0, 0), (1, 3)),
]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text("ab @&;#x3lt.İΣß好，😀\n", max_size=30),
)


@pytest.mark.parametrize("spec", SPECS)
@given(TEXTS)
@example("")
@example("tea tea 茶茶茶")
def test_occurrences_add_up_to_the_bag(spec: NgramSpec, text: str) -> None:
    found = gram_spans(canonical(text), spec)
    summed: dict[int, float] = defaultdict(float)
    for bucket, weight in zip(found.buckets.tolist(), found.weights.tolist(), strict=True):
        summed[bucket] += weight
    bag = bags([text], spec)
    assert sorted(summed) == bag.indices.tolist()
    for bucket, weight in zip(bag.indices.tolist(), bag.weights.tolist(), strict=True):
        assert summed[bucket] == pytest.approx(weight, rel=1e-5)


@given(TEXTS)
def test_equal_spans_hold_equal_grams(text: str) -> None:
    folded = f" {canonical(text)} "
    found = gram_spans(canonical(text), NgramSpec(1 << 30, (1, 4), (0, 0)))
    by_gram: dict[str, set[int]] = defaultdict(set)
    for bucket, start, end in zip(found.buckets, found.starts, found.ends, strict=True):
        assert -1 <= start < end <= len(folded) - 1
        by_gram[folded[start + 1 : end + 1]].add(int(bucket))
    assert all(len(buckets) == 1 for buckets in by_gram.values())


@given(TEXTS)
@example("ΑΣ ΣΑ.")
@example("See https://a.example/x?b=c&amp;d @ada_1 &lt;b&gt; &#x4f60;&#22909")
@example("İstanbul")
def test_the_map_makes_the_canonical_text_and_stays_in_order(text: str) -> None:
    found = canonical_mapped(text)
    assert found.text == canonical(text)
    assert len(found.starts) == len(found.ends) == len(found.text)
    assert list(found.starts) == sorted(found.starts)
    assert list(found.ends) == sorted(found.ends)
    for one, start, end in zip(found.text, found.starts, found.ends, strict=True):
        assert 0 <= start <= end <= len(text)
        assert one == " " or text[start:end].strip()


def test_folded_characters_know_where_they_came_from() -> None:
    text = "@Ada 说 &amp; HTTPS://x.y"
    found = canonical_mapped(text)
    assert found.text == "@ 说 & https : / / x . y"
    places = [text[slice(*found.span(place, place + 1))] for place in (0, 2, 4, 6)]
    assert places == ["@Ada", "说", "&amp;", "H"]
