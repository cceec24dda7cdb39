"""Which columns of a table make an item of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import AnyTask

_SHOWN_COLUMNS: Final = 50


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read: that of the text or those of the item's fields, then the id's.

    ``from_text`` makes an item of the text's value; it is None where the item has fields.
    """

    names: tuple[str, ...]
    has_id: bool
    from_text: Callable[[Any], Any] | None

    def split(self, values: Sequence[Any]) -> tuple[Any, Any]:
        """Make of the values of a row, in the order of ``names``, its item and its id.

        A field without a value is left out.

        >>> Columns(("body", "nr"), True, str).split(["fine", 7])
        ('fine', 7)
        >>> Columns(("question", "context"), False, None).split(["Who?", ""])
        ({'question': 'Who?'}, None)
        """
        line_id = values[-1] if self.has_id else None
        if self.from_text is not None:
            return self.from_text(values[0]), line_id
        fields = self.names[:-1] if self.has_id else self.names
        given = zip(fields, values, strict=False)  # the id's value belongs to no field
        return {name: value for name, value in given if value not in (None, "")}, line_id


def find_columns(
    header: Sequence[str],
    task: AnyTask,
    text_column: str | None,
    id_column: str | None,
    table: str = "CSV",
    *,
    plain: bool = True,
) -> Columns:
    """Choose from the columns in ``header``. ``table`` is what messages call the file.

    Without ``text_column`` the fields of an item are the columns of the same names. ``plain``
    tells that a value is a number or a text, and never a list or an object.

    >>> from lepton_tasks.nlp.registry import get_task
    >>> find_columns(["nr", "body"], get_task("moderation"), "body", "nr").names
    ('body', 'nr')
    >>> asks = get_task("question-answering")
    >>> find_columns(["context", "nr", "question"], asks, None, None).names
    ('question', 'context')

    Raises:
        InvalidInput: a column is missing or there twice; the message lists those there are.
            Or the items cannot be read from such a table.
    """
    if task.item_model is None or text_column is not None:
        if task.from_text("") is None:
            raise InvalidInput(
                f"an item of {task.name} has the fields {_fields_of(task)}, which are read from "
                "the columns of these names; leave --text-column out",
                "--text-column",
            )
        names = [_require(header, text_column, "--text-column", table)]
        from_text: Callable[[Any], Any] | None = task.from_text
    else:
        names, from_text = _field_columns(header, task, table, plain), None
    if id_column is not None:
        names.append(_require(header, id_column, "--id-column", table))
    return Columns(tuple(names), id_column is not None, from_text)


def _field_columns(header: Sequence[str], task: AnyTask, table: str, plain: bool) -> list[str]:
    schema = task.input_schema()
    needed = schema.get("required", [])
    fields = [name for name in schema["properties"] if name in needed or name in header]
    for name in fields:
        if plain and not _is_plain(schema["properties"][name]):
            raise InvalidInput(
                f"the {name} of {task.name} is more than one value, which a {table} cannot hold; "
                'use Parquet, or JSON Lines, {"id": …, "input": {…}} a line',
                "FILE",
            )
        if name not in header:
            raise InvalidInput(
                f"an item of {task.name} has the fields {_fields_of(task)}, which are read from "
                f"the columns of these names, and the {table} has no column {name!r}; "
                f"its columns are {_listed(header)}",
                "FILE",
            )
        _require(header, name, "FILE", table)
    return fields


def _fields_of(task: AnyTask) -> str:
    return ", ".join(task.input_schema()["properties"])


def _is_plain(shape: Mapping[str, Any]) -> bool:
    kinds = [one.get("type") for one in shape.get("anyOf", [shape])]
    return any(kind in ("string", "number", "integer", "boolean") for kind in kinds)


def _require(header: Sequence[str], column: str | None, option: str, table: str) -> str:
    if column is None:
        raise InvalidInput(
            f"give {option}; the columns of the {table} are {_listed(header)}", option
        )
    if header.count(column) != 1:
        many = "no" if column not in header else "more than one"
        raise InvalidInput(
            f"{option}: the {table} has {many} column {column!r}; its columns are "
            f"{_listed(header)}",
            option,
        )
    return column


def _listed(header: Sequence[str]) -> str:
    known = ", ".join(repr(name) for name in header[:_SHOWN_COLUMNS])
    more = len(header) - _SHOWN_COLUMNS
    return f"{known} and {more:,} more" if more > 0 else known
