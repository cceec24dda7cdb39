"""The four steps from raw text to a continued prompt, on a text of a few kilobytes."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.support.models import one_thread
from workers.training import generation
from workers.training.decoder.checkpoint import CHECKPOINT, read_facts
from workers.training.decoder.shards import Shards
from workers.training.decoder.trainer import Progress
from workers.training.generation import CORPUS, MODEL, RUN, TOKENS, main

DAYS = ("今天", "明天", "昨天", "Today", "Tomorrow")
SKIES = ("天气很好。", "下雨了。", "我们去公园。", "was fine.", "it will rain.")
TRAIN = ["train", "--width", "32", "--layers", "1", "--context", "24", "--batch", "2"]
TRAIN += ["--warmup", "5"]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first two steps were made."""
    folder = tmp_path_factory.mktemp("steps")
    text = folder / "text.txt"
    lines = [
        f"{day} {sky} {number}"
        for day, sky in itertools.product(DAYS, SKIES)
        for number in range(9)
    ]
    text.write_text("\n\n".join(lines), encoding="utf-8")
    assert main(["prepare", "--text", str(text), "--work", str(folder), "--dev-share", "0.2"]) == 0
    assert main(["preprocess", "--work", str(folder), "--vocabulary", "320"]) == 0
    return folder


def train(work: Path, into: Path, *more: str) -> int:
    """Train in ``into`` with the tokens of ``work``."""
    into.mkdir(exist_ok=True)
    if not (into / TOKENS).exists():
        (into / TOKENS).symlink_to(work / TOKENS)
    return main([*TRAIN, "--work", str(into), *more])


def test_four_steps_lead_to_a_model_that_goes_on_from_a_prompt(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = Shards(work / TOKENS).parts
    assert set(parts) == {"train", "dev-en", "dev-zh"}
    assert train(work, tmp_path, "--steps", "30", "--interval", "10", "--rate", "0.01") == 0
    said = capsys.readouterr().err
    assert "step 30 of 30" in said
    assert "dev perplexity en" in said
    assert main(["generate", "今天", "--work", str(tmp_path), "--max-tokens", "12"]) == 0
    written = capsys.readouterr()
    assert written.out.startswith("今天")
    assert len(written.out) > len("今天\n")
    assert "tokens, " in written.err


def test_the_folder_is_an_ordinary_one_of_hugging_face(work: Path, tmp_path: Path) -> None:
    assert train(work, tmp_path, "--steps", "10", "--family", "qwen2") == 0
    folder = tmp_path / MODEL
    assert {one.dtype for one in load_file(folder / "model.safetensors").values()} == {
        torch.float16
    }
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == 2
    network = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert network.config.model_type == "qwen2"
    ids = tokenizer("今天", return_tensors="pt")
    assert ids["input_ids"][0, 0] == tokenizer.bos_token_id
    assert network(**ids).logits.shape[-1] == len(tokenizer)


def test_a_seed_gives_the_same_weights_however_often_it_was_cut_off(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    common = ("--steps", "12", "--interval", "3")
    assert train(work, whole, *common) == 0

    def interrupt(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(generation, "tell", interrupt)
        assert train(work, parts, *common) == 130
        assert train(work, parts, *common, "--resume") == 130
    assert "stopped at step 6; the same command with --resume goes on" in capsys.readouterr().err
    facts = read_facts(parts / RUN)
    assert facts is not None
    assert facts["step"] == 6
    assert not (parts / MODEL).exists()
    assert train(work, parts, *common, "--resume", "--until", "9") == 0
    assert "step 9 of 12" in capsys.readouterr().err
    assert train(work, parts, *common, "--resume") == 0
    name = f"{MODEL}/model.safetensors"
    assert (parts / name).read_bytes() == (whole / name).read_bytes()
    other = tmp_path / "other"
    assert train(work, other, *common, "--seed", "8") == 0
    assert (other / name).read_bytes() != (whole / name).read_bytes()


def test_a_training_is_not_overwritten_nor_mixed_with_another(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("--steps", "10", "--interval", "5")
    assert train(work, tmp_path, *common, "--resume") == 2
    assert "has no checkpoint; leave out --resume" in capsys.readouterr().err
    assert train(work, tmp_path, *common) == 0
    before = (tmp_path / RUN / CHECKPOINT).read_bytes()
    for more, says in (
        ((), "has a checkpoint at step 10"),
        (("--resume", "--rate", "0.5"), "made with other settings"),
        (("--resume", "--steps", "20"), "can be changed until step 6"),
    ):
        assert train(work, tmp_path, *common, *more) == 2
        assert says in capsys.readouterr().err
    assert (tmp_path / RUN / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["preprocess", "--work", "{}"], "run the step prepare first"),
        (["train", "--work", "{}"], "run the step preprocess first"),
        (["generate", "--work", "{}"], "run the step train first"),
        (["prepare", "--text", "{}/away.txt", "--work", "{}"], "away.txt does not exist"),
        (["prepare", "--data", "{}", "--work", "{}"], "lacks 4 data set"),
    ],
)
def test_a_step_says_what_it_lacks(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([one.format(tmp_path) for one in arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["preprocess", "--vocabulary", "100"],
        ["preprocess", "--vocabulary", "70000"],
        ["train", "--width", "33"],
        ["train", "--steps", "0"],
        ["prepare", "--text", "a", "--dev-share", "1"],
        ["prepare"],
    ],
)
def test_wrong_settings_are_named(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main([*wrong, "--work", str(tmp_path)])
    assert exited.value.code == 2
    assert (wrong[-2] if len(wrong) > 1 else "--text") in capsys.readouterr().err


def test_nothing_to_hold_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("只有一句。", encoding="utf-8")
    assert main(["prepare", "--text", str(text), "--work", str(tmp_path)]) == 2
    assert "both parts need documents" in capsys.readouterr().err
    assert (tmp_path / CORPUS).exists()
