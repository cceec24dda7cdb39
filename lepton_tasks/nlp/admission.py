"""What a value must be before it may become an item of a job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.faults import first_fault
from lepton_tasks.nlp.base import Task, characters_of, texts_of
from lepton_tasks.nlp.retrieval import CorpusTask

_SURROGATE = re.compile("[\ud800-\udfff]")


def admit_item(
    value: object, task: Task[Any, Any], param: str = "input", corpus: str | None = None
) -> Any:
    """Return ``value`` as the JSON value that is stored, defaults left out.

    ``corpus`` is the one that the options name.

    Raises:
        InvalidInput: it is no item of ``task``; ``param`` names it or its part.
    """
    if task.item_model is None:
        check_text(value, task, param)
        return value
    if not isinstance(value, Mapping):
        fields = ", ".join(task.item_model.model_fields)
        raise InvalidInput(
            f"{param} must be an object with {fields}, not {_json_type(value)}",
            param,
            "invalid_type",
        )
    try:
        item = task.item_model.model_validate(dict(value)).model_dump(
            mode="json", exclude_unset=True
        )
    except ValidationError as error:
        place, says = first_fault(error, value, param)
        raise InvalidInput(f"{place}: {says}", place, "invalid_item") from error
    if isinstance(task, CorpusTask):
        task.check_item(item, corpus, param)
    _check_size(characters_of(item), task.max_characters, "characters", task, param)
    for place, text in texts_of(item):
        check_text(text, task, param + place)
    return item


def check_text(text: object, task: Task[Any, Any], param: str = "input") -> None:
    """Raise InvalidInput, naming ``param``, unless ``text`` is an item ``task`` can take.

    Sizes are looked at first, so an oversize text is refused without being read.
    """
    if not isinstance(text, str):
        raise InvalidInput(
            f"{param} must be a string, not {_json_type(text)}", param, "invalid_type"
        )
    _check_size(len(text), task.max_characters, "characters", task, param)
    if (surrogate := find_surrogate(text)) is not None:
        raise InvalidInput(
            f"{param} holds half of a surrogate pair at character {surrogate}; "
            "send well-formed Unicode",
            param,
            "invalid_unicode",
        )
    if "\0" in text:
        raise InvalidInput(
            f"{param} holds a NUL at character {text.index(chr(0))}; remove it",
            param,
            "invalid_character",
        )
    _check_size(len(text.encode("utf-8")), task.max_bytes, "bytes of UTF-8", task, param)
    if not text or text.isspace():
        raise InvalidInput(f"{param} is empty; send some text", param, "empty_text")


def find_surrogate(text: str) -> int | None:
    r"""Where a text holds half of a surrogate pair, so that it has no UTF-8; None for most.

    >>> find_surrogate("好"), find_surrogate("a\ud800")
    (None, 1)
    """
    found = _SURROGATE.search(text)
    return None if found is None else found.start()


def _check_size(size: int, most: int, unit: str, task: Task[Any, Any], param: str) -> None:
    if size > most:
        raise InvalidInput(
            f"{param} has {size:,} {unit}; {task.name} takes at most {most:,}. "
            "Split the text and send the parts as items of one job.",
            param,
            "text_too_long",
        )


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        bytes: "bytes",
    }
    return names.get(type(value), "an object")
