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

_CHARACTERS_PER_TOKEN: Final = 4


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
        """Take the texts as they are; a token is four characters."""
        return [Encoded(1 + len(one.text) // _CHARACTERS_PER_TOKEN, one) for one in inputs]

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Run all rules over each text."""
        return [self._spans(one.tokens) for one in batch]

    def _spans(self, text: RedactionInput) -> Raw:
        return {"spans": [asdict(one) for one in find_personal_data(text.text, text.regions)]}
