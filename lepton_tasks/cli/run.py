"""``lepton run``: a task on a text, here and now, in a process of the model side."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import orjson
import typer

from lepton_tasks.cli.handover import become, require_package
from lepton_tasks.cli.values import read_json, read_values
from lepton_tasks.conversations import refuse_turn
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import AnyTask, find_tasks
from lepton_tasks.nlp.retrieval import corpus_of
from lepton_tasks.requests import Admission, JobRequest
from lepton_tasks.settings import load_settings

_COMMANDS: Final = {"training": "`lepton train`", "compression": "`lepton models compress`"}
"""Those that send jobs which take long, by their tasks."""


def run(
    task: Annotated[str, typer.Argument(help="What to do, such as moderation.")],
    text: Annotated[
        list[str] | None,
        typer.Argument(help="One text or several; standard input is one text when left out."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A field of an item of several texts."),
    ] = None,
    given: Annotated[
        str, typer.Option("--input", help="The item as JSON; a JSON array is several items.")
    ] = "",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of the task, JSON or a bare text."),
    ] = None,
    language: Annotated[str, typer.Option(help="en or zh; found out when left out.")] = "",
    model: Annotated[
        str, typer.Option(help="Model of the catalogue; the task's default when left out.")
    ] = "",
    device: Annotated[
        str, typer.Option(help="cpu, cuda or cuda:N; LEPTON_DEVICE when left out.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, as a job's result has it.")
    ] = False,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Print a text while it is written, as on a terminal anyway; nothing but it.",
        ),
    ] = None,
) -> None:
    """Run a task on a text, here and now: no server, no queue, no database.

    The model is loaded for this one answer, which takes a second or more: `lepton up`
    keeps models warm. `lepton models list` shows tasks and models. What is wrong with a
    text, a field or an option is told as the server would tell it.

    A field or option given several times is a list. A text that begins with a dash goes
    behind `--`.

    On a terminal a text that a model writes appears while it is written, and Ctrl-C ends
    it; how it ended is told on standard error.

    Exit codes: 0 done; 1 the model cannot be loaded or failed; 2 wrong input or usage;
    130 interrupted.

    For example:

        lepton run moderation "You played well today."

        lepton run moderation "这家店的服务真好，下次还来"

        lepton run moderation --option block_at=0.8 --json "滚回去吧" "谢谢你"

        lepton run moderation < letter.txt

        lepton run question-answering --field question="谁写了《红楼梦》？"
        --field context="《红楼梦》是清代作家曹雪芹所作。"

        lepton run chat "你好，请推荐一个景点"

        lepton run generation "今天" --stream --option max_tokens=40

        lepton run moderation --input '["Good morning", "早上好"]'
    """
    settings = load_settings()
    if device:
        settings = settings.model_copy(update={"device": device})
    gate = Admission(find_tasks(), settings.max_items_per_job)
    chosen = gate.task(task)
    if not chosen.interactive:
        raise InvalidInput(
            f"{chosen.name} takes minutes to hours: it is a job of a running system, by "
            f"{_COMMANDS.get(chosen.name, 'POST /v1/jobs')} or Producer.submit",
            "task",
        )
    options = read_values(option or [], "--option", chosen.options_model.model_json_schema())
    options |= {name: value for name, value in (("language", language), ("model", model)) if value}
    streams = _streams(chosen, stream, as_json)
    if streams:
        options["stream"] = True
    items = _items(chosen, text or [], field or [], given)
    request = (
        JobRequest(chosen.name, inputs=items, options=options)
        if isinstance(items, list)
        else JobRequest(chosen.name, input=items, options=options)
    )
    admitted = gate.admit(settings.default_tenant, request)
    refuse_turn(admitted.turn, "`lepton run`")
    payload = admitted.payload
    if corpus_of(chosen, payload.options) is not None:
        raise InvalidInput(
            "lepton run looks into no corpus, since it needs no database; use `lepton batch run`, "
            "POST /v1/jobs or Producer.submit",
            "--option",
        )
    require_package("workers", "worker")
    message = {
        "task": chosen.name,
        "inputs": payload.inputs,
        "single": payload.single,
        "options": payload.options,
        "json": as_json,
        "stream": streams,
    }
    # The texts do not fit every command line, where others could also read them.
    become([sys.executable, "-m", "workers.oneshot"], settings, orjson.dumps(message))


def _streams(task: AnyTask, asked: bool | None, as_json: bool) -> bool:
    """Whether a text is printed while it is written: as asked, else on a terminal."""
    writes = "stream" in task.options_model.model_fields
    if asked and not writes:
        raise InvalidInput(f"{task.name} writes no text, so there is nothing to stream", "--stream")
    if asked and as_json:
        raise InvalidInput("--stream prints text, and --json one object; leave one out", "--stream")
    return writes and not as_json and (sys.stdout.isatty() if asked is None else asked)


def _items(task: AnyTask, texts: list[str], fields: list[str], given: str) -> Any:
    """What is to be admitted: one item, or a list of several."""
    if sum(map(bool, (texts, fields, given))) > 1:
        raise InvalidInput("give texts, --field or --input, only one of the three", "input")
    if given:
        return read_json(given, "--input")
    if fields:
        if task.item_model is None:
            raise InvalidInput(f"an item of {task.name} is one text; give it bare", "--field")
        return read_values(fields, "--field", task.input_schema())
    if task.from_text("") is None:
        names = " and ".join(f"--field {name}=…" for name in _needed(task))
        raise InvalidInput(
            f"an item of {task.name} has fields; use {names}, or --input with JSON", "input"
        )
    if texts:
        items = [task.from_text(text) for text in texts]
        return items if len(items) > 1 else items[0]
    if sys.stdin.isatty():
        raise InvalidInput("give a text, or send one on standard input", "input")
    try:
        return task.from_text(sys.stdin.buffer.read().decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"standard input is not UTF-8 at byte {error.start}; convert it", "input"
        ) from error


def _needed(task: AnyTask) -> list[str]:
    fields = {} if task.item_model is None else task.item_model.model_fields
    return [name for name, one in fields.items() if one.is_required()] or list(fields)
