"""The engine of redaction: rules in the place of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import ClassVar, Final

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.redaction import RedactionInput
from workers.engines.base import Encoded, Raw
from workers.redaction.finder import RULES_VERSION, find_personal_data

_CHARACTERS_PER_TOKEN: Final = 512
"""Characters of a text, of which all work is done while it is encoded, that count as a token."""


class Patterns:
    """A SimpleEngine whose raw result is ``spans``, each a Found as a mapping."""

    tunable: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.revision = (
            f"rules-{RULES_VERSION}-phonenumbers-{version('phonenumbers')}"
            f"-stdnum-{version('python-stdnum')}"
        )

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Run all rules over each text: here, where a text that takes too long fails alone.

        Raises:
            TypeError: an input is no RedactionInput.
        """
        return [self._encoded(one) for one in inputs]

    def _encoded(self, one: ModelInput) -> Encoded:
        if not isinstance(one, RedactionInput):
            raise TypeError(f"{self.name} takes RedactionInput, not {type(one).__name__}")
        spans = [asdict(found) for found in find_personal_data(one.text, one.regions)]
        return Encoded(1 + len(one.text) // _CHARACTERS_PER_TOKEN, {"spans": spans})

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Hand out what was found."""
        return [one.tokens for one in batch]
