"""A task that tells on itself: each computation of a text is written down before it happens.

A text is ``KEY VERB``: ``answer``, ``raise`` for an input that fails, ``kill`` for one that
takes the process down, ``sleep 0.5``. The answer names the worker that made it.
"""

from __future__ import annotations

from pydantic import BaseModel

from lepton_tasks.nlp.base import Example
from tests.support.passing_on import PassingOn


class ChaosOutput(BaseModel):
    """Which worker computed it."""

    by: str


class Chaos(PassingOn[ChaosOutput]):
    """Do what the text says, and say who did it."""

    name = "chaos"
    summary = "Do what the text says, and say who did it."
    engine = "chaos"
    output_model = ChaosOutput
    examples = (Example("warm answer"), Example("热 answer"))
