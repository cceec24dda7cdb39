"""What a text must be before it may become an item of a job."""

from __future__ import annotations

import re
from typing import Any

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.base import Task

_SURROGATE = re.compile("[\ud800-\udfff]")


def check_text(text: object, task: Task[Any, Any], param: str = "input") -> None:
    """Raise InvalidInput, naming ``param``, unless ``text`` is an item ``task`` can take.

    Sizes are looked at first, so an oversize text is refused without being read.
    """
    if not isinstance(text, str):
        raise InvalidInput(
            f"{param} must be a string, not {_json_type(text)}", param, "invalid_type"
        )
    if len(text) > task.max_characters:
        raise InvalidInput(
            f"{param} has {len(text):,} characters; {task.name} takes at most "
            f"{task.max_characters:,}. Split the text and send the parts as items of one job.",
            param,
            "text_too_long",
        )
    if surrogate := _SURROGATE.search(text):
        raise InvalidInput(
            f"{param} holds half of a surrogate pair at character {surrogate.start()}; "
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
    size = len(text.encode("utf-8"))
    if size > task.max_bytes:
        raise InvalidInput(
            f"{param} has {size:,} bytes of UTF-8; {task.name} takes at most "
            f"{task.max_bytes:,}. Split the text and send the parts as items of one job.",
            param,
            "text_too_long",
        )
    if not text or text.isspace():
        raise InvalidInput(f"{param} is empty; send some text", param, "empty_text")


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        list: "an array",
        bytes: "bytes",
    }
    return names.get(type(value), "an object")
