"""Beginning a run, or going on with one: what must hold of the files, and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from lepton_tasks.bulk.journal import Journal
from lepton_tasks.bulk.outputs import Outputs
from lepton_tasks.bulk.plan import Plan
from lepton_tasks.errors import InvalidInput
from lepton_tasks.ids import new_id


class Mode(Enum):
    """What to do about files of an earlier run."""

    NEW = auto()
    RESUME = auto()
    OVERWRITE = auto()


@dataclass(frozen=True, slots=True)
class Workspace:
    """The open files of a run. ``abandoned`` is the batch that an overwritten run left."""

    plan: Plan
    journal: Journal
    outputs: Outputs
    abandoned: str | None = None

    def checkpoint(self, next_cut: int, seconds: float) -> None:
        """Record that all cuts before ``next_cut`` are written.

        Raises:
            RunStopped: a file cannot be written.
        """
        self.journal.out_bytes, self.journal.errors_bytes = self.outputs.sync()
        self.journal.next_cut = next_cut
        self.journal.seconds = seconds
        self.journal.save(self.plan.journal)

    def finish(self) -> None:
        """Forget the journal: the run is complete."""
        self.plan.journal.unlink(missing_ok=True)


def open_workspace(plan: Plan, mode: Mode) -> Workspace:
    """Open the outputs and the journal, and lock them.

    Raises:
        InvalidInput: files of an earlier run are there and ``mode`` does not say what to
            do about them, or a run cannot be resumed because it was another one.
    """
    check_files(plan, mode)
    outputs = Outputs(plan.out, plan.errors)
    try:
        abandoned = _abandoned(plan) if mode is Mode.OVERWRITE else None
        if mode is Mode.RESUME:  # loaded under the lock: as its last holder left it
            journal = Journal.load(plan.journal)
        else:
            journal = Journal(new_id("batch"), plan.fingerprint())
        outputs.rewind(journal.out_bytes, journal.errors_bytes)
        journal.save(plan.journal)
    except BaseException:
        outputs.close()
        raise
    return Workspace(plan, journal, outputs, abandoned)


def check_files(plan: Plan, mode: Mode) -> None:
    """Check what :func:`open_workspace` needs, and touch nothing.

    Raises:
        InvalidInput: as there.
    """
    if mode is Mode.RESUME:
        _require_same(plan, Journal.load(plan.journal))
    elif mode is Mode.NEW:
        _require_absent(plan)


def _require_absent(plan: Plan) -> None:
    if plan.journal.exists():
        raise InvalidInput(
            f"a run into {plan.out} was interrupted; go on with --resume, "
            "or start over with --overwrite",
            "--output",
        )
    for option, path in (("--output", plan.out), ("--errors", plan.errors)):
        if path.exists():
            raise InvalidInput(f"{path} exists; name another, or use --overwrite", option)


def _require_same(plan: Plan, journal: Journal) -> None:
    for name, now in plan.fingerprint().items():
        then = journal.plan.get(name)
        if then == now:
            continue
        if name == "input":
            raise InvalidInput(
                f"{plan.source} has changed since the run was interrupted; "
                "restore it, or start over with --overwrite",
                "--resume",
            )
        raise InvalidInput(
            f"the interrupted run had {name.replace('_', ' ')} {then!r}, this one has {now!r}; "
            "give the same, or start over with --overwrite",
            "--resume",
        )


def _abandoned(plan: Plan) -> str | None:
    try:
        return Journal.load(plan.journal).batch_id
    except InvalidInput:
        return None  # absent or damaged: there is nothing to call back
