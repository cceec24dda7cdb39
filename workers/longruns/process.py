"""One child process that works on one item: what it says, and how it is paused or ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

from lepton_tasks.launcher.tether import tethered

PAUSED_EXIT: Final = 75
"""Exit code of a child that has stored a checkpoint and ended because it was asked to."""
MODEL_FOLDER: Final = "model"
"""Where in its folder a run leaves what is to be published."""


class LongProcess:
    """A child that reads one JSON object and says JSON lines until it ends.

    It dies with the thread that makes it, so make it in the one that calls :meth:`said`.
    """

    def __init__(
        self, module: str, request: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        """Start ``python -m module``; ``environment`` adds to this process's."""
        self._request = orjson.dumps(request)
        self._process = subprocess.Popen(
            tethered([sys.executable, "-m", module]),
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid

    def said(self) -> Iterator[dict[str, Any]]:
        """Yield what it says until it ends; what is no JSON object is left out."""
        writer = threading.Thread(target=self._ask, name="long run request", daemon=True)
        writer.start()
        if self._process.stdout is not None:
            with self._process.stdout as lines:
                for line in lines:
                    with suppress(ValueError):
                        found = orjson.loads(line)
                        if isinstance(found, dict):
                            yield found
        self._process.wait()
        writer.join()

    def exit_code(self) -> int:
        """Wait for its end; negative for a signal's number."""
        return self._process.wait()

    def pause(self) -> None:
        """Ask it to store a checkpoint and end with :data:`PAUSED_EXIT`."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _ask(self) -> None:
        if self._process.stdin is None:
            return
        with suppress(OSError), self._process.stdin as pipe:  # it may have ended already
            pipe.write(self._request)
