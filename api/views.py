"""What all lists and views of stored things have in common."""

from __future__ import annotations

from typing import Annotated, Final, Self

from fastapi import Query
from pydantic import BaseModel, ConfigDict

MAX_PAGE: Final = 100

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
"""How many a page of a list holds."""


class StoredView(BaseModel):
    """A view whose fields are named as those of what is stored."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, stored: object) -> Self:
        """View of something stored; what has no field here is not shown."""
        return cls.model_validate(stored)
