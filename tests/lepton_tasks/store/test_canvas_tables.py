"""What follows a job goes with it, and a part of a chord counts once."""

from __future__ import annotations

import pytest
from sqlmodel import SQLModel

from lepton_tasks.store.canvas_tables import CanvasRow, ChordPartRow


@pytest.mark.parametrize(("row", "of"), [(CanvasRow, "jobs"), (ChordPartRow, "chords")])
def test_what_belongs_to_another_row_is_deleted_with_it(row: type[SQLModel], of: str) -> None:
    [key] = row.__table__.foreign_keys  # type: ignore[attr-defined]
    assert (key.column.table.name, key.ondelete) == (of, "CASCADE")


def test_a_part_is_known_by_its_chord_and_its_task() -> None:
    keys = ChordPartRow.__table__.primary_key  # type: ignore[attr-defined]
    assert [column.name for column in keys.columns] == ["chord_id", "task_id"]
