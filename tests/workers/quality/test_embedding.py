"""The sections on vectors over a few lines written here; the figures mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.quality import embedding, recommendation, similarity
from workers.training.datasets import DataMissing

SENTENCES = {
    "en": ["I drink tea", "I like to drink tea", "The bank was shut", "The tea is in the bank"],
    "zh": ["我喝茶", "我爱喝茶", "银行关门了", "银行里有茶"],
}
TOPICS = {"tea": "a cup of tea number {}", "bank": "the bank account number {}"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")

    def write(name: str, rows: list[dict[str, object]]) -> None:
        (folder / name).mkdir()
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        for part in ("train", "dev"):
            (folder / name / f"{part}.jsonl").write_text(text, encoding="utf-8")

    for language, (first, *others) in SENTENCES.items():
        write(
            f"sts_{language}",
            [
                {"text": first, "text2": other, "score": 5.0 - 2 * place}
                for place, other in enumerate(others)
            ],
        )
        joined = ("" if language == "zh" else " ").join(SENTENCES[language])
        name = {"en": "sum_scitldr", "zh": "sum_csl_zh"}[language]
        write(name, [{"text": f"{joined} {number}."} for number in range(3)])
    rows: list[dict[str, object]] = [
        {"text": text.format(number), "label": label}
        for label, text in TOPICS.items()
        for number in range(30)
    ]
    write("cls_banking77", rows)
    write("cls_csl_zh", rows)
    return folder


@pytest.mark.parametrize(
    ("measure", "title", "rows"),
    [
        (embedding.measure, "## Embedding\n", 8),
        (similarity.measure, "## Similarity\n", 4),
    ],
)
def test_a_section_has_a_row_for_every_measurement(
    data: Path, measure: Callable[[Path], str], title: str, rows: int
) -> None:
    section = measure(data)
    assert section.startswith(title)
    assert (
        sum(line.startswith(("| STS", "| SciTLDR", "| CSL")) for line in section.splitlines())
        == rows
    )


def test_a_ranking_is_measured_beside_popularity_and_chance(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendation, "_USERS", 4)
    section = recommendation.measure(data)
    for order in ("recommendation", "popularity", "random"):
        assert section.count(f"| 4 | {order} |") == 2


def test_a_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="sts_en"):
        embedding.measure(tmp_path)
