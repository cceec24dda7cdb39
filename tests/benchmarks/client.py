"""A system's client in a process: ``python -m tests.benchmarks.client SIDE COMMAND JSON``.

``enqueue`` and ``latency`` are the same for every system; a side's module may have further
commands. The answer is one line of JSON.
"""

from __future__ import annotations

import importlib
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.benchmarks.texts import POISON, short_text, text

_WARM_TASK_SECONDS = 60.0


def enqueue(
    side: Any,
    task: str,
    count: int,
    start: int = 0,
    threads: int = 1,
    group: int = 1,
    a_call: int = 0,
    priority: str = "normal",
    limit: float = 3600.0,
    poison: int = -1,
) -> dict[str, float]:
    """Enqueue texts ``start`` to ``start + count``; preparing them is not timed.

    ``group`` texts travel as one job. With ``a_call`` 0 each job is a call of its own,
    from ``threads`` callers; else so many jobs are handed over in one. Stops after
    ``limit`` seconds; the answer's ``count`` says how many texts went. Number ``poison`` is
    the text that makes the model raise.
    """
    client = side.connect()
    seconds = cpu = 0.0
    sent = 0
    for numbers in _parts(range(start, start + count), 10_000):
        made = [POISON if number == poison else _text(task, number) for number in numbers]
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        if a_call:
            for part in _parts(list(_parts(made, group)), a_call):
                client.send_many(task, part, priority)
        elif threads == 1:
            for one in made:
                client.send(task, one, priority)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda one: client.send(task, one, priority), made))
        seconds += time.perf_counter() - wall_began
        cpu += time.process_time() - cpu_began
        sent += len(made)
        if seconds > limit:
            break
    return {"count": sent, "seconds": seconds, "cpu_seconds": cpu}


def latency(
    side: Any,
    task: str,
    rate: float,
    seconds: float,
    start: int = 0,
    priority: str = "normal",
    threads: int = 16,
) -> dict[str, list[float]]:
    """Milliseconds from each job's scheduled sending until its result is known here.

    Sends ``rate`` jobs a second whether or not earlier ones are back, so a slow moment
    is not hidden. The first job warms the client up and is not counted.
    """
    client = side.connect()
    client.wait(client.send(task, _text(task, start), priority), _WARM_TASK_SECONDS)
    began = time.perf_counter() + 0.2

    def ask(place: int) -> float:
        due = began + place / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        handle = client.send(task, _text(task, start + 1 + place), priority)
        client.wait(handle, _WARM_TASK_SECONDS)
        return (time.perf_counter() - due) * 1e3

    with ThreadPoolExecutor(threads) as pool:
        return {"milliseconds": list(pool.map(ask, range(int(rate * seconds))))}


def _text(task: str, number: int) -> str:
    return short_text(number) if task == "noop" else text(number)


def _parts(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in itertools.count(0, size):
        part = values[start : start + size]
        if not part:
            return
        yield part


def main(arguments: Sequence[str]) -> None:
    """Run one command of one side."""
    name, command, options = arguments
    side = importlib.import_module(f"tests.benchmarks.sides.{name}")
    common: dict[str, Callable[..., Any]] = {"enqueue": enqueue, "latency": latency}
    if command in common:
        found = common[command](side, **json.loads(options))
    else:
        found = getattr(side, command)(**json.loads(options))
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
