"""What a run is asked to do, checked before anything is started, written or queued."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from lepton_tasks.bulk.reader import LineReader
from lepton_tasks.bulk.shards import DEFAULT_SHARD_SIZE
from lepton_tasks.conversations import refuse_turn
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.nlp.retrieval import corpus_of
from lepton_tasks.queues import Priority, parse_priority
from lepton_tasks.requests import Admission, check_webhook_url

_HEAD_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """One file, one task, two outputs. Made by :func:`make_plan`."""

    source: Path
    out: Path
    errors: Path
    task: AnyTask
    options: Mapping[str, Any]
    priority: Priority
    text_column: str | None
    id_column: str | None
    webhook: str | None
    shard_size: int

    @property
    def corpus(self) -> str | None:
        """The corpus that the options name, of a task that looks into one."""
        return corpus_of(self.task, self.options)

    @property
    def journal(self) -> Path:
        """Where the progress of an unfinished run is kept."""
        return self.out.with_name(self.out.name + ".progress")

    def reader(self) -> LineReader:
        """Open the input at its beginning.

        Raises:
            InvalidInput: it cannot be read, or lacks a column.
        """
        return LineReader(self.source, self.task, self.text_column, self.id_column, self.corpus)

    def fingerprint(self) -> dict[str, Any]:
        """JSON values that must be the same for a run to be resumed."""
        facts = self.source.stat()
        with self.source.open("rb") as file:
            head = hashlib.sha256(file.read(_HEAD_BYTES)).hexdigest()
        return {
            "input": {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns, "head_sha256": head},
            "task": self.task.name,
            "limits": [self.task.max_characters, self.task.max_bytes],
            "options": dict(self.options),
            "priority": str(self.priority),
            "text_column": self.text_column,
            "id_column": self.id_column,
            "webhook": self.webhook,
            "shard_size": self.shard_size,
            "errors": readable(self.errors.absolute()),
        }


def make_plan(
    admission: Admission,
    max_items: int,
    *,
    source: Path,
    task: str,
    out: Path,
    errors: Path | None = None,
    options: str | None = None,
    priority: str = Priority.BULK,
    text_column: str | None = None,
    id_column: str | None = None,
    webhook: str | None = None,
    shard_size: int = DEFAULT_SHARD_SIZE,
) -> Plan:
    """Check everything that can be wrong about a run.

    ``max_items`` is the most lines a shard may hold, ``options`` a JSON object as text.

    Raises:
        InvalidInput: something is; the message names the file or the option.
    """
    if not 1 <= shard_size <= max_items:
        raise InvalidInput(f"--shard-size must be between 1 and {max_items:,}", "--shard-size")
    known = admission.task(task)
    if not known.interactive:
        raise InvalidInput(
            f"{known.name} takes minutes to hours and is nothing for each line of a file: submit a "
            f"job, by {'`lepton train`' if known.name == 'training' else 'POST /v1/jobs'} or "
            "Producer.submit",
            "--task",
        )
    checked = admission.check_options(known, _read_options(options))
    if known.conversational:
        refuse_turn(checked.get("conversation"), "a line of a file")
    plan = Plan(
        source=source,
        out=out,
        errors=errors or default_errors(out),
        task=known,
        options=checked,
        priority=parse_priority(priority),
        text_column=text_column,
        id_column=id_column,
        webhook=check_webhook_url(webhook),
        shard_size=shard_size,
    )
    with plan.reader():
        pass
    _check_outputs(plan)
    return plan


def default_errors(out: Path) -> Path:
    """Name of the error file that goes with an output file.

    >>> print(default_errors(Path("results.jsonl")), default_errors(Path("results")))
    results.errors.jsonl results.errors.jsonl
    """
    stem = out.stem if out.suffix == ".jsonl" else out.name
    return out.with_name(f"{stem}.errors.jsonl")


def readable(path: Path) -> str:
    r"""A path as text that every encoder takes, even where its bytes are no UTF-8.

    >>> readable(Path("评论.jsonl"))
    '评论.jsonl'
    >>> readable(Path(os.fsdecode(b"caf\xe9.jsonl"))) == r"caf\xe9.jsonl"
    True
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _read_options(options: str | None) -> Any:
    if options is None:
        return None
    try:
        return orjson.loads(options)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"--options is not JSON: {error}", "--options") from error


def _check_outputs(plan: Plan) -> None:
    files = {"FILE": plan.source, "--output": plan.out, "--errors": plan.errors}
    seen: dict[Path, str] = {plan.journal.resolve(): "the progress file"}
    for option, path in files.items():
        place = path.resolve()
        if place in seen:
            raise InvalidInput(f"{option} and {seen[place]} are the same file, {path}", option)
        seen[place] = option
    for option in ("--output", "--errors"):
        path = files[option]
        if not path.parent.is_dir():
            raise InvalidInput(f"{option}: there is no folder {path.parent}; make it", option)
        if path.suffix.lower() == ".parquet":
            raise InvalidInput(
                f"{option}: results are written as JSON Lines; call it .jsonl", option
            )
        if path.exists() and not path.is_file():
            raise InvalidInput(f"{option}: {path} is not a regular file", option)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise InvalidInput(f"{option}: {path} may not be written", option)
