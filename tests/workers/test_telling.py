"""Texts told while they are written, in this process and by ``lepton run``."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_tasks.embedded.commands import lepton_command
from lepton_tasks.nlp.registry import get_task
from tests.support.models import one_thread, save_decoder
from tests.support.upstream import upstream
from workers.catalogue.entries import CatalogueEntry
from workers.engines.loader import load_engine
from workers.errors import ModelError
from workers.generation.engine import DecoderEngine, build_decoder
from workers.generation.writing import WritingEngine
from workers.offline import answer_all
from workers.telling import tell

PATIENCE = 120.0
TASK = get_task("generation")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_decoder(tmp_path_factory.mktemp("decoder") / "model")


@pytest.fixture
def engine(folder: Path) -> DecoderEngine:
    entry = CatalogueEntry(name="tiny", task="generation", engine="decoder", folder=folder)
    return build_decoder(entry, torch.device("cpu"))


def options(**given: Any) -> Any:
    return TASK.options_model.model_validate({"stream": True, **given})


class Pieces(io.StringIO):
    """Keeps what is written piece by piece, and interrupts at the piece ``at``."""

    def __init__(self, at: int = -1) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._at = at

    def write(self, text: str) -> int:
        self.pieces.append(text)
        if len(self.pieces) == self._at:
            raise KeyboardInterrupt
        return super().write(text)


def test_pieces_make_the_text_and_come_before_it_has_ended(engine: DecoderEngine) -> None:
    out = Pieces()
    [output] = tell(TASK, engine, ["今天"], options(max_tokens=30), out)
    assert out.getvalue() == f"{output.text}\n"  # type: ignore[attr-defined]
    assert len(out.pieces) > 5
    assert [output] == answer_all(TASK, engine, ["今天"], options(max_tokens=30))


def test_several_texts_come_one_after_the_other(engine: DecoderEngine) -> None:
    out = Pieces()
    first, second = (one.text for one in tell(TASK, engine, ["a", "b"], options(max_tokens=9), out))  # type: ignore[attr-defined]
    assert out.getvalue() == f"[1]\n{first}\n\n[2]\n{second}\n"


def test_an_interrupt_ends_the_line_and_the_writing(engine: DecoderEngine) -> None:
    out = Pieces(at=3)
    with pytest.raises(KeyboardInterrupt):
        tell(TASK, engine, ["今天"], options(max_tokens=60), out)
    assert out.pieces[-1] == "\n"
    assert tell(TASK, engine, ["今天"], options(max_tokens=2), Pieces())  # its model is free again


def test_a_text_of_another_server_is_told_as_it_comes() -> None:
    with upstream() as server:
        server.gate.set()
        entry = CatalogueEntry(
            name="theirs",
            task="generation",
            engine="openai-upstream",
            options={"url": server.url, "model": "large"},
        )
        engine = load_engine("generation", {"theirs": entry}, "cpu", "theirs")
        assert isinstance(engine, WritingEngine)
        out = Pieces()
        [output] = tell(TASK, engine, ["say 今天 hello"], options(max_tokens=9), out)
    assert out.getvalue() == f"{output.text}\n" != "\n"  # type: ignore[attr-defined]


def test_what_cannot_be_written_is_raised(engine: DecoderEngine) -> None:
    with pytest.raises(ModelError, match="max_tokens"):
        tell(TASK, engine, ["今天"], options(max_tokens=8_192), Pieces())


def test_a_stream_of_the_command_is_bare_text_and_an_interrupt_ends_it(tmp_path: Path) -> None:
    folder = save_decoder(tmp_path / "model", max_position_embeddings=4_096)
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(
        f'[tiny]\ntask = "generation"\nengine = "decoder"\ndefault = true\nfolder = "{folder}"\n'
    )
    changed = {"LEPTON_HOME": str(tmp_path), "LEPTON_CATALOGUES": str(catalogue)}
    run = subprocess.Popen(
        lepton_command("run", "generation", "今天", "--stream", "--option", "max_tokens=4000"),
        env={**os.environ, **changed},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout is not None
    first = run.stdout.read(1)
    run.send_signal(signal.SIGINT)
    rest, said = run.communicate(timeout=PATIENCE)
    assert first and run.returncode == 130, said
    assert b"Traceback" not in said
    assert (first + rest).endswith(b"\n") and b"tiny" not in first + rest
