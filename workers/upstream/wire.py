"""Questions for a text, and the text as it comes in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.chat import ChatInput
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from workers.generation.requests import FinishReason, Generation
from workers.upstream.errors import UpstreamBroken, refusal
from workers.upstream.question import Question

_COMPLETIONS: Final = "/completions"
_CHAT: Final = "/chat/completions"


def ask(model: str, given: ModelInput) -> Question:
    """Make a request of an item as its task encoded it; ``model`` is the upstream's name.

    >>> ask("large", GenerationInput("今天", "zh", GenerationSpec(8, stop=("。",)))).body
    {'model': 'large', 'prompt': '今天', 'max_tokens': 8, 'temperature': 0.0, 'stop': ['。']}
    """
    spec = given.spec if isinstance(given, GenerationInput) else GenerationSpec()
    body: dict[str, Any] = {
        "model": model,
        **_said(given),
        "max_tokens": spec.max_new_tokens,
        "temperature": spec.temperature,
    }
    if spec.temperature > 0:
        body |= {"seed": spec.seed, "top_p": spec.top_p}
        if spec.top_k:
            body["top_k"] = spec.top_k
    if spec.stop:
        body["stop"] = list(spec.stop)
    if spec.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return Question(_CHAT if "messages" in body else _COMPLETIONS, body)


def _said(given: ModelInput) -> dict[str, Any]:
    if isinstance(given, ChatInput):
        return {"messages": [{"role": role, "content": text} for role, text in given.messages]}
    return {"prompt": given.text}


@dataclass(slots=True)
class TextAnswer:
    """A text as it comes in, whole or piece by piece."""

    model: str
    pieces: list[str] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def take(self, event: Any) -> str:
        """Take a whole answer or one event of a stream; returns the text that it adds.

        Raises:
            ModelError: it is an error, or none of what was asked for.
        """
        try:
            return self._take(event)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise UpstreamBroken(f"{self.model} answered another shape than was asked for") from (
                error
            )

    def result(self) -> Generation:
        """The text, once it has ended.

        Raises:
            UpstreamBroken: it has not.
        """
        if self.finish_reason is None:
            raise UpstreamBroken(f"{self.model} did not say why the text ended")
        return self.so_far(self.finish_reason)

    def so_far(self, reason: FinishReason) -> Generation:
        """What there is of the text, ended for that reason."""
        text = "".join(self.pieces)
        return Generation(text, reason, self.prompt_tokens, self.completion_tokens)

    def _take(self, event: Any) -> str:
        if (error := event.get("error")) is not None:
            status = error.get("status", error.get("code"))
            raise refusal(self.model, status if isinstance(status, int) else 500, event, None)
        if usage := event.get("usage"):
            self.prompt_tokens = int(usage.get("prompt_tokens") or 0)
            self.completion_tokens = int(usage.get("completion_tokens") or 0)
        if not event["choices"]:
            return ""  # the last event of a stream, with nothing but its usage
        choice = event["choices"][0]
        text = _text(choice)
        if text:
            self.pieces.append(text)
        if reason := choice.get("finish_reason"):
            self.finish_reason = FinishReason.LENGTH if reason == "length" else FinishReason.STOP
        return text


def _text(choice: Mapping[str, Any]) -> str:
    if "text" in choice:
        return str(choice["text"] or "")
    part = choice["delta"] if "delta" in choice else choice["message"]
    return str(part.get("content") or "")


def event_of(line: bytes) -> Any:
    r"""Event of a line of a stream; None for a line without one, and for its end.

    >>> event_of(b'data: {"choices": []}\n'), event_of(b": ping\n"), event_of(b"data: [DONE]\n")
    ({'choices': []}, None, None)

    Raises:
        ValueError: it is no JSON.
    """
    name, _, data = line.strip().partition(b":")
    data = data.strip()
    return None if name != b"data" or data == b"[DONE]" else orjson.loads(data)
