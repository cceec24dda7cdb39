"""``lepton models compress``: what is read and sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from lepton_tasks.cli import models
from lepton_tasks.errors import InvalidInput
from lepton_tasks.store.store import Store
from tests.support.cli import run_command


@pytest.fixture
def app(store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[typer.Typer]:
    """The commands, on a Redis and a store that no worker serves."""
    monkeypatch.setenv("LEPTON_REDIS_URL", redis_url)
    yield models.app


def test_a_compression_is_sent_with_the_sample_or_a_file(
    app: typer.Typer, store: Store, tmp_path: Path
) -> None:
    sent = run_command(app, "compress", "sentiment", "--detach")
    assert sent.exit_code == 0, sent.output
    [claim] = store.claims.claim("w1", [sent.stdout.strip()])
    texts = claim.payload.inputs[0]["texts"]
    assert len(texts) == len(set(texts)) == 400
    assert any(text.isascii() for text in texts) and not all(text.isascii() for text in texts)
    assert claim.payload.options["to"] == "int8"
    lines = tmp_path / "句子.txt"
    lines.write_text("很好\r\n\n  \nfine " + "\n早" * 2_100, encoding="utf-8")
    asked = ["compress", "sentiment", "--to", "fp16", "--max-drift", "0.02", "--serve"]
    sent = run_command(app, *asked, "--texts", str(lines), "--detach")
    [claim] = store.claims.claim("w1", [sent.stdout.strip()])
    texts = claim.payload.inputs[0]["texts"]
    assert texts[:3] == ["很好", "fine ", "早"] and len(texts) == 2_000
    assert claim.payload.options == {
        "model": "sentiment",
        "to": "fp16",
        "max_drift": 0.02,
        "max_flips": 0.01,
        "serve": True,
    }


def test_what_is_wrong_is_told_before_anything_is_sent(
    app: typer.Typer, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=r"options\.to"):
        run_command(app, "compress", "sentiment", "--to", "int4", "--detach")
    with pytest.raises(InvalidInput, match="cannot be read"):
        run_command(app, "compress", "sentiment", "--texts", str(tmp_path / "none"))
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"label": "b"}')
    with pytest.raises(InvalidInput, match="line 2"):
        run_command(app, "compress", "sentiment", "--texts", str(tmp_path / "bad.jsonl"))
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InvalidInput, match="at least 1 item"):
        run_command(app, "compress", "sentiment", "--texts", str(tmp_path / "empty.txt"))
    assert store.jobs.page("default") == []
