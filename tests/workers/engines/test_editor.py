"""The editing engine over the shipped weights: both languages, what it leaves, broken folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.editing import Editing, EditingOptions, EditingOutput
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.editor import build_editor
from workers.engines.folder import read_folder
from workers.errors import ModelRefused
from workers.offline import answer_all, shipped_engine

TASK = Editing()
PIECES = (
    "teh  cat ,sat on on the mat. i dont know",
    "我们我们去公圆,好吗?",
    "他門昨天去了公園",
    "ＡＢ，cd",
    "a an hour",
    "`x  y`",
    "me@x.org",
    "3.14",
    "😀",
    " ",
    "\n",
    "，，",
    "..",
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return shipped_engine("editing")


def edited(engine: Engine, text: str, **options: object) -> EditingOutput:
    [output] = answer_all(TASK, engine, [text], EditingOptions.model_validate(options))
    assert isinstance(output, EditingOutput)
    return output


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("i has a  apple", "I have an apple"),
        ("I beleive that she went to the store yesteday.",
         "I believe that she went to the store yesterday."),
        ("今天天汽很好,我们去散步.", "今天天气很好，我们去散步。"),
        ("我们我们明天见。", "我们明天见。"),
    ],
)  # fmt: skip
def test_typos_and_rules_together(engine: Engine, text: str, wanted: str) -> None:
    assert edited(engine, text).text == wanted


def test_the_script_of_the_text_is_kept(engine: Engine) -> None:
    assert edited(engine, "今天天汽很好，我們去散步。").text == "今天天氣很好，我們去散步。"


@pytest.mark.parametrize(
    "text",
    [
        "Bonjour, je suis allé au marché hier avec mes amis pour acheter des pommes.",
        "今日は良い天気ですね、公圆へ行きます。",
        "Привет , мир",
        "Mr Smyth and Ms Whyte met Jhon in Pariss.",
        "See https://exampel.com/teh,file or mail recieve@exampel.org, @freind #beleive.",
        "Run `recieve  teh` and my_recieve(), teh.py too.",
        "好的，请看recieve_teh。",
        "REF RECIEVE 12,5 / 3.14 😀👍🏽",
    ],
)
def test_what_is_left_alone(engine: Engine, text: str) -> None:
    assert edited(engine, text).edits == []


def test_protected_terms_and_one_language_alone(engine: Engine) -> None:
    text = "I beleive teh cat. 今天天汽很好,是吧."
    assert "beleive" in edited(engine, text, protect=["beleive"]).text
    assert "天汽" in edited(engine, text, language="en").text
    assert "beleive" in edited(engine, text, language="zh").text


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=5), st.sampled_from(["fix", "formal", "shorten"]))
def test_edits_make_the_text_for_any_mixture(
    engine: Engine, parts: list[str], instruction: str
) -> None:
    text = " ".join(parts) + "x"
    output = edited(engine, text, instruction=instruction)
    at, made = 0, ""
    for one in output.edits:
        assert at <= one.start <= one.end and text[one.start : one.end] == one.before != one.after
        made += text[at : one.start] + one.after
        at = one.end
    assert output.text == made + text[at:]
    assert all(kept in output.text for kept in ("`x  y`", "me@x.org", "3.14", "😀") if kept in text)


def test_batched_is_as_alone(engine: Engine) -> None:
    inputs = [TASK.encode(one, EditingOptions()) for one in PIECES]
    together = engine.forward(engine.tokenize(inputs))
    for one, raw in zip(inputs, together, strict=True):
        assert list(engine.forward(engine.tokenize([one]))) == [raw]
    assert engine.lane.tunable is False
    with pytest.raises(TypeError, match="editing takes EditingInput, not ModelInput"):
        engine.tokenize([ModelInput("text", "en")])


def test_long_texts_are_edited_whole(engine: Engine) -> None:
    text = "I beleive you. " * 1_333
    output = edited(engine, text)
    assert "beleive" not in output.text
    assert len(output.edits) == text.count("beleive")


def test_folders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    shipped = read_catalogue(DEFAULT_CATALOGUE)["editing"].model_folder
    folder = Path(shutil.copytree(shipped, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for change, says in (
        ({"format": 0}, "is of format 0"),
        ({"thresholds": {"en": 1}}, r"config.json has no thresholds\.zh"),
        ({"total": "many"}, "could not convert"),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **change}), encoding="utf-8")
        with pytest.raises(ModelRefused, match=says):
            build_editor("editing", read_folder(folder))
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors")
    for missing in ("en.words.rest", "zh.counts.low", "zh.scorer.bias1", "zh.confusions.meant"):
        kept = {name: one for name, one in tensors.items() if name != missing}
        save_file(kept, folder / "model.safetensors")
        with pytest.raises(ModelRefused, match=f"tensor {missing} is missing"):
            build_editor("editing", read_folder(folder))
