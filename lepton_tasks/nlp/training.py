"""Training: labelled texts and a base model become a new version of a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lepton_tasks.labelled import LabelCounts, LabelledRow, check_relative
from lepton_tasks.nlp.base import Example, Task, TaskItem, TaskOptions
from lepton_tasks.nlp.language import Language
from lepton_tasks.nlp.long_running import LongRunInput

MOST_ROWS: Final = 10_000
"""Rows that a job may carry itself; more come as a file."""
MODEL_NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
Method = Literal["ngram-head", "encoder-head", "lora", "top-layers"]


class TrainingItem(TaskItem):
    """What to learn from: ``rows``, or a ``file`` of such rows as JSON Lines (UTF-8).

    Send one of the two. ``file`` is a path inside ``LEPTON_DATA_FOLDER`` of the workers.
    """

    rows: list[LabelledRow] | None = Field(default=None, max_length=MOST_ROWS)
    file: str | None = Field(default=None, max_length=1_024)

    @field_validator("file")
    @classmethod
    def _inside(cls, path: str | None) -> str | None:
        return path if path is None else check_relative(path)

    @model_validator(mode="after")
    def _can_be_trained_on(self) -> TrainingItem:
        if (self.rows is None) == (self.file is None):
            raise ValueError("send exactly one of rows and file")
        if self.rows is not None:
            counts = LabelCounts("rows", lambda place: f"rows[{place}]")
            for place, row in enumerate(self.rows):
                counts.add(row.label, place)
            if (fault := counts.fault()) is not None:
                raise ValueError(fault)
        return self


class TrainingOptions(TaskOptions):
    """What to make of the rows.

    ``model`` is the catalogue name of what is made: each training adds a version to it, and
    ``serve`` makes that the one that jobs get. ``base`` is a text classifier of the catalogue
    to go on from; its labels are kept where all of the rows' are among them. ``task`` is
    what the model will serve: the base's, else classification.

    ``ngram-head`` learns weights of hashed n-grams, ``encoder-head`` weights over the vectors of
    the base's encoder, ``lora`` also tunes the last ``layers`` (2) of that encoder by low-rank
    adapters, ``top-layers`` a copy of these layers, whole. ``epochs`` are passes over the rows for
    both of these, rounds of ten steps for heads.

    ``holdout`` is the share of the rows that are kept to measure with. With ``require_better`` a
    model that is not better on them than its base, or than always saying the commonest label
    where there is no base, is not published: its F1 has to be higher, its accuracy not lower.
    ``language`` is that of all rows, found out from each when left out. The same rows, options and
    ``seed`` give the same weights.
    """

    language: Language | None = None
    model: str = Field(pattern=MODEL_NAME)
    base: str | None = Field(default=None, max_length=128)
    task: Literal["classification", "sentiment"] | None = None
    method: Method = "ngram-head"
    epochs: int | None = Field(default=None, ge=1, le=100)
    layers: int | None = Field(default=None, ge=1, le=12)
    seed: int = Field(default=7, ge=0, le=2**31 - 1)
    holdout: float = Field(default=0.2, ge=0.05, le=0.5)
    require_better: bool = False
    serve: bool = False


class HeldOut(BaseModel):
    """How a classifier did on the rows that were held out. ``f1`` is the mean over labels."""

    model_config = ConfigDict(extra="forbid")

    accuracy: float
    f1: float


class TrainingOutput(BaseModel):
    """What was made, and how good it is.

    ``trained`` and ``held_out`` count rows; rows of the same text count once. ``base`` is
    missing where there was none, or it knows other labels; ``majority`` always says the commonest
    label. ``resumed`` says that a checkpoint of an interrupted run was gone on from.
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    version: str
    served: bool
    task: str
    method: Method
    labels: list[str]
    languages: list[str]
    trained: int
    held_out: int
    new: HeldOut
    base: HeldOut | None
    majority: HeldOut
    resumed: bool
    seconds: float


class Training(Task[TrainingOptions, TrainingOutput]):
    """Train one model of one set of rows."""

    name = "training"
    summary = "Train a text classifier on labelled rows and publish it as a version of a model."
    engine = "trainer"
    interactive = False
    item_model = TrainingItem
    options_model = TrainingOptions
    output_model = TrainingOutput
    max_characters = 4_000_000
    max_bytes = 4 * 1024 * 1024
    examples = (
        Example(
            {
                "rows": [
                    {"text": "My parcel never came.", "label": "delivery"},
                    {"text": "The courier left it in the rain.", "label": "delivery"},
                    {"text": "When will my order arrive?", "label": "delivery"},
                    {"text": "It has been on its way for two weeks.", "label": "delivery"},
                    {"text": "The driver could not find the house.", "label": "delivery"},
                    {"text": "I was charged twice.", "label": "payment"},
                    {"text": "The refund has not reached my card.", "label": "payment"},
                    {"text": "Can I pay by invoice?", "label": "payment"},
                    {"text": "The discount code was refused.", "label": "payment"},
                    {"text": "Why is there a fee on my bill?", "label": "payment"},
                ]
            },
            {"model": "our-tickets"},
        ),
        Example(
            {
                "rows": [
                    {"text": "快递到现在还没送到", "label": "物流"},
                    {"text": "包裹被放在雨里淋湿了", "label": "物流"},
                    {"text": "我的订单什么时候发货？", "label": "物流"},
                    {"text": "物流信息三天没有更新", "label": "物流"},
                    {"text": "派送員找不到門牌", "label": "物流"},
                    {"text": "同一笔订单扣了两次款", "label": "付款"},
                    {"text": "退款还没有到账", "label": "付款"},
                    {"text": "可以开发票吗？", "label": "付款"},
                    {"text": "優惠券用不了", "label": "付款"},
                    {"text": "账单上怎么多了手续费", "label": "付款"},
                ]
            },
            {"model": "our-tickets", "method": "ngram-head", "require_better": True},
        ),
        Example({"file": "reviews.jsonl"}, {"model": "our-reviews", "base": "sentiment"}),
    )

    def model_of(self, options: TrainingOptions) -> str | None:
        """The trainer: ``model`` is what it makes."""
        return None

    def encode(self, item: Any, options: TrainingOptions) -> LongRunInput:
        """Hand rows and options on as they are; texts are cleaned where they are used."""
        return LongRunInput.of(item, options)

    def decode(
        self, raw: Mapping[str, Any], model_input: Any, options: TrainingOptions
    ) -> TrainingOutput:
        """Check what the trainer reports."""
        return TrainingOutput.model_validate(raw)
