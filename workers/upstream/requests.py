"""Items on their way to an upstream: nothing is tokenised here, the upstream counts."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One text to be written. ``rank`` 0 is the most urgent."""

    id: str
    given: ModelInput
    rank: int
    tenant: str

    @property
    def spec(self) -> GenerationSpec:
        """How it is written."""
        return self.given.spec if isinstance(self.given, GenerationInput) else GenerationSpec()

    @property
    def size(self) -> int:
        """Tokens that it may take, about, for taking turns."""
        return max(1, len(self.given.text) // 2) + self.spec.max_new_tokens


@dataclass(frozen=True, slots=True)
class UpstreamPrompt:
    """``Encoded.tokens`` of an upstream's item."""

    given: ModelInput

    def request(
        self, request_id: str, rank: int, tenant: str, *, alone: bool = False
    ) -> UpstreamRequest:
        """Make a request of it. Nothing runs on a device here, so a suspect is as any other."""
        return UpstreamRequest(request_id, self.given, rank, tenant)
