"""``lepton batch``: whole files through a task."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import orjson
import typer
from rich.console import Console

from lepton_tasks.broker.connection import check_redis, connect
from lepton_tasks.bulk.plan import Plan, make_plan, readable
from lepton_tasks.bulk.progress import BarDisplay, PlainDisplay
from lepton_tasks.bulk.run import BatchRun
from lepton_tasks.bulk.shards import DEFAULT_SHARD_SIZE
from lepton_tasks.bulk.summary import Ending, Summary
from lepton_tasks.bulk.workspace import Mode, check_files, open_workspace
from lepton_tasks.cli.batch_state import cancel, list_batches, show
from lepton_tasks.cli.values import read_values
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.embedded.system import embedded_system
from lepton_tasks.errors import ConfigError, InvalidInput, LeptonError
from lepton_tasks.launcher.signals import interrupt_on_signals
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.producer import Producer
from lepton_tasks.requests import Admission
from lepton_tasks.settings import Settings, load_settings
from lepton_tasks.store.store import open_store
from lepton_tasks.webhooks.parting import let_go

app = typer.Typer(help="Run whole files through a task, and look after them.", no_args_is_help=True)

_FAILED = 1
_MARGIN_SECONDS = 2.0
_INTERRUPTED = 130
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="Input: .jsonl, .csv, .tsv, .parquet.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, as JSON Lines.")],
    task: Annotated[str, typer.Option(help="What to do with each text, such as moderation.")],
    errors: Annotated[
        Path | None,
        typer.Option(help="Lines without a result; by default OUTPUT with .errors.jsonl."),
    ] = None,
    priority: Annotated[str, typer.Option(help="high, normal or bulk.")] = "bulk",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of the task, JSON or a bare text."),
    ] = None,
    options: Annotated[str | None, typer.Option(help="All options, as a JSON object.")] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Table: the column with the text.")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Table: the column with your id.")] = None,
    webhook: Annotated[
        str | None, typer.Option(help="URL that is told, signed, when the files are complete.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start over; existing outputs are replaced.")
    ] = False,
    shard_size: Annotated[
        int, typer.Option(help="Lines that travel as one job.")
    ] = DEFAULT_SHARD_SIZE,
    start: Annotated[
        bool,
        typer.Option(help="Start the system for this run where none is running or configured."),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Run every line of FILE through a task, and write the results in order.

    A line of JSON Lines is a string, or an object with "text" and maybe "id":

        "今天的服务真不错"

        {"id": "c-17", "text": "Thanks, that was quick."}

    Where an item has fields, as a question has its context, "input" holds them:

        {"id": "q-3", "input": {"question": "Who?", "context": "It was Ada."}}

    FILE may also be a table: CSV, TSV or Parquet. --text-column names the column
    with the text; the fields of an item are read from the columns of their names.
    All but Parquet may be packed, as .gz or .zst.

    OUTPUT gets {"id", "line", "output"} for each. A line that cannot be read
    or that fails goes to the error file as {"line", "id", "error"}, and the
    rest goes on: each line of FILE that is not blank ends in exactly one of
    the two. Lines are numbered from 1; blank ones and the header of
    a CSV count; a row of Parquet has its number as line.

    Ctrl-C keeps what is done; the same command with --resume goes on from
    there, also after a crash. Memory does not grow with the file.

    Exit codes: 0 when all lines are accounted for; 1 when the run failed, was
    cancelled, or FILE ends in a broken part; 2 for wrong input or usage; 130
    when interrupted.

    For example:

        lepton batch run comments.jsonl --task moderation -o results.jsonl

        lepton batch run a.csv --text-column 内容 --task moderation -o a.jsonl

        lepton batch run qa.parquet --task question-answering --id-column nr -o qa.jsonl

        lepton batch run a.jsonl --task moderation --option block_at=0.8 -o b.jsonl

        lepton batch run big.jsonl.gz --task moderation -o big.jsonl --resume
    """
    settings = load_settings()
    if resume and overwrite:
        raise InvalidInput("--resume and --overwrite exclude each other", "--resume")
    mode = Mode.RESUME if resume else Mode.OVERWRITE if overwrite else Mode.NEW
    gate = Admission(find_tasks(), settings.max_items_per_job)
    if option:
        if options is not None:
            raise InvalidInput("--option and --options exclude each other", "--option")
        schema = gate.task(task).options_model.model_json_schema()
        options = orjson.dumps(read_values(option, "--option", schema)).decode()
    plan = make_plan(
        gate,
        settings.max_items_per_job,
        source=file,
        task=task,
        out=output,
        errors=errors,
        options=options,
        priority=priority,
        text_column=text_column,
        id_column=id_column,
        webhook=webhook,
        shard_size=shard_size,
    )
    check_files(plan, mode)
    with _system(settings, start) as (running, watch, is_ours):
        try:
            summary = _run(plan, mode, running, watch)
        except LeptonError:
            if plan.journal.exists():
                _say(f"what is done is kept; go on with:\n  {_resume_command(plan)}")
            raise
        if is_ours and webhook is not None and summary.ending is not Ending.INTERRUPTED:
            _wait_for_webhook(running, watch)
    _report(summary, plan, as_json)


app.command("list")(list_batches)
app.command()(show)
app.command()(cancel)


def _run(plan: Plan, mode: Mode, settings: Settings, watch: Callable[[], object]) -> Summary:
    check_redis(connect(settings.redis_url, 5.0))
    console = Console(stderr=True)
    with Producer(settings) as producer:
        if plan.corpus is not None:
            producer.admission.check_corpus(settings.default_tenant, plan.corpus)
        workspace = open_workspace(plan, mode)
        with workspace.outputs, _stop_on_signals() as stop:
            _say(f"batch {workspace.journal.batch_id}: {readable(plan.source)}")
            display = BarDisplay(console) if console.is_terminal else PlainDisplay(_say)
            with display:
                return BatchRun(workspace, producer, display, stop, watch).run()


def _wait_for_webhook(settings: Settings, watch: Callable[[], object]) -> None:
    """Let the webhook go before a system that was started for this run stops."""
    store = open_store(settings)
    try:
        if not let_go(store.deliveries, settings.webhook_timeout + _MARGIN_SECONDS, watch):
            _say("the webhook was not taken yet; it is kept and sent when `lepton up` runs")
    finally:
        store.close()


@contextmanager
def _system(
    settings: Settings, start: bool
) -> Iterator[tuple[Settings, Callable[[], object], bool]]:
    """Settings of a running system, a check that it still runs, and whether it began here.

    Starts one if need be.
    """
    try:
        running = running_settings(settings)
    except ConfigError:
        if not start:
            raise
    else:
        yield running, lambda: None, False
        return
    _say("nothing is running: starting the system for this run (`lepton up` keeps one)")
    with interrupt_on_signals(), embedded_system(settings, _say) as system:
        yield system.settings, system.check, True


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that the first signal sets; the second one ends the process at once."""
    stop = threading.Event()

    def request(number: int, frame: FrameType | None) -> None:
        stop.set()
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {number: signal.signal(number, request) for number in _STOP_SIGNALS}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _report(summary: Summary, plan: Plan, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(summary.dump(), option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(summary.table())
        typer.echo(
            f"batch    {summary.batch_id}\nresults  {summary.out}\nerrors   {summary.errors}"
        )
    if summary.ending is Ending.INTERRUPTED:
        _say(f"interrupted; what is done is kept. Go on with:\n  {_resume_command(plan)}")
        raise typer.Exit(_INTERRUPTED)
    if summary.ending is Ending.CANCELLED:
        _say("the batch was cancelled; lines that were not done are in the error file")
        raise typer.Exit(_FAILED)
    if summary.ending is Ending.INCOMPLETE:
        _say(f"{readable(plan.source)} has a broken end; see the last line of {summary.errors}")
        raise typer.Exit(_FAILED)


def _resume_command(plan: Plan) -> str:
    parts = ["lepton", "batch", "run", str(plan.source), "--task", plan.task.name]
    parts += ["-o", str(plan.out), "--errors", str(plan.errors), "--priority", str(plan.priority)]
    parts += ["--shard-size", str(plan.shard_size)]
    if plan.options:
        parts += ["--options", orjson.dumps(dict(plan.options)).decode()]
    for option, value in (
        ("--text-column", plan.text_column),
        ("--id-column", plan.id_column),
        ("--webhook", plan.webhook),
    ):
        if value is not None:
            parts += [option, value]
    return shlex.join([*parts, "--resume"])


def _say(line: str) -> None:
    typer.echo(line, err=True)
