"""The table of batches agrees with the states that there are."""

from __future__ import annotations

import re

from lepton_tasks.states import BATCH_TERMINAL, BatchState
from lepton_tasks.store.batch_tables import BatchRow

batches = BatchRow.__table__  # type: ignore[attr-defined]


def test_the_index_of_open_batches_has_every_state_that_is_not_the_end() -> None:
    [index] = [one for one in batches.indexes if one.name == "ix_batches_open"]
    for dialect in ("sqlite", "postgresql"):
        where = str(index.dialect_options[dialect]["where"])
        listed = set(re.findall(r"'(\w+)'", where))
        assert listed == {state.value for state in BatchState} - set(BATCH_TERMINAL)


def test_a_key_is_one_of_its_tenant_alone() -> None:
    [unique] = [one for one in batches.constraints if one.name == "uq_batches_idempotency"]
    assert [column.name for column in unique.columns] == ["tenant", "idempotency_key"]
