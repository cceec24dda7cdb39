"""The paths whose bodies are understood, for calls that wait and for lines of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lepton_tasks.openai.chat import ChatCompletions
from lepton_tasks.openai.completions import Completions
from lepton_tasks.openai.embeddings import Embeddings
from lepton_tasks.openai.jobs import Jobs
from lepton_tasks.openai.moderations import Moderations
from lepton_tasks.openai.wire import WireEndpoint, WireRequest

__all__ = ["ENDPOINTS", "WireEndpoint", "WireRequest"]

_ALL: Final[tuple[WireEndpoint, ...]] = (
    Moderations(),
    Embeddings(),
    ChatCompletions(),
    Completions(),
    Jobs(),
)
ENDPOINTS: Final[Mapping[str, WireEndpoint]] = {one.path: one for one in _ALL}
"""By path. ``/v1/jobs`` is understood as lines of a batch send it."""
