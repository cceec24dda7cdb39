"""Storing admitted jobs within their tenant's rate of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.concurrency import run_in_threadpool

from api.rate_limit import RateLimit
from lepton_tasks.errors import LeptonError, Overloaded
from lepton_tasks.jobs import NewJob, Submitted
from lepton_tasks.producer import Producer


async def put(
    producer: Producer, tokens: RateLimit, jobs: Sequence[NewJob]
) -> tuple[list[Submitted], Mapping[str, str]]:
    """Store and publish jobs of one tenant, all or none; returns them, and headers for the answer.

    Jobs that were all accepted before take nothing of the rate, and are answered although
    it is used up.

    Raises:
        Overloaded: the tenant's rate or its line is full; nothing was stored.
        LeptonError: see :meth:`Producer.put`.
    """
    tenant, cost = jobs[0].tenant, sum(job.cost for job in jobs)
    try:
        left = tokens.take(tenant, cost)
    except Overloaded:
        earlier = await run_in_threadpool(producer.store.jobs.earlier, jobs)
        if earlier is None:
            raise
        return earlier, {}
    try:
        submitted = await producer.put_async(jobs)
    except LeptonError:
        tokens.give_back(tenant, cost)
        raise
    if all(one.replayed for one in submitted):
        tokens.give_back(tenant, cost)
    return submitted, tokens.headers(left)
