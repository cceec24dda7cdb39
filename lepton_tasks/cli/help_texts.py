"""Help as wide as the terminal: docstrings are wrapped for the source, help is for its reader."""

from __future__ import annotations

import re
from typing import Any, Final

_ENDS: Final = re.compile(r"(?<=\S)\n(?=\S)")


def reflow(text: str) -> str:
    r"""Join the lines of each paragraph; what is indented, such as an example, stays as it is.

    >>> reflow("One line\nand another.\n\n    lepton up\n    lepton io\n\nThe\nend.")
    'One line and another.\n\n    lepton up\n    lepton io\n\nThe end.'
    """
    return _ENDS.sub(" ", text)


def reflow_all(command: Any) -> None:
    """Do so with the help of a command, and of the commands within it."""
    if command.help:
        command.help = reflow(command.help)
    for one in getattr(command, "commands", {}).values():
        reflow_all(one)
