"""From the cosine of two vectors to a likeness between 0 and 1 that people would agree with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.engines.folder import ModelFolder
from workers.errors import ModelRefused

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic curve, scaled so that a cosine of 1 is a likeness of 1; it never falls.

    >>> curve = Calibration(slope=4.0, shift=-2.0)
    >>> [round(float(curve(np.array(one))), 3) for one in (-1.0, 0.0, 0.5, 1.0)]
    [0.003, 0.135, 0.568, 1.0]
    """

    slope: float
    shift: float

    def __call__(self, cosines: npt.NDArray[np.floating[Any]]) -> Floats:
        """Likeness of every cosine; rounding beyond [-1, 1] is cut off."""
        clipped = np.clip(np.asarray(cosines, dtype=np.float64), -1.0, 1.0)
        top = 1.0 + np.exp(-(self.slope + self.shift))
        found: Floats = top / (1.0 + np.exp(-(self.slope * clipped + self.shift)))
        return np.minimum(found, 1.0)


@dataclass(frozen=True, slots=True)
class Likeness:
    """The curves of a model's spaces; where none was fitted, (1 + cosine) / 2."""

    encoder: Calibration | None
    ngrams: Calibration | None

    def __call__(self, cosines: npt.NDArray[np.floating[Any]], of_encoder: bool) -> Floats:
        """Likeness of cosines in the encoder's space or that of n-grams."""
        curve = self.encoder if of_encoder else self.ngrams
        if curve is None:
            return np.clip((1.0 + np.asarray(cosines, dtype=np.float64)) / 2.0, 0.0, 1.0)
        return curve(cosines)


def read_likeness(folder: ModelFolder | None) -> Likeness:
    """Read the curves in a folder's config; raises ModelRefused where one is broken."""
    curves: Mapping[str, Any] = {} if folder is None else folder.config.get("calibration", {})
    try:
        found = {
            space: Calibration(float(curve["slope"]), float(curve["shift"]))
            for space, curve in curves.items()
        }
        for one in found.values():
            if not np.isfinite([one.slope, one.shift]).all() or one.slope <= 0:
                raise ValueError("a slope must be above 0")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        where = "" if folder is None else f"{folder.path}: "
        raise ModelRefused(f"{where}the calibration is incomplete or wrong: {error!r}") from error
    return Likeness(found.get("encoder"), found.get("ngrams"))
