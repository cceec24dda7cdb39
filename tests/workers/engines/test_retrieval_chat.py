"""The chat model that ships, and folders that do not fit its engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.chat import Chat, ChatInput, ChatOptions
from lepton_tasks.nlp.retrieval import FoundPassage
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.folder import read_folder
from workers.engines.loader import load_engine
from workers.engines.retrieval_chat import DIALOGUES, build_retrieval_chat, count_units, quantised
from workers.errors import ModelRefused

TASK = Chat()


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("chat", read_catalogue(DEFAULT_CATALOGUE), "cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model that a test may spoil."""
    shipped = read_catalogue(DEFAULT_CATALOGUE)["chat"].model_folder
    return Path(shutil.copytree(shipped, tmp_path / "model"))


def dialogue(*said: str, system: str | None = None) -> ChatInput:
    roles = [("user", "assistant")[(len(said) - 1 - place) % 2] for place in range(len(said))]
    messages = [
        {"role": role, "content": content} for role, content in zip(roles, said, strict=True)
    ]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    return TASK.encode(TASK.read_item({"messages": messages}), ChatOptions())


def answers(engine: Engine, *inputs: ChatInput) -> list[Any]:
    return list(engine.forward(engine.tokenize(inputs)))


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("Hello! How are you?", "fine"),
        ("THANKS A LOT!!", "welcome"),
        ("ｔｅｌｌ me a joke please", "librarian"),
        ("你好！", "你好"),
        ("謝謝你", "不客气"),
        ("講個笑話", "图书馆"),
        ("请问这个景点的门票多少钱？", "门票"),
        ("它的电话是多少？", "010"),
    ],
)
def test_it_knows_small_talk_and_travel(engine: Engine, said: str, part: str) -> None:
    [found] = answers(engine, dialogue(said))
    assert part in found["text"] and found["found"]
    assert 0.25 <= found["score"] <= 1.0


@pytest.mark.parametrize("said", ["Who won the cup in 1974?", "什么是量子力学？", "Привет", "😀"])
def test_what_it_does_not_know_it_says(engine: Engine, said: str) -> None:
    [found] = answers(engine, dialogue(said))
    assert not found["found"] and found["score"] < 0.55
    assert found["text"].startswith("抱歉" if "什么" in said else "I am sorry")


def test_together_as_alone_and_a_system_message_is_left_out(engine: Engine) -> None:
    inputs = [
        dialogue("你好"),
        dialogue("推荐个景点吧", "故宫很不错。", "门票多少钱？"),
        dialogue("推荐个景点吧", "故宫很不错。", "门票多少钱？", system="你是一只猫。"),
        dialogue("good morning 早上好"),
        dialogue("长" * 3_000),
    ]
    together = answers(engine, *inputs)
    assert together == [answers(engine, one)[0] for one in inputs]
    assert together[1] == together[2]
    assert together[4]["prompt_tokens"] == 3_000


def test_what_was_said_before_decides_between_answers(engine: Engine) -> None:
    before = ["你好，我想找一家酒店。", "北京天泰宾馆很不错。"]
    alone, after = answers(engine, dialogue("好的，谢谢"), dialogue(*before, "它的地址在哪里？"))
    assert alone["text"] != after["text"]
    assert "北京" in after["text"]


FOUND = (
    FoundPassage("bridge", "It is forty metres long. The old bridge was built in 1871.", 7),
    FoundPassage("图书馆", "藏书六万册。图书馆于1904年开放。图书馆每周一闭馆。", 0),
)


def asked(*said: str, found: tuple[FoundPassage, ...] = FOUND) -> ChatInput:
    messages = [{"role": "user", "content": one} for one in said]
    item = TASK.read_item({"messages": messages})
    return TASK.encode_found(item, found, ChatOptions(corpus="handbook"))


@pytest.mark.parametrize(
    ("question", "document", "answer", "start"),
    [
        ("When was the bridge built?", "bridge", "The old bridge was built in 1871.", 32),
        ("图书馆是哪一年开放的？", "图书馆", "图书馆于1904年开放。", 6),
        ("圖書館每周一開放嗎？", "图书馆", "图书馆每周一闭馆。", 18),
    ],
)
def test_documents_answer_with_a_sentence_and_its_place(
    engine: Engine, question: str, document: str, answer: str, start: int
) -> None:
    given = asked("Hello!", question)
    [raw] = answers(engine, given)
    found = TASK.decode(raw, given, ChatOptions(corpus="handbook"))
    assert found.message.content == answer and raw["found"]
    [source] = found.sources
    assert (source.document, source.start, source.end) == (document, start, start + len(answer))
    assert found.score is not None and 0.2 <= found.score <= 1.0


@pytest.mark.parametrize("found", [FOUND, ()])
@pytest.mark.parametrize(
    ("question", "says"),
    [("Who won the cup in 1974?", "I found nothing"), ("你好，什么是量子力学？", "没有找到")],
)
def test_what_the_documents_do_not_have_is_told(
    engine: Engine, question: str, says: str, found: tuple[FoundPassage, ...]
) -> None:
    given = asked(question, found=found)
    [raw] = answers(engine, given)
    output = TASK.decode(raw, given, ChatOptions(corpus="handbook"))
    assert says in output.message.content and not raw["found"]
    assert output.sources == []


def test_another_tasks_input_is_refused(engine: Engine) -> None:
    with pytest.raises(TypeError, match="chat takes ChatInput"):
        engine.tokenize([ModelInput("text", "en")])


def test_units_are_words_and_han_characters() -> None:
    assert count_units("我在 Beijing，since 2020。") == 5


def test_quantised_tables_are_near(folder: Path) -> None:
    table = torch.linspace(-3, 3, 50).reshape(10, 5)
    found = quantised({"last": table})
    assert found["last"].dtype == torch.int8
    assert torch.allclose(found["last"] * found["last.scale"], table, atol=3 / 127)
    assert quantised({"last": torch.zeros(2, 2)})["last"].tolist() == [[0, 0], [0, 0]]


def spoil_config(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_folders_that_do_not_fit_are_refused(folder: Path) -> None:
    good = (folder / "config.json").read_text()
    for changes in ({"buckets": 1000}, {"characters": 3}, {"width": None}):
        spoil_config(folder, **changes)
        with pytest.raises(ModelRefused, match=r"config\.json is incomplete or wrong"):
            build_retrieval_chat("chat", read_folder(folder))
    spoil_config(folder, width=16)
    (folder / "config.json").write_text(good.replace('"width": 32', '"width": 16'))
    with pytest.raises(ModelRefused, match=r"tensors last of shape \(4096, 16\)"):
        build_retrieval_chat("chat", read_folder(folder))
    (folder / "config.json").write_text(good)
    tensors = load_file(folder / "model.safetensors")
    del tensors["answer.scale"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelRefused, match="answer"):
        build_retrieval_chat("chat", read_folder(folder))


def test_changed_or_missing_dialogues_are_refused(folder: Path) -> None:
    file = folder / DIALOGUES
    file.write_bytes(file.read_bytes().replace("谢谢".encode(), "多谢".encode()))
    with pytest.raises(ModelRefused, match="not the file that"):
        build_retrieval_chat("chat", read_folder(folder))
    file.unlink()
    with pytest.raises(ModelRefused, match=f"{DIALOGUES} cannot be read"):
        build_retrieval_chat("chat", read_folder(folder))
