"""The benchmark's model without a queue: in a bare loop, and behind mosec over HTTP."""

from __future__ import annotations

import http.client
import json
import sys
from typing import Any

from lepton_tasks.launcher.ports import LOOPBACK, free_port
from tests.benchmarks.children import answer, running, wait_until
from tests.benchmarks.contenders.base import START_SECONDS, Bench
from tests.benchmarks.contenders.peers import model_environment, require_peers
from tests.benchmarks.sides.environment import TASK

_PORT = "MOSEC_PORT"
CLIENTS = 128


def bare(bench: Bench, command: str, **options: Any) -> Any:
    """Run a command of ``sides.bare`` with the interpreter of this project.

    Raises:
        StepFailed: it failed or did not end in time.
    """
    log = bench.fresh_folder("bare") / "log"
    argv = [sys.executable, "-m", "tests.benchmarks.client", "bare", command, json.dumps(options)]
    return answer(argv, model_environment(bench), log, bench.limit)


def bare_rate(
    bench: Bench, count: int, order: str, *, device: str = "cpu", engine: str = "ours"
) -> dict[str, float]:
    """Texts a second of the bare loop, and its CPU seconds for 1,000 texts."""
    found = bare(
        bench,
        "loop",
        count=count,
        order=order,
        budget=bench.tuned.budget,
        threads=bench.tuned.threads,
        device=device,
        engine=engine,
    )
    return {"rate": count / found["seconds"], "cpu": found["cpu_seconds"] / count * 1e3}


def mosec_rate(bench: Bench, count: int) -> dict[str, float]:
    """Texts a second through mosec from :data:`CLIENTS` callers, and its CPU seconds.

    Raises:
        StepFailed: mosec is not installed, does not start, or a request failed.
    """
    require_peers(bench)
    folder = bench.fresh_folder("mosec")
    port = free_port()
    environment = {
        **model_environment(bench),
        TASK: "minilm",
        _PORT: str(port),
        "MOSEC_ADDRESS": LOOPBACK,
        "MOSEC_TIMEOUT": str(int(bench.limit * 1e3)),
        "MOSEC_PATH": str(folder / "sockets"),
        "MOSEC_LOG_LEVEL": "warning",
    }
    python = str(bench.peers_python)
    serve = [python, "-m", "tests.benchmarks.sides.mosec_sorted"]
    with running(serve, environment, folder / "log") as child:
        wait_until(lambda: _answers(port), child, START_SECONDS, "the start", 0.1)
        cpu = child.cpu_seconds()
        options = {"count": count, "clients": CLIENTS, "seconds": bench.limit}
        load = [python, "-m", "tests.benchmarks.client", "mosec_sorted", "load"]
        found = answer(
            [*load, json.dumps(options)], environment, folder / "client.log", bench.limit
        )
        return {
            "rate": count / found["seconds"],
            "cpu": (child.cpu_seconds() - cpu) / count * 1e3,
        }


def _answers(port: int) -> bool:
    """Whether a request goes through the model, so that it is loaded and warm."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("POST", "/inference", json.dumps({"text": "One warm text."}))
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
