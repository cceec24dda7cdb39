"""The training command of vectors, on a few lines written here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lepton_tasks.nlp.base import ModelInput
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.loader import load_engine
from workers.features.ngrams import NgramSpec, bags
from workers.training.embedding import (
    PLAIN,
    SPEC,
    STS_EN,
    STS_ZH,
    fit_curve,
    main,
    make_model,
    ngram_weights,
    save_folder,
)
from workers.training.vectors import default_encoder


def write_data(data: Path) -> None:
    """Lay out every data set with lines of our own."""
    pairs_zh = [("我喝茶", "我爱喝茶", 4.5), ("我喝茶", "银行关门了", 0.0), ("茶", "茶", 5.0)]
    pairs_en = [("I drink tea", "I like tea", 4.0), ("I drink tea", "The bank shut", 0.2)]
    rows: dict[str, list[dict[str, object]]] = {
        STS_ZH.name: [{"text": a, "text2": b, "score": score} for a, b, score in pairs_zh],
        STS_EN.name: [{"text": a, "text2": b, "score": score} for a, b, score in pairs_en],
    }
    for source, field in PLAIN:
        rows[source.name] = [{field: text} for text in ("我的茶", "你的咖啡", "銀行的門")]
    for name, lines in rows.items():
        (data / name).mkdir(parents=True)
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        (data / name / "train.jsonl").write_text(text, encoding="utf-8")


def test_make_save_load_and_run(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    weights, curves = make_model(tmp_path / "data", default_encoder("embedding"), None)
    assert set(curves) == {"encoder", "ngrams"}
    save_folder(tmp_path / "model", weights, curves, SPEC, {"seed": 7})
    shipped = read_catalogue(DEFAULT_CATALOGUE)["embedding"]
    entry = shipped.model_copy(update={"folder": tmp_path / "model"})
    engine = load_engine("embedding", {"embedding": entry}, "cpu")
    english, chinese = engine.forward(
        engine.tokenize([ModelInput("tea", "en"), ModelInput("茶", "zh")])
    )
    assert english["space"] != chinese["space"]
    assert chinese["space"].endswith(engine.revision)


def test_rare_ngrams_count_more() -> None:
    spec = NgramSpec(1 << 12, (1, 1), (0, 0))
    weights = ngram_weights(["我的茶", "你的咖啡", "银行的门"], spec, 1.0)
    common, rare = (int(weights[bags([one], spec).indices].max()) for one in ("的", "茶"))
    assert common < rare < int(weights.max()) == 255


def test_pairs_of_characters_count_less_than_single_ones() -> None:
    spec = NgramSpec(1 << 16, (1, 2), (0, 0))
    weights = ngram_weights(["我的茶"], spec, 0.5)
    single = NgramSpec(1 << 16, (1, 1), (0, 0))
    unseen = bags(["咖啡"], spec).indices
    assert int(weights[unseen].max()) == 128
    assert int(weights[bags(["我的茶"], single).indices].max()) == 0  # in every text


def test_the_curve_is_found_again() -> None:
    cosines = np.linspace(-0.2, 1.0, 200)
    curve = fit_curve(cosines, fit_curve(cosines, cosines.clip(0, 1))(cosines))
    again = fit_curve(cosines, curve(cosines))
    assert (again.slope, again.shift) == pytest.approx((curve.slope, curve.shift), abs=0.01)


def test_missing_data_exits_2_naming_the_sets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    for source in (STS_EN, STS_ZH, *(source for source, _ in PLAIN)):
        assert source.name in said
