"""What can stop a run over a file half-way."""

from __future__ import annotations

from lepton_tasks.errors import LeptonError


class RunStopped(LeptonError):
    """A run could not go on; what it wrote is kept, and it can be resumed."""

    code = "run_stopped"


class ShardMismatch(RunStopped):
    """The outputs of a shard are not those of the lines that it was made of."""
