"""Measuring redaction: how spans are counted, what is generated, and the page's section."""

from __future__ import annotations

import json
from pathlib import Path

from workers.quality.redaction import count, measure
from workers.quality.redaction_samples import make_samples


def test_a_span_is_right_with_its_type_and_both_ends() -> None:
    tallies = count(
        [{("email", 0, 5), ("phone", 7, 9)}, set()], [{("email", 0, 5), ("phone", 7, 8)}, set()]
    )
    assert (tallies["email"].f1, tallies["phone"].f1, tallies["all"].f1) == (1.0, 0.0, 0.5)


def test_samples_are_the_same_for_a_seed_and_hold_their_numbers() -> None:
    samples = make_samples(20, 3)
    assert samples == make_samples(20, 3) != make_samples(20, 4)
    assert len(samples) == 80
    assert all(len(one.text[one.start : one.end]) >= 10 for one in samples)


def test_a_section_on_a_small_set(tmp_path: Path) -> None:
    text = "my card is 4111111111111111"
    row = {"text": text, "spans": [{"type": "CREDIT_CARD", "start": 11, "end": 27}]}
    (tmp_path / "pii_presidio").mkdir()
    for split in ("train", "dev"):
        (tmp_path / "pii_presidio" / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    page = measure(tmp_path)
    assert page.startswith("## Redaction\n")
    assert "| dev (1 texts) | all | 1 | 0 | 0 | 1.000 |" in page
