from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import lepton_tasks
from lepton_tasks import AsyncClient, Client
from lepton_tasks.nlp.base import TaskOptions
from lepton_tasks.nlp.moderation import ModerationOutput
from tests.support.job_bodies import accepted, job
from tests.support.passing_on import PassingOn
from tests.support.scripted_http import Say, ScriptedServer

ROOT = Path(__file__).parents[3]


class Own(PassingOn[ModerationOutput]):
    """A task of somebody's own."""

    name = "own"
    summary = "Passes on."
    engine = "own"
    options_model = TaskOptions
    output_model = ModerationOutput
    examples = ()


ALLOWED = {
    "flagged": False,
    "action": "allow",
    "language": "zh",
    "categories": {},
    "category_scores": {},
    "unsupported_categories": [],
}


def test_a_task_that_ships_is_an_attribute(client: Any, server: ScriptedServer) -> None:
    server.say(Say(202, accepted("job_1")), Say(200, job("job_1", output=ALLOWED)))
    answer = client.moderation("谢谢", block_at=0.8)
    assert isinstance(answer, ModerationOutput)
    assert server.asked[0].json == {
        "task": "moderation",
        "input": "谢谢",
        "options": {"block_at": 0.8},
    }


def test_a_task_of_ones_own_is_given_as_its_class(client: Any, server: ScriptedServer) -> None:
    server.say(Say(202, accepted("job_1")), Say(200, job("job_1", output=ALLOWED)))
    assert isinstance(client.run(Own, "谢谢"), ModerationOutput)
    assert server.asked[0].json == {"task": "own", "input": "谢谢"}


def test_tasks_are_listed(client: Any, server: ScriptedServer) -> None:
    entry = {
        "id": "noop",
        "summary": "Count.",
        "input_schema": {},
        "options_schema": {},
        "output_schema": {},
        "queues": ["noop.normal"],
    }
    server.say(Say(200, {"object": "list", "data": [entry]}))
    [task] = client.tasks()
    assert (task.id, task.queues) == ("noop", ["noop.normal"])


def test_a_client_that_is_given_stays_open(server: ScriptedServer) -> None:
    with httpx.Client() as own:
        with Client(server.url, "lpt_test", http_client=own):
            pass
        assert not own.is_closed
    with Client(server.url, "lpt_test") as made:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        made.tasks()


def test_the_package_gives_the_clients_when_they_are_asked_for() -> None:
    code = (
        "import sys, lepton_tasks\n"
        "assert 'httpx' not in sys.modules and 'pydantic' not in sys.modules\n"
        "from lepton_tasks import AsyncClient, Client\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pandas', 'sqlalchemy', 'celery', 'redis'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
    assert lepton_tasks.Client is Client
    assert lepton_tasks.AsyncClient is AsyncClient
    with pytest.raises(AttributeError, match="Clientt"):
        _ = lepton_tasks.Clientt
