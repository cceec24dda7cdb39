"""A list is read whole, once and in order, however it is cut into pages."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.paging import newest_first
from lepton_tasks.store.store import Store

batches = BatchRow.__table__  # type: ignore[attr-defined]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.sampled_from([1.0, 1.5, 2.0]), max_size=9), size=st.integers(1, 4))
def test_pages_hold_every_row_once_newest_first(
    quick_store: Store, times: list[float], size: int
) -> None:
    rows = [{"id": f"b{number}", "created_at": at} for number, at in enumerate(times)]
    more: dict[str, Any] = {
        "tenant": "acme",
        "task": "moderation",
        "priority": "bulk",
        "state": "in_progress",
        "source": "",
        "sealed": False,
        "total_items": 0,
        "done_items": 0,
        "failed_items": 0,
        "metadata": "{}",
    }
    with quick_store.database.write(durable=False) as connection:
        connection.execute(batches.delete())  # those of the last example
        if rows:
            connection.execute(batches.insert(), [row | more for row in rows])
        found: list[Any] = []
        query = select(batches.c.created_at, batches.c.id)
        while True:
            last = found[-1] if found else None
            page = connection.execute(newest_first(query, batches, last, size)).all()
            assert len(page) <= size
            found += page
            if not page:
                break
    wanted = sorted(((row["created_at"], row["id"]) for row in rows), reverse=True)
    assert [tuple(row) for row in found] == wanted
