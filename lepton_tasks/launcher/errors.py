"""What can go wrong while the processes of a system start and run."""

from __future__ import annotations

from pathlib import Path

from lepton_tasks.errors import LeptonError


class ChildFailed(LeptonError):
    """A child process did not start, or would not stay up.

    ``name`` is the child, ``log`` its log file and ``tail`` the end of what its
    last run wrote there; None and empty for a child that writes to our own output.
    """

    code = "child_failed"

    def __init__(self, name: str, problem: str, log: Path | None, tail: str) -> None:
        """Build the message from the child's name, one clause and its log."""
        shown = "\n".join(f"  {line}" for line in tail.splitlines()) or "  (it wrote nothing)"
        where = (
            "What it wrote is above." if log is None else f"The end of its log ({log}):\n{shown}"
        )
        super().__init__(f"{name} {problem}. {where}")
        self.name = name
        self.log = log
        self.tail = tail


class AlreadyRunning(LeptonError):
    """Another ``lepton up`` holds this home folder."""

    code = "already_running"


class PortInUse(LeptonError):
    """A port that was asked for cannot be listened on."""

    code = "port_in_use"
