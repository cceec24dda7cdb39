"""Where an upstream is and how it is asked, read from its model's catalogue entry."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, field_validator
from yarl import URL

from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options
from workers.errors import CatalogueError


class UpstreamOptions(BaseModel):
    """The ``options`` of a catalogue entry.

    ``url`` is the base, with ``/v1`` where the server has it, ``model`` the name that the server
    knows the model by. ``key_variable`` names the environment variable of the worker that holds
    the key; the key itself stands nowhere. ``timeout`` is for how many seconds nothing may come:
    no answer, or no next piece of a streamed one. ``concurrency`` is how many requests are
    under way at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    model: str = Field(min_length=1, max_length=200)
    key_variable: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    timeout: float = Field(default=120.0, gt=0, le=3600)
    concurrency: int = Field(default=32, ge=1, le=4096)

    @field_validator("url")
    @classmethod
    def _is_a_base(cls, value: str) -> str:
        try:
            url = URL(value)
        except ValueError as error:
            raise ValueError("must be an absolute http or https URL") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("must be an absolute http or https URL")
        if url.user is not None or url.password is not None:
            raise ValueError("must not hold a key; name its variable in key_variable")
        if url.query_string or url.fragment:
            raise ValueError("must end with its path, such as https://host/v1")
        return value.rstrip("/")


def read_upstream(
    entry: CatalogueEntry, environment: Mapping[str, str] = os.environ
) -> tuple[UpstreamOptions, str | None]:
    """Return the options of ``entry`` and its key, None where it names none.

    >>> options = {"url": "http://vllm:8000/v1/", "model": "large"}
    >>> entry = CatalogueEntry(name="m", task="t", engine="openai-upstream", options=options)
    >>> read_upstream(entry)[0].url
    'http://vllm:8000/v1'

    Raises:
        CatalogueError: an option is wrong, or the key's variable is not set; the message
            names it and never what it holds.
    """
    options = read_options(entry, UpstreamOptions)
    if options.key_variable is None:
        return options, None
    key = environment.get(options.key_variable, "")
    if not key:
        raise CatalogueError(
            f"[{entry.name}] options.key_variable: the variable {options.key_variable} is not set "
            "where the worker runs"
        )
    if not key.isascii() or any(character.isspace() or character < " " for character in key):
        raise CatalogueError(
            f"[{entry.name}] options.key_variable: {options.key_variable} holds blanks, control "
            "characters or other than ASCII"
        )
    return options, key
