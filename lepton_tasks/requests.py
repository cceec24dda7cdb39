"""From what a producer wrote to a validated job: one rule for HTTP, Python, Celery and files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import ValidationError

from lepton_tasks.conversations import NewTurn, new_turn
from lepton_tasks.errors import InvalidInput, UnknownTask
from lepton_tasks.faults import first_fault
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.nlp.admission import admit_item, find_surrogate
from lepton_tasks.nlp.base import texts_of
from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.nlp.retrieval import corpus_of
from lepton_tasks.queues import Priority, parse_priority

MAX_TTL_SECONDS: Final = 30 * 86_400
MAX_METADATA_KEYS: Final = 16
MAX_KEY_LENGTH: Final = 255
MAX_URL_LENGTH: Final = 2_048


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job as a producer wrote it, nothing checked yet. Exactly one of input, inputs is set.

    ``run_at`` is in Unix seconds.
    """

    task: Any
    input: Any = None
    inputs: Any = None
    options: Any = None
    priority: Any = Priority.NORMAL
    ttl_seconds: Any = None
    run_at: Any = None
    webhook: Any = None
    metadata: Any = None
    idempotency_key: str | None = None

    @property
    def reads_store(self) -> bool:
        """Whether admission looks something up for it, which takes a moment."""
        return isinstance(self.options, Mapping) and "corpus" in self.options

    def body_hash(self) -> str:
        """Hash of what was asked, to tell a repeated request from another with the same key."""
        fields = [
            self.task,
            self.input,
            self.inputs,
            self.options,
            self.priority,
            self.ttl_seconds,
            self.run_at,
            self.webhook,
            self.metadata,
        ]
        return hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Admission:
    """The gate: turns requests into jobs, or says which field is wrong."""

    def __init__(
        self,
        tasks: Mapping[str, AnyTask],
        max_items: int,
        has_corpus: Callable[[str, str], bool] | None = None,
        conversation_seconds: float | None = None,
    ) -> None:
        """Take jobs of ``tasks`` with at most ``max_items`` inputs.

        ``has_corpus`` says whether a tenant has a corpus; without it, a worker finds out.
        ``conversation_seconds`` is how long a conversation that a job begins is kept without
        a turn, None for ever.
        """
        self.tasks = tasks
        self._max_items = max_items
        self._has_corpus = has_corpus
        self._conversation_seconds = conversation_seconds
        self._need_options = {
            name
            for name, task in tasks.items()
            if any(field.is_required() for field in task.options_model.model_fields.values())
        }

    def task(self, name: object) -> AnyTask:
        """Find a task by name.

        Raises:
            UnknownTask: there is none; the message lists those that exist.
        """
        if isinstance(name, str) and name in self.tasks:
            return self.tasks[name]
        shown = name[:80] if isinstance(name, str) else name
        raise UnknownTask(f"there is no task {shown!r}; the tasks are: {', '.join(self.tasks)}")

    def admit(self, tenant: str, request: JobRequest) -> NewJob:
        """Check every field of a request.

        Raises:
            InvalidInput: a field is wrong; ``param`` names it.
            StoreUnavailable: a corpus is named, and the database is away.
        """
        task = self.task(request.task)
        priority = parse_priority(request.priority)
        options = self.check_options(task, request.options)
        corpus = corpus_of(task, options)
        single, inputs = self._inputs(task, request, corpus)
        for place, item in enumerate(inputs):
            task.check_fit(item, options, "input" if single else f"inputs[{place}]")
        if corpus is not None:
            self.check_corpus(tenant, corpus)
        if request.idempotency_key is not None:
            check_key(request.idempotency_key)
        return NewJob(
            tenant=tenant,
            task=task.name,
            payload=Payload(inputs, single, options),
            cost=task.job_cost(inputs, options),
            priority=priority,
            run_at=check_number(request.run_at, "run_at", 0, 32_503_680_000),
            ttl_seconds=check_number(request.ttl_seconds, "ttl_seconds", 0.001, MAX_TTL_SECONDS),
            webhook=check_webhook_url(request.webhook),
            metadata=check_metadata(request.metadata),
            idempotency_key=request.idempotency_key,
            body_hash=request.body_hash() if request.idempotency_key is not None else None,
            turn=self._turn(task, options, inputs, single=single),
        )

    def _turn(
        self, task: AnyTask, options: Mapping[str, Any], inputs: Sequence[Any], *, single: bool
    ) -> NewTurn | None:
        if not task.conversational:
            return None
        checked = task.options_model.model_validate(dict(options))
        return new_turn(checked, inputs, self._conversation_seconds, single=single)

    def check_options(self, task: AnyTask, options: object) -> dict[str, Any]:
        """Check a task's options; returns them as JSON values, defaults left out.

        Raises:
            InvalidInput: an option is unknown or wrong; ``param`` is ``options.<name>``.
        """
        if options is None:
            if task.name not in self._need_options:
                return {}
            options = {}
        if not isinstance(options, Mapping):
            raise InvalidInput("options must be an object", "options", "invalid_type")
        known = task.options_model.model_fields
        for name in options:
            if name not in known:
                shown, there_are = str(name)[:80], ", ".join(sorted(known))
                raise InvalidInput(
                    f"{task.name} has no option {shown!r}; its options are {there_are}",
                    f"options.{shown}",
                    "invalid_option",
                )
        try:
            checked = task.options_model.model_validate(dict(options))
        except ValidationError as error:
            place, says = first_fault(error, options, "options")
            raise InvalidInput(f"{place}: {says}", place, "invalid_option") from error
        values: dict[str, Any] = checked.model_dump(mode="json", exclude_unset=True)
        for place, text in texts_of(values):
            if not text.isascii() and find_surrogate(text) is not None:
                raise InvalidInput(
                    f"options{place} holds half of a surrogate pair; send well-formed Unicode",
                    f"options{place}",
                    "invalid_unicode",
                )
        return values

    def check_corpus(self, tenant: str, corpus: str) -> None:
        """Refuse a corpus that the tenant does not have; reads the store, if there is one.

        Raises:
            InvalidInput: there is none, or it was deleted.
            StoreUnavailable: the database is away.
        """
        if self._has_corpus is not None and not self._has_corpus(tenant, corpus):
            raise InvalidInput(
                f"there is no corpus {corpus!r}; POST /v1/corpora or `lepton corpora create` "
                "makes one",
                "options.corpus",
                "corpus_not_found",
            )

    def _inputs(
        self, task: AnyTask, request: JobRequest, corpus: str | None
    ) -> tuple[bool, tuple[Any, ...]]:
        if (request.input is None) == (request.inputs is None):
            raise InvalidInput("send exactly one of input and inputs", "input", "invalid_input")
        if request.inputs is None:
            return True, (admit_item(request.input, task, "input", corpus),)
        inputs = request.inputs
        if isinstance(inputs, str | bytes) or not isinstance(inputs, Sequence):
            raise InvalidInput("inputs must be an array", "inputs", "invalid_type")
        if not inputs:
            raise InvalidInput("inputs is empty; send at least one", "inputs", "empty_inputs")
        if len(inputs) > self._max_items:
            raise InvalidInput(
                f"inputs has {len(inputs):,} items, a job takes at most {self._max_items:,}; "
                "send several jobs, or a file with `lepton batch run`",
                "inputs",
                "too_many_inputs",
            )
        return False, tuple(
            admit_item(item, task, f"inputs[{place}]", corpus) for place, item in enumerate(inputs)
        )


def check_webhook_url(url: object) -> str | None:
    """Check the form of a webhook URL; where it leads is checked again when it is used.

    >>> check_webhook_url("https://example.test/hook")
    'https://example.test/hook'

    Raises:
        InvalidInput: it is not an absolute http(s) URL, or carries credentials.
    """
    if url is None:
        return None
    if not isinstance(url, str) or len(url) > MAX_URL_LENGTH or not url.isascii():
        raise InvalidInput(
            f"webhook must be an ASCII URL of at most {MAX_URL_LENGTH} characters", "webhook"
        )
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidInput(f"webhook is not a URL: {error}", "webhook") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput("webhook must be an absolute http or https URL", "webhook")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("webhook must not carry a user name or password", "webhook")
    if any(character.isspace() or ord(character) < 32 for character in url):
        raise InvalidInput("webhook must not hold blanks or control characters", "webhook")
    return url


def check_number(value: object, param: str, least: float, most: float) -> float | None:
    """Check a number that may be left out.

    Raises:
        InvalidInput: it is no number between ``least`` and ``most``.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(f"{param} must be a number", param, "invalid_type")
    if not least <= value <= most:
        raise InvalidInput(f"{param} must be between {least:,} and {most:,}", param)
    return float(value)


def check_metadata(metadata: object) -> dict[str, str]:
    """Check what a tenant notes on something of its own.

    Raises:
        InvalidInput: it is no object of a few short strings.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise InvalidInput("metadata must be an object", "metadata", "invalid_type")
    if len(metadata) > MAX_METADATA_KEYS:
        raise InvalidInput(f"metadata takes at most {MAX_METADATA_KEYS} keys", "metadata")
    for key, value in metadata.items():
        if not isinstance(key, str) or not 1 <= len(key) <= 64:
            raise InvalidInput("metadata keys must be strings of 1 to 64 characters", "metadata")
        if not isinstance(value, str) or len(value) > 512:
            raise InvalidInput(
                "metadata values must be strings of at most 512 characters", f"metadata.{key}"
            )
        if not is_storable(key) or not is_storable(value):
            raise InvalidInput("metadata must be well-formed Unicode without NUL", "metadata")
    return dict(metadata)


def check_key(key: str) -> None:
    """Check an idempotency key.

    Raises:
        InvalidInput: it is empty, too long, or cannot be stored.
    """
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not is_storable(key):
        raise InvalidInput(
            f"Idempotency-Key must have 1 to {MAX_KEY_LENGTH} characters", "Idempotency-Key"
        )


def is_storable(text: str) -> bool:
    """Whether both kinds of database take a text."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
