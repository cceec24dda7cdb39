"""One line a step, with the seconds since the start."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Prints lines as ``[ 12.3 s] …``."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._began = time.monotonic()

    def say(self, line: str) -> None:
        """Print ``line`` at once."""
        print(f"[{self.seconds():7.1f} s] {line}", file=self._stream, flush=True)

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began
