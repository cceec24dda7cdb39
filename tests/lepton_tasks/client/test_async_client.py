"""What only the client of event loops does; all else is tested for both clients at once."""

from __future__ import annotations

import asyncio
import ssl

import httpx

from lepton_tasks import AsyncClient
from tests.support.job_bodies import accepted, job
from tests.support.scripted_http import Say, ScriptedServer

OUTPUT = {"label": "positive", "score": 0.9, "language": "en", "scores": {}}


def test_calls_go_on_side_by_side(server: ScriptedServer, certificates: ssl.SSLContext) -> None:
    """The second is answered while the first is still waited for."""
    server.say(*(Say(200, job(f"job_{number}", output=OUTPUT)) for number in range(4)))

    async def both() -> list[str]:
        async with (
            httpx.AsyncClient(verify=certificates) as http,
            AsyncClient(server.url, "lpt_test", http_client=http) as client,
        ):
            found = await asyncio.gather(*(client.jobs.get(f"job_{n}") for n in range(4)))
        return sorted(one.id for one in found)

    assert asyncio.run(both()) == [f"job_{number}" for number in range(4)]


def test_one_of_its_own_is_closed_and_one_that_is_given_is_not(
    server: ScriptedServer, certificates: ssl.SSLContext
) -> None:
    async def closed(*, own: bool) -> bool:
        given = httpx.AsyncClient(verify=certificates)
        client = AsyncClient(server.url, "lpt_test", http_client=None if own else given)
        async with client:
            pass
        found = client._http.is_closed
        await given.aclose()
        return found

    assert asyncio.run(closed(own=True))
    assert not asyncio.run(closed(own=False))


def test_a_call_that_is_cancelled_leaves_its_job_to_itself(
    server: ScriptedServer, certificates: ssl.SSLContext
) -> None:
    server.say(Say(202, accepted("job_1")))

    async def cancelled() -> bool:
        async with (
            httpx.AsyncClient(verify=certificates) as http,
            AsyncClient(server.url, "lpt_test", http_client=http) as client,
        ):
            handle = await client.submit("sentiment", "fine")
            call = asyncio.create_task(handle.wait(30.0))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            return call.cancelled()

    assert asyncio.run(cancelled())
