"""The checker finds each kind of fault in a made-up log, and nothing in a clean one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lepton_tasks.states import JobState
from tests.chaos.checker import Ending, Evidence, Loss, StoredJob, check
from tests.chaos.executions import Execution, read_executions
from tests.chaos.operations import Kind, Operation, OperationLog, read_operations

DONE = JobState.SUCCEEDED
CLEAN = Evidence(
    operations=[
        Operation(Kind.INVOKE, "a", 1.0),
        Operation(Kind.OK, "a", 1.1, "job_a"),
        Operation(Kind.INVOKE, "b", 1.0),
        Operation(Kind.UNKNOWN, "b", 2.0),
        Operation(Kind.INVOKE, "c", 1.0),
        Operation(Kind.FAIL, "c", 2.0),
    ],
    jobs=[StoredJob("job_a", "a", DONE, "w1", "w1", 1), StoredJob("job_b", "b", DONE, "w2", "w2")],
    endings=[Ending("job_a", 5.0, DONE), Ending("job_b", 6.5, DONE)],
    executions=[Execution("a", "w1", 3.0), Execution("b", "w1", 3.0), Execution("b", "w2", 5.0)],
    events=["job_a", "job_b"],
    losses=[
        Loss(4.0, frozenset({"job_b"}), "kill"),
        Loss(6.0, frozenset({"job_a", "job_b"}), "kill"),
    ],
)


def test_a_clean_log_has_no_fault() -> None:
    verdict = check(CLEAN)
    assert verdict.faults() == {}
    assert verdict.acknowledged == 1
    assert verdict.states == {"succeeded": 2}
    assert (verdict.executions, verdict.re_executed) == (3, 1)
    assert verdict.recovery == {"kill": (0.5, 2.5)}


@pytest.mark.parametrize(
    ("fault", "evidence"),
    [
        ("lost", replace(CLEAN, jobs=CLEAN.jobs[1:], events=["job_b"])),
        (
            "lost",
            replace(
                CLEAN,
                jobs=[replace(CLEAN.jobs[0], state=JobState.QUEUED), CLEAN.jobs[1]],
                events=["job_b"],
            ),
        ),
        ("written twice", replace(CLEAN, endings=[*CLEAN.endings, Ending("job_a", 9.0, DONE)])),
        ("stale writes", replace(CLEAN, jobs=[replace(CLEAN.jobs[0], by="w9"), CLEAN.jobs[1]])),
        (
            "unexpected",
            replace(CLEAN, jobs=[*CLEAN.jobs, StoredJob("job_z", "z", JobState.QUEUED)]),
        ),
        (
            "unexpected",
            replace(CLEAN, jobs=[*CLEAN.jobs, StoredJob("job_z", None, JobState.QUEUED)]),
        ),
        ("jobs without an event", replace(CLEAN, events=["job_a"])),
        ("jobs with two events", replace(CLEAN, events=["job_a", "job_b", "job_b"])),
    ],
)
def test_each_fault_is_found_alone(fault: str, evidence: Evidence) -> None:
    assert check(evidence).faults() == {fault: 1}


def test_a_key_with_two_jobs_is_found() -> None:
    second = StoredJob("job_c", "a", DONE, "w1", "w1")
    evidence = replace(CLEAN, jobs=[*CLEAN.jobs, second], events=["job_a", "job_b", "job_c"])
    assert check(evidence).faults() == {"keys with two jobs": 1}


def test_logs_survive_being_cut_short(tmp_path: Path) -> None:
    with OperationLog(tmp_path / "operations") as log:
        log.note(Kind.INVOKE, ["a", "b"])
        log.note(Kind.OK, ["a"], ["job_a"])
        log.note(Kind.UNKNOWN, ["b"])
        assert (log.acknowledged, log.unknown) == (1, 1)
    with log.path.open("ab") as file:
        file.write(b'{"kind":"ok"')
    read = list(read_operations(log.path))
    assert [(one.kind, one.key, one.job_id) for one in read] == [
        (Kind.INVOKE, "a", None),
        (Kind.INVOKE, "b", None),
        (Kind.OK, "a", "job_a"),
        (Kind.UNKNOWN, "b", None),
    ]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "1.log").write_text("a w1 1.0\n热 loading 1.0\nb w1")
    assert list(read_executions(tmp_path / "notes")) == [Execution("a", "w1", 1.0)]
