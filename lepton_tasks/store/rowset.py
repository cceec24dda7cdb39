"""Many rows as one parameter: a statement whose text does not depend on how many.

With a bind parameter a value, SQLAlchemy compiled the statement anew for every number
of rows, which cost more than the database took (docs/adr/0007-path-of-a-noop-job.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import CTE, JSON, Text, bindparam, cast, func, select
from sqlalchemy.types import TypeEngine


def rowset(name: str, dialect: str, columns: dict[str, TypeEngine[Any]]) -> CTE:
    """A table of the bound parameter ``name``, which :func:`bind_rows` makes.

    ``dialect`` is that of the statement's database, ``columns`` the columns in the
    order of a row's values: texts, numbers of up to 64 bits, or None.
    """
    parameter = bindparam(name, type_=Text)
    if dialect == "postgresql":
        row = func.json_array_elements(cast(parameter, JSON)).table_valued("value", name=f"{name}_")
        values = [row.c.value.op("->>")(place) for place in range(len(columns))]
        typed = [
            cast(value, kind).label(column)
            for value, (column, kind) in zip(values, columns.items(), strict=True)
        ]
    else:
        row = func.json_each(parameter).table_valued("value", name=f"{name}_")
        typed = [
            func.json_extract(row.c.value, f"$[{place}]", type_=kind).label(column)
            for place, (column, kind) in enumerate(columns.items())
        ]
    return select(*typed).cte(name)


def bind_rows(rows: Iterable[Sequence[str | float | None]]) -> str:
    r"""Value of a :func:`rowset`'s parameter.

    >>> bind_rows([("job_1", 7, None), ("作业", 8, '{"a":1}')])
    '[["job_1",7,null],["作业",8,"{\\"a\\":1}"]]'
    """
    return orjson.dumps([tuple(row) for row in rows]).decode()
