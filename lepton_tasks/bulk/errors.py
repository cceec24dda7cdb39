"""What can stop a run over a file half-way."""

from __future__ import annotations

from lepton_tasks.errors import LeptonError


class RunStopped(LeptonError):
    """A run could not go on; what it wrote is kept, and it can be resumed."""

    code = "run_stopped"
