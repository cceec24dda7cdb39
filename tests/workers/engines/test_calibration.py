"""From cosine to likeness: bounds, order, and what a folder may say."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.engines.calibration import Calibration, Likeness


@given(st.floats(0.01, 30), st.floats(-20, 20), st.lists(st.floats(-1.01, 1.01), min_size=2))
def test_likeness_never_falls_and_stays_within_its_bounds(
    slope: float, shift: float, cosines: list[float]
) -> None:
    found = Calibration(slope, shift)(np.sort(np.array(cosines)))
    assert (found >= 0).all() and (found <= 1).all()
    assert (np.diff(found) >= -1e-12).all()


def test_equal_vectors_are_wholly_alike() -> None:
    assert Calibration(5.0, -3.0)(np.array(1.0000001, dtype=np.float32)) == 1.0


def test_each_space_has_its_own_curve() -> None:
    likeness = Likeness(Calibration(4.0, -2.0), None)
    cosines = np.array([-1.0, 0.0, 1.0])
    assert likeness(cosines, of_encoder=False).tolist() == [0.0, 0.5, 1.0]
    assert likeness(cosines, of_encoder=True).tolist() == Calibration(4.0, -2.0)(cosines).tolist()
