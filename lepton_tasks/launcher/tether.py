"""Run a command so that it dies with the process that started it.

Linux sends a signal to a process when the thread that started it ends
(``PR_SET_PDEATHSIG``, see prctl(2)); the setting survives ``execve``. It is set
here, in a fresh process that then becomes the command, because setting it
between fork and exec of a threaded parent (``preexec_fn``) can deadlock. This
file is run by its path with ``python -I -S`` and imports nothing of the
project, so it costs one short interpreter start and no memory afterwards.
Other systems have no such signal: there the command runs untethered.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tethered(argv: Sequence[str]) -> list[str]:
    """Return the command line that runs ``argv`` tethered to this process.

    Start it from a thread that lives as long as the command should.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def main(parent: int, argv: list[str]) -> None:
    """Tether this process to ``parent``, then become ``argv``.

    Exits 127 when ``argv`` cannot be run, and 1 when ``parent`` is gone already.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    # The parent may have died before the call above, which then never fires.
    if os.getppid() != parent:
        sys.exit("the parent process is gone")
    # Python ignores these, and an ignored signal stays ignored after execve.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"cannot run {argv[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
