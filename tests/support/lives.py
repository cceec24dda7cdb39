"""Jobs and the workers that they lose, in a store without any process."""

from __future__ import annotations

from lepton_tasks.in_work import InWork
from lepton_tasks.jobs import ClaimedJob, NewJob, Payload
from lepton_tasks.states import JobState
from lepton_tasks.store.recovery import Recovered
from lepton_tasks.store.store import Store

TENANT = "acme"
TASKS = ["moderation"]
NODE = "gpu-0@here"


def a_job(*texts: str, **changes: object) -> NewJob:
    """A job of one input, or of ``texts``."""
    payload = Payload(texts or ("你好",), single=not texts)
    return NewJob(TENANT, TASKS[0], payload, 1, **changes)  # type: ignore[arg-type]


def queued(store: Store, *new: NewJob) -> list[str]:
    """Ids of jobs that wait in the queue."""
    store.jobs.insert(new)
    return [job.id for job in new]


def state(store: Store, job_id: str) -> JobState:
    """Where a job stands."""
    return store.jobs.get(TENANT, job_id).state


def worker(store: Store, name: str = NODE) -> str:
    """A new process of node ``name``; its id is the name too."""
    store.leases.register(name, name, TASKS, 600)
    return name


def lose(store: Store, name: str, *in_work: tuple[str, int]) -> Recovered:
    """The supervisor of worker ``name`` finds it dead at ``in_work``."""
    store.leases.end(name, InWork.of(in_work))
    return store.recovery.recover()


def lose_unseen(store: Store, name: str) -> Recovered:
    """Worker ``name`` falls silent, and nobody knows what it was at."""
    store.leases.end_host(name)
    return store.recovery.recover()


def suspect(store: Store, *texts: str, **changes: object) -> str:
    """A job that was in work on a worker that died."""
    [job_id] = queued(store, a_job(*texts, **changes))
    store.claims.claim(worker(store), [job_id])
    lose(store, NODE, (job_id, 0))
    assert state(store, job_id) is JobState.SUSPECT
    return job_id


def claim_alone(store: Store, name: str = NODE) -> ClaimedJob:
    """Take the next suspect."""
    [claim] = store.suspects.claim(worker(store, name), TASKS)
    return claim


def crash_alone(store: Store, place: int = 0, times: int = 1, name: str = NODE) -> Recovered:
    """The next suspect takes its worker down at ``place``, so many times."""
    found = Recovered()
    for _ in range(times):
        found = lose(store, name, (claim_alone(store, name).id, place))
    return found


def dead(store: Store, **changes: object) -> str:
    """A dead letter."""
    job_id = suspect(store, **changes)
    assert crash_alone(store, times=3).dead == (job_id,)
    return job_id
