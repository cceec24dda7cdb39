"""A task's answer as lines for people; programs take the JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len

_MOST_SHOWN: Final = 8
_MOST_NUMBERS: Final = 8


def readable(answer: Any) -> str:
    """Lay an output, a JSON value, out in lines: scores highest first, long lists cut short.

    >>> print(readable({"label": "体育", "scores": {"财经": 0.1, "体育": 0.9}, "truncated": False}))
    label      体育
    scores
      体育  0.900
      财经  0.100
    truncated  no
    """
    return "\n".join(_lines(answer))


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return _mapping(value)
    if _is_list(value) and not _is_plain(value):
        return _list(value)
    return _plain(value).split("\n")


def _mapping(value: Mapping[str, Any]) -> list[str]:
    """One line a name; what takes more than one line is indented below its name."""
    names = list(value)
    hidden = 0
    if len(names) > 1 and all(_is_number(one) for one in value.values()):
        names.sort(key=lambda name: -value[name])
        shown = names
        if len(names) > _MOST_SHOWN:
            shown = [name for name in names[:_MOST_SHOWN] if value[name]] or names[:1]
        hidden = len(names) - len(shown)
        names = shown
    elif len(names) > _MOST_SHOWN and all(isinstance(one, bool) for one in value.values()):
        return [_plain([name for name in names if value[name]])]
    width = max((cell_len(str(name)) for name in names), default=0)
    lines = []
    for name in names:
        part = value[name]
        shown = _lines(part)
        if len(shown) == 1 and not (_is_list(part) and not _is_plain(part)):
            lines.append(f"{name}{' ' * (width - cell_len(str(name)))}  {shown[0]}".rstrip())
        else:
            lines += [str(name), *(f"  {line}" for line in shown)]
    if hidden:
        lines.append(f"… and {hidden} more with --json")
    return lines or ["–"]


def _list(value: Sequence[Any]) -> list[str]:
    lines = []
    for one in value[: 2 * _MOST_SHOWN]:
        if isinstance(one, Mapping) and all(_is_short(part) for part in one.values()):
            lines.append("- " + "  ".join(f"{name} {_plain(part)}" for name, part in one.items()))
            continue
        first, *rest = _lines(one)
        lines += [f"- {first}", *(f"  {line}" for line in rest)]
    if len(value) > 2 * _MOST_SHOWN:
        lines.append(f"… and {len(value) - 2 * _MOST_SHOWN} more with --json")
    return lines


def _plain(value: Any) -> str:
    if value is None or value in ("", [], ()):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if _is_list(value):
        shown = ", ".join(_plain(one) for one in value[:_MOST_NUMBERS])
        rest = len(value) - _MOST_NUMBERS
        return shown + (f", … and {rest} more" if rest > 0 else "")
    return str(value)


def _is_short(value: Any) -> bool:
    return _is_plain(value) and "\n" not in str(value)


def _is_plain(value: Any) -> bool:
    """Whether a value, or a list of such, fits a line."""
    if _is_list(value):
        return all(not isinstance(one, Mapping) and not _is_list(one) for one in value)
    return not isinstance(value, Mapping)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
