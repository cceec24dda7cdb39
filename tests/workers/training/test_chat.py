"""Training the retrieval chat model on a few dialogues written here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.chat import Chat, ChatOptions
from workers.engines.folder import read_folder
from workers.engines.retrieval_chat import DIALOGUES, build_retrieval_chat
from workers.features.dialogues import Context, folded
from workers.training.chat import CROSSWOZ, main, pairs, train

KINDS = {
    "门票多少钱": "门票{}元。",
    "电话是多少": "电话是010-{}。",
    "几点开门": "早上{}点开门。",
    "怎么过去": "坐{}号线地铁。",
}
PLACES = [f"{side}{kind}" for side in "东西南北中新老大小古" for kind in "山湖塔寺园桥街城"]
ROWS = [
    {
        "turns": [
            {"role": "user", "text": f"推荐一个景点{number}"},
            {"role": "system", "text": f"推荐{place}。"},
            {"role": "user", "text": f"{place}{asked}？"},
            {"role": "system", "text": answer.format(number)},
        ]
    }
    for number, place in enumerate(PLACES, 3)
    for asked, answer in KINDS.items()
]


def write_data(data: Path) -> Path:
    (data / CROSSWOZ.name).mkdir(parents=True)
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    (data / CROSSWOZ.name / "train.jsonl").write_text(lines, encoding="utf-8")
    return data


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same model made twice."""
    data = write_data(tmp_path_factory.mktemp("data"))
    made = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for out in made:
        assert main(["--data", str(data), "--out", str(out)]) == 0
    return made


def test_the_same_seed_makes_the_same_model(folders: list[Path]) -> None:
    for name in ("config.json", "model.safetensors", DIALOGUES):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    other = train(pairs(ROWS), 8)
    assert not torch.equal(other["last"], train(pairs(ROWS), 7)["last"])


def test_the_scorer_learns_which_answer_belongs_to_which_question(folders: list[Path]) -> None:
    scorer = build_retrieval_chat("tiny", read_folder(folders[0])).scorer
    answers = scorer.answers([folded(answer.format(9)) for answer in KINDS.values()])
    for place, asked in enumerate(KINDS):
        [vector] = scorer.contexts([Context.of([f"雍和宫{asked}？"])])
        assert int((answers @ vector).argmax()) == place


def test_it_answers_with_what_was_stored(folders: list[Path]) -> None:
    engine, task = build_retrieval_chat("tiny", read_folder(folders[0])), Chat()
    given = task.encode(task.read_item(task.from_text("古湖门票多少钱？")), ChatOptions())
    [raw] = engine.forward(engine.tokenize([given]))
    assert raw["text"] == "门票76元。"
    stored = json.loads((folders[0] / DIALOGUES).read_text(encoding="utf-8"))
    assert ["古湖门票多少钱？", "门票76元。"] in stored["dialogues"]["zh"]
    assert set(stored["small_talk"]) == set(stored["unknown"]) == {"en", "zh"}


def test_missing_data_exits_2_naming_set_and_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert CROSSWOZ.name in said and CROSSWOZ.source in said
