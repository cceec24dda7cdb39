"""Measuring editing: slips by their own tables, and the page's section on a few sentences."""

from __future__ import annotations

import json
import random
from pathlib import Path

from workers.quality.editing import measure
from workers.quality.editing_slips import SLIPS, TYPOS
from workers.training.datasets import AG_NEWS, BANKING, COLD, TATOEBA, WAIMAI
from workers.training.editing import CROSSWOZ, CSL, SCITLDR

EN = "The friend of the dog, who went to the garden, is believed to be there."
ZH = "我们今天去公园，因为天气很好。"


def test_every_slip_changes_a_sentence_and_is_the_same_for_a_seed() -> None:
    for language, text in (("en", EN), ("zh", ZH)):
        for kind, slip in SLIPS[language].items():
            wrong = [slip(text, random.Random(seed)) for seed in range(20)]
            assert any(wrong), kind
            assert text not in wrong
            assert wrong == [slip(text, random.Random(seed)) for seed in range(20)]
            assert slip("?", random.Random(1)) is None
    assert {*SLIPS["en"], *SLIPS["zh"]} > TYPOS


def test_a_section_on_a_few_sentences(tmp_path: Path) -> None:
    rows = {
        TATOEBA.name: {"en": EN, "zh": ZH},
        CROSSWOZ.name: {"turns": [{"text": ZH}]},
        **{one.name: {"text": EN} for one in (SCITLDR, BANKING, AG_NEWS)},
        **{one.name: {"text": ZH} for one in (CSL, COLD, WAIMAI)},
    }
    for name, row in rows.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "dev.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    page = measure(tmp_path)
    assert page.startswith("## Editing\n")
    assert "| en | all | 4 | 0.0% |" in page
    assert "| zh | all | 5 | 0.0% |" in page
    assert "| zh | word repeated | 5 | 100.0% |" in page
