"""Compression: a classifier's weights in fewer bits, published if its answers hardly change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.nlp.base import Example, Task, TaskItem, TaskOptions
from lepton_tasks.nlp.language import Language
from lepton_tasks.nlp.long_running import LongRunInput

MOST_TEXTS: Final = 2_000
Bits = Literal["int8", "fp16"]


class CompressionItem(TaskItem):
    """What to compare answers on: ``texts`` of the kind that the model gets."""

    texts: list[str] = Field(min_length=1, max_length=MOST_TEXTS)


class CompressionOptions(TaskOptions):
    """What to compress, and how far answers may move.

    ``model`` is a text classifier of the catalogue; the result is a version of it, which
    ``serve`` makes that which jobs get. ``to`` is how weights are stored: ``int8`` with a scale
    a column, or ``fp16``. It is not published where a score differs by more than ``max_drift`` on
    any text, or the highest label by more than the share ``max_flips`` of the texts.
    ``language`` is that of all texts, found out from each when left out.
    """

    language: Language | None = None
    model: str = Field(max_length=128)
    to: Bits = "int8"
    max_drift: float = Field(default=0.05, gt=0, le=1)
    max_flips: float = Field(default=0.01, ge=0, le=1)
    serve: bool = False


class CompressionOutput(BaseModel):
    """What was made, and how its answers differ from those of the model as it was.

    ``max_drift`` and ``mean_drift`` are of all scores of all ``texts``, ``flips`` the share of
    texts whose highest label is another. ``bytes`` are of the weights' file; ``speed`` is
    texts a second over those of the model as it was, measured in turns in the same run.
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    version: str
    served: bool
    to: Bits
    texts: int
    max_drift: float
    mean_drift: float
    flips: float
    bytes_before: int
    bytes: int
    speed: float


class Compression(Task[CompressionOptions, CompressionOutput]):
    """Compress one model."""

    name = "compression"
    summary = "Store a text classifier in fewer bits, and publish it if its answers hardly change."
    engine = "compressor"
    interactive = False
    item_model = CompressionItem
    options_model = CompressionOptions
    output_model = CompressionOutput
    max_characters = 4_000_000
    max_bytes = 4 * 1024 * 1024
    examples = (
        Example(
            {"texts": ["We will come again.", "Nobody apologised.", "The meeting is at nine."]},
            {"model": "sentiment"},
        ),
        Example(
            {"texts": ["味道很好，下次再来", "等了两个小时，菜是凉的", "會議改到週二上午九點"]},
            {"model": "sentiment", "to": "int8", "max_drift": 0.02},
        ),
    )

    def model_of(self, options: CompressionOptions) -> str | None:
        """The compressor: ``model`` is what it compresses."""
        return None

    def encode(self, item: Any, options: CompressionOptions) -> LongRunInput:
        """Hand texts and options on as they are; texts are cleaned where they are used."""
        return LongRunInput.of(item, options)

    def decode(
        self, raw: Mapping[str, Any], model_input: Any, options: CompressionOptions
    ) -> CompressionOutput:
        """Check what the compressor reports."""
        return CompressionOutput.model_validate(raw)
