"""A tuning as a table and as JSON."""

from __future__ import annotations

from io import StringIO

import orjson
from rich.console import Console

from workers.tuning.cache import Tuning, TuningKey
from workers.tuning.choice import Point
from workers.tuning.report import tuning_document, tuning_table

KEY = TuningKey("moderation", "abc", "x86_64 AVX2", "float32", "2.13.0", 2, 0)
CHOSEN = Point(2, 512, 3597.0, 71.8, 0.134)
TUNING = Tuning(CHOSEN, [CHOSEN, Point(2, 1024, 0.0, 0.0, 0.0, out_of_memory=True)])


def test_the_chosen_point_alone_is_marked() -> None:
    console = Console(width=120, file=StringIO())
    console.print(tuning_table(TUNING, KEY))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    [marked] = [line for line in lines if "chosen" in line]
    for figure in ("2", "512", "71.8", "3,597", "134"):
        assert figure in marked
    [broken] = [line for line in lines if "out of memory" in line]
    assert "1,024" in broken


def test_the_document_is_json_with_everything() -> None:
    document = orjson.loads(orjson.dumps(tuning_document(TUNING, KEY)))
    assert document["choice"] == document["points"][0]
    assert document["choice"]["budget"] == 512
    assert document["key"]["model"] == "moderation"
