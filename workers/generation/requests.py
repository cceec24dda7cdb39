"""What goes into the generator and what comes out: plain data, no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GeneratedText, GenerationInput, GenerationSpec
from workers.errors import ModelError


class GenerationRefused(ModelError):
    """A request that this generator could never run; the message says what to change."""

    code = "generation_refused"


class ContextExceeded(GenerationRefused):
    """Prompt and text together are longer than the model can hold; nothing is cut silently."""

    code = "context_exceeded"


class GenerationFailed(ModelError):
    """The model could not go on with one request."""

    code = "generation_failed"


class FinishReason(StrEnum):
    """Why a text ended."""

    STOP = "stop"
    """The model said so, or a stop string came."""
    LENGTH = "length"
    """It has as many tokens as were asked for."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A prompt, tokenised, and how to go on from it.

    ``id`` is unique among the requests held; ``rank`` 0 is the most urgent; ``alone`` says
    that nothing else may run beside it.
    """

    id: str
    prompt: Sequence[int]
    spec: GenerationSpec
    rank: int = 1
    tenant: str = ""
    alone: bool = False

    @classmethod
    def of(
        cls,
        request_id: str,
        model_input: ModelInput,
        prompt: Sequence[int],
        rank: int,
        tenant: str,
        *,
        alone: bool = False,
    ) -> GenerationRequest:
        """Make a request of an item as its task encoded it, and its tokens."""
        spec = model_input.spec if isinstance(model_input, GenerationInput) else GenerationSpec()
        return cls(request_id, prompt, spec, rank, tenant, alone)

    @property
    def most_tokens(self) -> int:
        """Tokens that prompt and text may have together."""
        return len(self.prompt) + self.spec.max_new_tokens


@dataclass(frozen=True, slots=True)
class Generation:
    """A text, finished or cut off. The counts are in tokens, the model's end token included."""

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int

    def raw(self) -> GeneratedText:
        """Return it as a task's ``decode`` takes it."""
        return GeneratedText(
            text=self.text,
            finish_reason=self.finish_reason.value,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            truncated=False,
        )


OnDevice = Callable[[Sequence[str]], None]
"""Takes the ids of the requests that are on the device from now on; none when all went well."""
OnText = Callable[[str], None]
"""Takes the next piece of a text, whole characters only."""
OnDone = Callable[[Generation | Exception], None]
"""Takes how a request ended; called once."""
