"""What tasks that are not interactive share: an input for a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel

from lepton_tasks.nlp.base import ModelInput, TaskItem


@dataclass(frozen=True, slots=True)
class LongRunInput(ModelInput):
    """One item as a process of its own takes it: ``request`` is JSON of its item and options."""

    request: str

    @classmethod
    def of(cls, item: TaskItem, options: BaseModel) -> LongRunInput:
        """Make the input of an item and the options of its job."""
        request = {
            "item": item.model_dump(mode="json", exclude_none=True),
            "options": options.model_dump(mode="json"),
        }
        return cls("", "und", orjson.dumps(request).decode())

    def read(self) -> Mapping[str, Any]:
        """The item and the options, as JSON values."""
        found: Mapping[str, Any] = orjson.loads(self.request)
        return found
