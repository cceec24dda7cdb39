"""Views take what they show off what is stored, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from api.views import StoredView


@dataclass(frozen=True)
class Shelf:
    id: str
    tenant: str
    notes: Any


class ShelfView(StoredView):
    id: str
    object: Literal["shelf"] = "shelf"
    notes: dict[str, str]


def test_what_has_no_field_is_not_shown() -> None:
    shown = ShelfView.of(Shelf("s1", "acme", MappingProxyType({"名": "书"})))
    assert shown.model_dump() == {"id": "s1", "object": "shelf", "notes": {"名": "书"}}


def test_what_is_not_as_it_should_be_is_an_error() -> None:
    with pytest.raises(ValidationError, match="notes"):
        ShelfView.of(Shelf("s1", "acme", 7))
