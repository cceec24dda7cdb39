"""Bodies of compatible requests: known fields alone, each checked, and named when wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.faults import first_fault
from lepton_tasks.queues import Priority

ServiceTier = Literal["auto", "default", "flex", "priority"]

PRIORITIES: Final[Mapping[str | None, Priority]] = {
    None: Priority.HIGH,
    "auto": Priority.HIGH,
    "priority": Priority.HIGH,
    "default": Priority.NORMAL,
    "flex": Priority.BULK,
}
"""Priority of a call's job by its ``service_tier``: somebody waits, so it is high by itself."""


class Body(BaseModel):
    """What every compatible request may have. ``user`` and the like are taken and not used."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str | None = None
    service_tier: ServiceTier | None = None
    user: str | None = None
    safety_identifier: str | None = None

    @property
    def priority(self) -> Priority:
        """Priority of its job."""
        return PRIORITIES[self.service_tier]


BodyT = TypeVar("BodyT", bound=Body)


def read_body(given: Mapping[str, Any], kind: type[BodyT]) -> BodyT:
    """Check the fields of a body; null counts as left out.

    >>> read_body({"modle": "m"}, Body)
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: modle is not supported here; the parameters are: model, ...

    Raises:
        InvalidInput: a field is not supported or has a wrong value; ``param`` names it.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    for name in fields:
        if name not in kind.model_fields:
            known = ", ".join(kind.model_fields)
            raise InvalidInput(
                f"{name} is not supported here; the parameters are: {known}",
                name,
                "unsupported_parameter",
            )
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        place, says = first_fault(error, fields, "")
        param = place.removeprefix(".") or _missing(error)
        raise InvalidInput(f"{param}: {says}", param, "invalid_value") from error


def _missing(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
