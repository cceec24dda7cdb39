"""A column of texts becomes columns of answers: pandas, Polars, mappings of columns, datasets.

Nothing of theirs is imported: a frame is whatever has columns by name, and says itself how
it takes new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Unpack

from pydantic import BaseModel

from lepton_tasks.client.client import Client
from lepton_tasks.client.jobs import DEFAULT_CHUNK, DEFAULT_WINDOW
from lepton_tasks.client.submissions import JobFields
from lepton_tasks.client.tasks import ItemError
from lepton_tasks.errors import InvalidInput

ERROR: Final = "error"
"""Name of the column of error codes, behind the prefix."""


def run_column(
    client: Client,
    frame: Any,
    column: str,
    task: str,
    *,
    keep: Sequence[str] | None = None,
    prefix: str | None = None,
    chunk: int = DEFAULT_CHUNK,
    window: int = DEFAULT_WINDOW,
    **fields: Unpack[JobFields],
) -> Any:
    """A copy of ``frame`` with the answers to ``column`` in further columns.

    ``frame`` is a pandas or Polars DataFrame or a mapping of columns. A field of the task's
    output becomes the column ``<prefix><field>``; ``keep`` names the fields that are wanted,
    all where it is left out, and ``prefix`` is ``<task>_`` where it is. ``<prefix>error`` is
    the code of the error where there is no answer, None elsewhere. Rows without a value are
    not sent and have no answer. ``fields`` are those of the jobs, such as ``options``.

    >>> from lepton_tasks import Client
    >>> with Client("http://127.0.0.1:8000", "lpt_") as client:
    ...     run_column(client, {"text": [None]}, "text", "sentiment", keep=["label"])
    {'text': [None], 'sentiment_label': [None], 'sentiment_error': [None]}

    Raises:
        InvalidInput: a column of that name is there already, none of ``column``, or a field
            in ``keep`` that the task's output does not have.
        ClientError: texts were not accepted.
    """
    if column not in frame:
        raise InvalidInput(f"the frame has no column {column!r}", "column")
    before = f"{task}_" if prefix is None else prefix
    rows = list(frame[column])
    answers = client.map(
        task, (row for row in rows if _is_there(row)), chunk=chunk, window=window, **fields
    )
    columns = _columns(before, _by_row(rows, answers), keep)
    for name in columns:
        if name in frame:
            raise InvalidInput(f"the frame has a column {name!r} already; give a prefix", "prefix")
    return _with_columns(frame, columns)


def column_mapper(
    client: Client, column: str, task: str, **given: Any
) -> Callable[[Mapping[str, Any]], dict[str, list[Any]]]:
    """What ``Dataset.map(…, batched=True)`` of Hugging Face takes; ``given`` as :func:`run_column`.

    Give ``keep``, so that every batch of the data set has the same columns.
    """

    def answer(batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = run_column(
            client, {column: batch[column]}, column, task, **given
        )
        del found[column]
        return found

    return answer


def _is_there(value: Any) -> bool:
    """Whether a cell has a value: None, NaN and pandas' NA are none."""
    if isinstance(value, float) and value != value:
        return False
    return value is not None and type(value).__name__ != "NAType"


def _by_row(rows: Sequence[Any], answers: Iterator[Any]) -> Iterator[Any]:
    """The answer to each row, None where nothing was asked."""
    return (next(answers) if _is_there(row) else None for row in rows)


def _columns(
    before: str, answers: Iterator[Any], keep: Sequence[str] | None
) -> dict[str, list[Any]]:
    """Columns of answers; a row without a field has None there.

    >>> _columns("t_", iter([{"a": 1}, None, ItemError("c", "m"), {"a": 2, "b": 3}]), None)
    {'t_a': [1, None, None, 2], 't_b': [None, None, None, 3], 't_error': [None, None, 'c', None]}
    >>> _columns("", iter([7]), None)
    {'output': [7], 'error': [None]}
    """
    columns: dict[str, list[Any]] = {name: [] for name in keep or ()}
    errors: list[str | None] = []
    for row, answer in enumerate(answers):
        values = {} if answer is None or isinstance(answer, ItemError) else _fields(answer)
        if isinstance(answer, BaseModel):  # which has all fields that there are
            _check_kept(keep or (), values)
        for name, value in values.items():
            if keep is None:
                columns.setdefault(name, [None] * row)
            if name in columns:
                columns[name].append(value)
        errors.append(answer.code if isinstance(answer, ItemError) else None)
        for values_so_far in columns.values():
            values_so_far.extend([None] * (row + 1 - len(values_so_far)))
    return {before + name: values for name, values in columns.items()} | {before + ERROR: errors}


def _check_kept(keep: Sequence[str], fields: Mapping[str, Any]) -> None:
    """Refuse a misspelt name, whose column would be empty."""
    unknown = next((name for name in keep if name not in fields), None)
    if unknown is not None:
        raise InvalidInput(
            f"the output has no field {unknown!r}; its fields are: {', '.join(fields)}", "keep"
        )


def _fields(answer: Any) -> Mapping[str, Any]:
    if isinstance(answer, BaseModel):
        return answer.model_dump(mode="json")
    return answer if isinstance(answer, Mapping) else {"output": answer}


def _with_columns(frame: Any, columns: Mapping[str, list[Any]]) -> Any:
    if hasattr(frame, "assign"):  # pandas
        return frame.assign(**columns)
    if hasattr(frame, "hstack"):  # Polars
        return frame.hstack(type(frame)(columns, strict=False))
    if isinstance(frame, Mapping):
        return {**frame, **columns}
    raise InvalidInput(
        f"{type(frame).__name__} is no frame; give a pandas or Polars DataFrame, or a dict of "
        "columns",
        "frame",
    )
