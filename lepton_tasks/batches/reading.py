"""The lines of a file that was found whole, as what they ask of tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

import orjson

from lepton_tasks.batches.request_lines import LineFault, RequestLine, read_line
from lepton_tasks.bulk.lines import Problem
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item
from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.nlp.retrieval import corpus_of
from lepton_tasks.openai.failures import WireFailure, refusal
from lepton_tasks.openai.names import renamed
from lepton_tasks.openai.wire import WireEndpoint, WireRequest, refuse_stream
from lepton_tasks.requests import Admission

logger = logging.getLogger(__name__)

_KNOWN_WORKS: Final = 256
_SORTED: Final = orjson.OPT_SORT_KEYS
_BROKEN: Final = WireFailure(
    500, "internal_error", "this line could not be read; tell the operator"
)


class Work(NamedTuple):
    """What is asked of items: a task, and its checked options as JSON."""

    task: str
    options: bytes


@dataclass(frozen=True, slots=True)
class AskingLine:
    """A line whose body its endpoint takes. ``reply`` makes the answer's body."""

    number: int
    id: str
    items: tuple[Any, ...]
    work: Work
    reply: WireRequest
    size: int

    problem: ClassVar[None] = None
    final: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line whose body its endpoint does not take; ``reply`` says why."""

    number: int
    id: str
    reply: WireFailure

    items: ClassVar[tuple[()]] = ()
    work: ClassVar[None] = None
    final: ClassVar[bool] = False

    @property
    def problem(self) -> Problem:
        """What is wrong with it."""
        return Problem(self.reply.code, self.reply.message)

    @property
    def size(self) -> int:
        """About how many characters the answer takes."""
        return len(self.id) + len(self.reply.message)


class RequestReader:
    """Makes of each line what it asks, by what is in the line alone.

    So the same lines always ask the same. Whether a corpus that a line names is there, a
    worker finds out.
    """

    def __init__(self, endpoint: WireEndpoint, admission: Admission) -> None:
        """Read lines that ask ``endpoint``; ``admission`` knows the tasks."""
        self._endpoint = endpoint
        self._admission = admission
        self._works: dict[tuple[str, bytes], tuple[AnyTask, Work, str | None]] = {}

    def read(
        self, lines: Iterable[bytes | None], after: int = 0
    ) -> Iterator[AskingLine | RefusedLine]:
        """Read the lines whose numbers are greater than ``after``; blank ones are passed over."""
        for number, raw in enumerate(lines, 1):
            if number <= after:
                continue
            line = read_line(number, raw, self._endpoint.path)
            if isinstance(line, RequestLine):
                yield self._line(line, len(raw or b""))
            elif isinstance(line, LineFault):
                failure = WireFailure(400, line.code, line.message, line.param)
                yield RefusedLine(number, "", failure)

    def _line(self, line: RequestLine, size: int) -> AskingLine | RefusedLine:
        try:
            request = self._endpoint.read(line.body)
            try:
                return self._admitted(line, request, size)
            except InvalidInput as error:
                raise renamed(error, request.names) from error
        except InvalidInput as error:
            return RefusedLine(line.number, line.custom_id, refusal(error))
        except Exception as error:  # noqa: BLE001 - one line must not hold up all others
            # Without the traceback, which may quote the line.
            logger.error("line %d could not be read: %s", line.number, type(error).__name__)
            return RefusedLine(line.number, line.custom_id, _BROKEN)

    def _admitted(self, line: RequestLine, request: WireRequest, size: int) -> AskingLine:
        refuse_stream(request)
        task, work, corpus = self._work(request.task, request.options)
        if request.single:
            items = (admit_item(request.inputs[0], task, "input", corpus),)
        else:
            items = tuple(
                [
                    admit_item(item, task, f"inputs[{place}]", corpus)
                    for place, item in enumerate(request.inputs)
                ]
            )
        return AskingLine(line.number, line.custom_id, items, work, request, size)

    def _work(self, name: str, options: Mapping[str, Any]) -> tuple[AnyTask, Work, str | None]:
        try:
            asked = (name, orjson.dumps(dict(options), option=_SORTED))
        except TypeError as error:
            raise InvalidInput(
                "options are nested too deeply", "options", "invalid_type"
            ) from error
        known = self._works.get(asked)
        if known is None:
            task = self._admission.task(name)
            checked = self._admission.check_options(task, options)
            work = Work(task.name, orjson.dumps(checked, option=_SORTED))
            known = (task, work, corpus_of(task, checked))
            if len(self._works) >= _KNOWN_WORKS:
                self._works.clear()
            self._works[asked] = known
        return known
