"""The chat template in a model's folder, and the special tokens that it may name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workers.errors import ModelRefused

TEMPLATE: Final = "chat_template.jinja"
TOKENIZER_CONFIG: Final = "tokenizer_config.json"
CHAT_FILES: Final = (TEMPLATE, TOKENIZER_CONFIG)
"""Files of a folder that decide how a dialogue becomes a prompt."""
_MOST_BYTES: Final = 1 << 24
_MOST_TEMPLATE: Final = 1 << 17
"""Characters of a template."""
_SPECIAL: Final = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token")


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A template of Jinja, not run yet, and special tokens by their names in it."""

    source: str
    special: Mapping[str, str]


def read_chat_template(folder: Path) -> ChatTemplate:
    """Read the template of ``chat_template.jinja``, else that in ``tokenizer_config.json``.

    Of several the one called ``default`` is taken.

    Raises:
        ModelRefused: there is none, or a file is malformed.
    """
    config = _read_config(folder / TOKENIZER_CONFIG)
    special = {name: token for name in _SPECIAL if (token := _content(config.get(name)))}
    return ChatTemplate(_source(folder, config), special)


def _source(folder: Path, config: Mapping[str, Any]) -> str:
    file = folder / TEMPLATE
    if file.is_file():
        found: Any = _read(file)
    else:
        found = config.get("chat_template")
        if isinstance(found, list):
            found = {
                one.get("name"): one.get("template") for one in found if isinstance(one, dict)
            }.get("default")
    if not isinstance(found, str) or not found.strip():
        raise ModelRefused(
            f"{folder} has no chat template, neither {TEMPLATE} nor `chat_template` in "
            f"{TOKENIZER_CONFIG}: serve an instruct model for chat, or copy the file that "
            "belongs to this one"
        )
    if len(found) > _MOST_TEMPLATE:
        raise ModelRefused(
            f"{folder}: its chat template has {len(found):,} characters, more than "
            f"{_MOST_TEMPLATE:,}"
        )
    return found


def _read_config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        config = json.loads(_read(file))
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"{file} is not valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelRefused(f"{file} must hold a JSON object")
    return config


def _read(file: Path) -> str:
    if file.stat().st_size > _MOST_BYTES:
        raise ModelRefused(f"{file} is larger than {_MOST_BYTES:,} bytes")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelRefused(f"{file} is not UTF-8: {error.reason}") from error


def _content(token: Any) -> str | None:
    """A special token as its configuration names it: a string, or an object with one."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None
