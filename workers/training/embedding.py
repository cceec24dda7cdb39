"""Make the default model of vectors: ``python -m workers.training.embedding --data DIR``.

Two things are learned: how much each hashed n-gram of Chinese counts (inverse document
frequency over plain texts), and per space a curve from cosines to the likeness that
people gave to pairs of sentences. The encoder is taken as it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from scipy.optimize import least_squares

from lepton_tasks.nlp.clean import clean_text
from workers.engines.calibration import Calibration
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import CONFIG, WEIGHTS
from workers.features.han import simplified_characters
from workers.features.ngram_vectors import NgramVectors
from workers.features.ngrams import NgramSpec, bags
from workers.training.command import say, training_parser
from workers.training.datasets import COLD, TATOEBA, DataMissing, DataSet, require
from workers.training.vectors import default_encoder, encode_all

DEFAULT_OUT: Final = Path(__file__).parent.parent / "models" / "embedding"
SPEC: Final = NgramSpec(1 << 16, (1, 2), (0, 0))
WIDTH: Final = 1024
LONGER: Final = 0.35
"""What an n-gram of two characters counts beside one of a single character, equally rare."""
_TEXTS_AT_ONCE: Final = 2_000
_STEPS: Final = 255
_STARS: Final = 5.0

_PAIRS = '{"text": …, "text2": …, "score": 0 to 5}'
CSL = DataSet(
    "cls_csl_zh", "https://github.com/ydli-ai/CSL", "Apache-2.0", '{"text": …, "label": …}'
)
STS_EN = DataSet(
    "sts_en", "https://github.com/PhilipMay/stsb-multi-mt (en)", "CC BY-SA 4.0", _PAIRS
)
STS_ZH = DataSet(
    "sts_zh", "https://github.com/PhilipMay/stsb-multi-mt (zh)", "CC BY-SA 4.0", _PAIRS
)
PLAIN: Final = ((TATOEBA, "zh"), (CSL, "text"), (COLD, "text"))
"""Chinese texts whose n-grams are counted, by set and field."""


def ngram_weights(texts: Sequence[str], spec: NgramSpec, longer: float) -> npt.NDArray[np.uint8]:
    """Inverse document frequency of every bucket, in 255ths of the largest.

    A bucket into which no single character of ``texts`` falls counts ``longer`` as much.
    """
    single = NgramSpec(spec.buckets, (1, 1), (0, 0))
    counts = np.zeros(spec.buckets)
    weights = np.full(spec.buckets, longer)
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        part = texts[start : start + _TEXTS_AT_ONCE]
        counts += np.bincount(bags(part, spec).indices, minlength=spec.buckets)
        weights[bags(part, single).indices] = 1.0
    weights *= np.log((1.0 + len(texts)) / (1.0 + counts)) / np.log(1.0 + len(texts))
    return np.round(weights * _STEPS).astype(np.uint8)


def fit_curve(
    cosines: npt.NDArray[np.floating[Any]], scores: npt.NDArray[np.floating[Any]]
) -> Calibration:
    """Fit by least squares a curve from ``cosines`` to ``scores`` between 0 and 1.

    The slope is kept above 0, so the order of pairs stays.
    """

    def residuals(found: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        curve = Calibration(float(np.exp(found[0])), float(found[1]))
        return np.asarray(curve(cosines) - scores, dtype=np.float64)

    slope, shift = least_squares(residuals, [1.0, -1.0]).x
    return Calibration(round(float(np.exp(slope)), 4), round(float(shift), 4))


def make_model(
    data: Path, encoder: SentenceEncoder, cache: Path | None, spec: NgramSpec = SPEC
) -> tuple[npt.NDArray[np.uint8], dict[str, Calibration]]:
    """Learn from the train parts in ``data``: weights of n-grams, and a curve a space.

    Raises DataMissing for a set that is not there.
    """
    simplified = simplified_characters()
    texts = [
        clean_text(row[field]).translate(simplified)
        for source, field in PLAIN
        for row in source.rows(data, "train")
    ]
    weights = ngram_weights(texts, spec, LONGER)
    say(f"counted the n-grams of {len(texts)} texts")
    vectors = NgramVectors(spec, WIDTH, weights.astype(np.float32) / np.float32(_STEPS))
    curves = {}
    for space, source in (("encoder", STS_EN), ("ngrams", STS_ZH)):
        rows = source.rows(data, "train")
        one, other = ([clean_text(row[field]) for row in rows] for field in ("text", "text2"))
        if space == "ngrams":
            cosines = (vectors(one) * vectors(other)).sum(axis=1)
        else:
            table = encode_all(encoder, one + other, cache, _report)
            cosines = (table[: len(one)] * table[len(one) :]).sum(axis=1)
        curves[space] = fit_curve(cosines, np.array([row["score"] for row in rows]) / _STARS)
        say(f"{space}: likeness fitted on {len(rows)} pairs: {curves[space]}")
    return weights, curves


def save_folder(
    out: Path,
    weights: npt.NDArray[np.uint8],
    curves: Mapping[str, Calibration],
    spec: NgramSpec,
    facts: Mapping[str, Any],
) -> None:
    """Write ``config.json`` and ``model.safetensors``; ``facts`` go into the config."""
    config = {
        **facts,
        "encoder_languages": ["en"],
        "ngrams": {
            "buckets": spec.buckets,
            "characters": list(spec.characters),
            "words": list(spec.words),
            "width": WIDTH,
        },
        "calibration": {
            space: {"slope": curve.slope, "shift": curve.shift} for space, curve in curves.items()
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(save({"ngrams.weights": torch.from_numpy(weights)}))
    text = json.dumps(config, ensure_ascii=False, indent=2)
    (out / CONFIG).write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    sets = [STS_EN, STS_ZH, *(source for source, _ in PLAIN)]
    parser = training_parser(
        "embedding",
        "Make the default model of embedding, similarity and recommendation: "
        "model.safetensors and config.json. Takes some minutes on one core.",
        sets,
        DEFAULT_OUT,
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FILE.npz", help="keep encoder vectors here between runs"
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        require(chosen.data, sets, ["train"])
        weights, curves = make_model(chosen.data, default_encoder("embedding"), chosen.cache)
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    facts = {"task": "embedding", "engine": "embedder", "seed": chosen.seed}
    save_folder(chosen.out, weights, curves, SPEC, facts)
    say(f"written to {chosen.out}")
    return 0


def _report(done: int, total: int) -> None:
    if done == total:
        say(f"encoded {total} texts")


if __name__ == "__main__":
    sys.exit(main())
