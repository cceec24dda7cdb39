"""Jobs that name a text classifier: one that does not exist is refused before it is queued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.services import Services
from lepton_tasks.errors import InvalidInput
from lepton_tasks.jobs import NewJob

ENGINE: Final = "text-classifier"
NAMED_BY: Final[Mapping[str, str]] = {"training": "base", "compression": "model"}
"""The option that names one, by task."""


async def check_classifier(services: Services, job: NewJob) -> None:
    """Refuse a job that goes on from a model which is no text classifier of the catalogue.

    Where the catalogue cannot be listed, and for a tenant whose job would not run, nothing
    is looked at.

    Raises:
        InvalidInput: ``options.base`` or ``options.model`` names none.
    """
    option = NAMED_BY.get(job.task)
    name = None if option is None else job.payload.options.get(option)
    may = services.settings.may_train
    if name is None or not ({job.tenant, "*"} & may):
        return
    known = await services.models.of_engine(ENGINE)
    if known and name not in known:
        param = f"options.{option}"
        raise InvalidInput(
            f"{param}: {name!r} is no text classifier of the catalogue; those are "
            f"{', '.join(sorted(known))}",
            param,
            "invalid_option",
        )
