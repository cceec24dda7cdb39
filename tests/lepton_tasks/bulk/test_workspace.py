"""Files of an earlier run: what is refused, what is kept, what is locked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lepton_tasks.bulk.journal import Journal
from lepton_tasks.bulk.workspace import Mode, open_workspace
from lepton_tasks.errors import InvalidInput
from tests.lepton_tasks.bulk.conftest import MakePlan


def test_existing_outputs_are_not_replaced_unasked(plan_for: MakePlan) -> None:
    plan = plan_for(["fine"])
    for path in (plan.out, plan.errors):
        path.write_text("precious\n")
        with pytest.raises(InvalidInput, match=f"{path} exists"):
            open_workspace(plan, Mode.NEW)
        assert path.read_text() == "precious\n"
        path.unlink()
    assert not plan.journal.exists()


def test_overwriting_empties_the_outputs_and_names_the_old_batch(plan_for: MakePlan) -> None:
    plan = plan_for(["fine"])
    open_workspace(plan, Mode.NEW).outputs.close()
    old = Journal.load(plan.journal).batch_id
    plan.out.write_text("old\n")
    workspace = open_workspace(plan, Mode.OVERWRITE)
    workspace.outputs.close()
    assert workspace.abandoned == old != workspace.journal.batch_id
    assert plan.out.read_bytes() == b""


def test_an_interrupted_run_asks_what_to_do(plan_for: MakePlan) -> None:
    plan = plan_for(["fine"])
    open_workspace(plan, Mode.NEW).outputs.close()
    with pytest.raises(InvalidInput, match="go on with --resume, or start over with --overwrite"):
        open_workspace(plan, Mode.NEW)


def test_there_must_be_something_to_resume(plan_for: MakePlan) -> None:
    plan = plan_for(["fine"])
    with pytest.raises(InvalidInput, match="no run into that file is unfinished"):
        open_workspace(plan, Mode.RESUME)
    assert not plan.out.exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 99}', b"\xff"]
)
def test_a_journal_that_cannot_be_read_is_told(plan_for: MakePlan, content: bytes) -> None:
    plan = plan_for(["fine"])
    plan.journal.write_bytes(content)
    with pytest.raises(InvalidInput, match="--overwrite"):
        open_workspace(plan, Mode.RESUME)
    workspace = open_workspace(plan, Mode.OVERWRITE)
    workspace.outputs.close()
    assert workspace.abandoned is None


def test_a_changed_input_is_not_resumed(plan_for: MakePlan) -> None:
    plan = plan_for(["fine"])
    open_workspace(plan, Mode.NEW).outputs.close()
    facts = plan.source.stat()
    plan.source.write_bytes(b'"fane"\n')
    os.utime(plan.source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(InvalidInput, match=r"in\.jsonl has changed"):
        open_workspace(plan, Mode.RESUME)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"priority": "high"}, "had priority 'bulk', this one has 'high'"),
        ({"shard_size": 7}, "had shard size 32, this one has 7"),
        ({"options": '{"block_at": 0.5}'}, "had options {}"),
        ({"webhook": "https://hooks.test/x"}, "had webhook None"),
    ],
)
def test_other_options_are_not_resumed(
    plan_for: MakePlan, changes: dict[str, object], said: str
) -> None:
    plan = plan_for(["fine"])
    open_workspace(plan, Mode.NEW).outputs.close()
    facts = plan.source.stat()
    other = plan_for(["fine"], **changes)
    os.utime(plan.source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(InvalidInput) as caught:
        open_workspace(other, Mode.RESUME)
    assert said in str(caught.value)


def test_lost_output_is_not_resumed(plan_for: MakePlan) -> None:
    plan = plan_for(["fine"])
    workspace = open_workspace(plan, Mode.NEW)
    workspace.outputs.write(b"one\n", b"")
    workspace.checkpoint(next_cut=1, seconds=0.0)
    workspace.outputs.close()
    plan.out.write_bytes(b"one")
    with pytest.raises(InvalidInput, match="has lost lines"):
        open_workspace(plan, Mode.RESUME)


def test_a_checkpoint_is_where_resuming_begins(plan_for: MakePlan) -> None:
    plan = plan_for(["fine"])
    workspace = open_workspace(plan, Mode.NEW)
    workspace.journal.tally.add_output({"flagged": True})
    workspace.outputs.write(b"one\n", b"bad\n")
    workspace.checkpoint(next_cut=3, seconds=1.5)
    workspace.outputs.write(b"two\n", b"worse\n")
    workspace.outputs.close()

    again = open_workspace(plan, Mode.RESUME)
    again.outputs.write(b"2\n", b"")
    again.outputs.close()
    assert (plan.out.read_bytes(), plan.errors.read_bytes()) == (b"one\n2\n", b"bad\n")
    assert (again.journal.next_cut, again.journal.seconds) == (3, 1.5)
    assert again.journal.tally.flagged == 1
    again.finish()
    assert not plan.journal.exists()


def test_two_runs_do_not_write_one_file(plan_for: MakePlan, tmp_path: Path) -> None:
    plan = plan_for(["fine"])
    workspace = open_workspace(plan, Mode.NEW)
    workspace.outputs.write(b"one\n", b"")
    for mode in (Mode.RESUME, Mode.OVERWRITE):
        with pytest.raises(InvalidInput, match="another run is writing"):
            open_workspace(plan, mode)
    workspace.checkpoint(next_cut=1, seconds=0.0)
    workspace.outputs.close()
    assert plan.out.read_bytes() == b"one\n"


def test_the_journal_is_for_its_owner_alone(plan_for: MakePlan) -> None:
    plan = plan_for(["fine"], webhook="https://hooks.test/x?token=secret")
    open_workspace(plan, Mode.NEW).outputs.close()
    assert plan.journal.stat().st_mode & 0o777 == 0o600
