"""``python -m workers.oneshot``: the answer to one admitted request, read from standard input.

``lepton run`` starts it with ``{"task", "inputs", "single", "options", "json", "stream"}``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import BaseModel

from lepton_tasks.errors import ConfigError, InvalidInput, LeptonError
from lepton_tasks.nlp.registry import AnyTask, get_task
from lepton_tasks.readable import readable
from lepton_tasks.settings import load_settings
from workers.catalogue.entries import CatalogueEntry, choose, load_catalogue
from workers.errors import CatalogueError

if TYPE_CHECKING:
    from workers.engines.base import Engine

_INTERRUPTED: Final = 130


def main() -> int:
    """Answer; returns the exit code: 1 for a model that fails, 2 for a wrong name, 130."""
    try:
        _run(orjson.loads(sys.stdin.buffer.read()))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except LeptonError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, InvalidInput | ConfigError | CatalogueError) else 1
    except (ValueError, TypeError, RuntimeError, MemoryError) as error:
        # The texts are the caller's own, so what is said of them may be shown.
        print(f"error: no answer: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _run(request: Mapping[str, Any]) -> None:
    settings = load_settings()
    task = get_task(request["task"])
    options = task.options_model.model_validate(request["options"])
    entry = choose(load_catalogue(settings), task.name, task.model_of(options))
    answer = answer_request(
        task, entry, settings.device, request["inputs"], options, stream=request["stream"]
    )
    if answer is None:
        return
    shown = render(answer, single=request["single"], as_json=request["json"])
    sys.stdout.buffer.write(shown.encode() + b"\n")


def answer_request(
    task: AnyTask,
    entry: CatalogueEntry,
    device: str,
    items: Sequence[Any],
    options: Any,
    *,
    stream: bool = False,
) -> dict[str, Any] | None:
    """Load the model, telling so on stderr, and answer: ``{"model": …, "outputs": […]}``.

    With ``stream`` the texts of a model that writes go to standard output as they are written,
    what else there is to say to stderr, and None is returned.
    """
    # Torch takes a second to import, which the note covers, as does an interrupt.
    _note(f"loading the model {entry.name} …")
    began = time.monotonic()
    from workers.engines.loader import load_engine
    from workers.generation.writing import WritingEngine
    from workers.offline import answer_all
    from workers.telling import tell

    engine = load_engine(task.name, {entry.name: entry}, device, entry.name)
    _note(f"loaded in {time.monotonic() - began:.1f} s")
    if stream and isinstance(engine, WritingEngine):
        told = answer_of(engine, entry, tell(task, engine, items, options, sys.stdout))
        _note("".join(f"{_ending(one)}\n" for one in told["outputs"]) + _named(told["model"]))
        return None
    return answer_of(engine, entry, answer_all(task, engine, items, options))


def answer_of(
    engine: Engine, entry: CatalogueEntry, outputs: Sequence[BaseModel]
) -> dict[str, Any]:
    """The outputs with the model that made them, as a job's result has them."""
    model: dict[str, Any] = {"name": engine.name, "revision": engine.revision}
    if entry.demo:
        model["demo"] = True
    return {"model": model, "outputs": [one.model_dump(mode="json") for one in outputs]}


def render(answer: Mapping[str, Any], *, single: bool, as_json: bool) -> str:
    """The answer as JSON, or as lines for people; a ``single`` item's output stands bare."""
    model, outputs = answer["model"], answer["outputs"]
    if as_json:
        body = {"output": outputs[0]} if single else {"outputs": outputs}
        return orjson.dumps({"model": model, **body}, option=orjson.OPT_INDENT_2).decode()
    parts = [readable(one) for one in outputs]
    if not single:
        parts = [f"[{number}]\n{part}" for number, part in enumerate(parts, 1)]
    return "\n\n".join([*parts, _named(model)])


def _named(model: Mapping[str, Any]) -> str:
    """The model of an answer, in brackets."""
    name = f"{model['name']} {model['revision']}"
    if model.get("demo"):
        name += ": a demonstration, not a model to rely on"
    return f"({name})"


def _ending(output: Mapping[str, Any]) -> str:
    """How a text ended.

    >>> _ending({"usage": {"prompt_tokens": 2, "completion_tokens": 18}, "finish_reason": "stop"})
    '18 tokens, stop'
    """
    return f"{output['usage']['completion_tokens']:,} tokens, {output['finish_reason']}"


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
