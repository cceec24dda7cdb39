"""Languages with too few rows are told."""

from __future__ import annotations

from workers.custom.languages import LEAST, scarce


def test_only_what_is_scarce_is_told_in_order() -> None:
    warnings = scarce({"zh": LEAST - 1, "en": LEAST, "": 1}, "documents")
    assert [warning.partition(":")[0] for warning in warnings] == ["", "zh"]
    assert f"{LEAST - 1} documents of {2 * LEAST}" in warnings[1]
    assert scarce({}, "rows") == []
