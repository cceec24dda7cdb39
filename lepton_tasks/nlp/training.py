"""Training: labelled texts become a version of a classifier, raw ones of a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lepton_tasks.errors import InvalidInput
from lepton_tasks.labelled import LabelCounts, LabelledRow, check_relative
from lepton_tasks.nlp.base import Example, Task, TaskItem, TaskOptions
from lepton_tasks.nlp.language import Language
from lepton_tasks.nlp.long_running import LongRunInput
from lepton_tasks.raw_texts import text_fault

MOST_ROWS: Final = 10_000
"""Rows that a job may carry itself; more come as a file."""
MOST_TEXTS: Final = 50_000
"""Documents that a job may carry itself."""
MODEL_NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
LANGUAGE_MODEL: Final = "language-model"
Method = Literal["ngram-head", "encoder-head", "lora", "top-layers", "language-model"]


class TrainingItem(TaskItem):
    """What to learn from: ``rows``, ``texts``, or a ``file`` of either.

    Send one of the three. Classifiers learn from ``rows``, language models from ``texts``, each of
    them a document. ``file`` is a path inside ``LEPTON_DATA_FOLDER`` of the workers: JSON Lines
    (UTF-8) with ``text`` and ``label``, or with ``text`` alone; or, for a language model and by
    any other name than ``….jsonl``, plain text in which blank lines separate documents.
    """

    rows: list[LabelledRow] | None = Field(default=None, max_length=MOST_ROWS)
    texts: list[str] | None = Field(default=None, max_length=MOST_TEXTS)
    file: str | None = Field(default=None, max_length=1_024)

    @field_validator("file")
    @classmethod
    def _inside(cls, path: str | None) -> str | None:
        return path if path is None else check_relative(path)

    @model_validator(mode="after")
    def _can_be_trained_on(self) -> TrainingItem:
        if sum(part is not None for part in (self.rows, self.texts, self.file)) != 1:
            raise ValueError("send exactly one of rows, texts and file")
        fault = None
        if self.rows is not None:
            counts = LabelCounts("rows", lambda place: f"rows[{place}]")
            for place, row in enumerate(self.rows):
                counts.add(row.label, place)
            fault = counts.fault()
        elif self.texts is not None:
            fault = text_fault("texts", len(self.texts), sum(map(len, self.texts)))
        if fault is not None:
            raise ValueError(fault)
        return self


class TrainingOptions(TaskOptions):
    """What to make of the rows, or of the texts.

    ``model`` is the catalogue name of what is made: each training adds a version to it, and
    ``serve`` makes that the one that jobs get; the first of a name that the catalogue does not have
    serves at once. ``base`` is a text classifier of the catalogue to go on from; its labels are
    kept where all of the rows' are among them. ``task`` is what the model will serve: the base's,
    else classification.

    ``ngram-head`` learns weights of hashed n-grams, ``encoder-head`` weights over the vectors of
    the base's encoder, ``lora`` also tunes the last ``layers`` (2) of that encoder by low-rank
    adapters of ``rank`` (16), ``top-layers`` a copy of these layers, whole; with ``rank`` it is
    stored as the nearest adapters of that rank. ``epochs`` are passes over the rows for both of
    these, rounds of ten steps for heads.

    ``language-model`` learns a tokenizer and a decoder for the task generation, from nothing:
    ``vocabulary`` tokens (4,096), ``layers`` (3) of ``width`` (160), ``steps`` (1,000) of ``batch``
    (4) pieces of ``context`` (512) tokens, at the learning rate ``rate`` (0.003). A prompt
    and what is written fit into ``context`` together.

    ``holdout`` is the share that is kept to measure with: 0.2 of the rows, 0.05 of the texts. With
    ``require_better`` a model that is not better on them than its base, or than always saying the
    commonest label where there is no base, is not published: its F1 has to be higher, its accuracy
    not lower. A language model has to beat n-grams of its tokens. ``language`` is that of all rows,
    found out from each when left out. The same rows, options and ``seed`` give the same weights.
    """

    language: Language | None = None
    model: str = Field(pattern=MODEL_NAME)
    method: Method = "ngram-head"
    base: str | None = Field(default=None, max_length=128)
    task: Literal["classification", "sentiment"] | None = None
    epochs: int | None = Field(default=None, ge=1, le=100)
    layers: int | None = Field(default=None, ge=1, le=24)
    rank: int | None = Field(default=None, ge=1, le=128)
    steps: int | None = Field(default=None, ge=1, le=1_000_000)
    width: int | None = Field(default=None, ge=32, le=1_024, multiple_of=32)
    vocabulary: int | None = Field(default=None, ge=300, le=1 << 16)
    context: int | None = Field(default=None, ge=16, le=4_096)
    batch: int | None = Field(default=None, ge=1, le=256)
    rate: float | None = Field(default=None, gt=0, le=1)
    seed: int = Field(default=7, ge=0, le=2**31 - 1)
    holdout: float | None = Field(default=None, ge=0.05, le=0.5)
    require_better: bool = False
    serve: bool = False

    @field_validator("base", "task", "epochs")
    @classmethod
    def _of_classifiers(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("method") == LANGUAGE_MODEL:
            raise ValueError(f"{LANGUAGE_MODEL} does not take it; leave it out")
        return value

    @field_validator("rank")
    @classmethod
    def _of_layers(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("method") not in ("lora", "top-layers", None):
            raise ValueError("only the methods lora and top-layers take it")
        return value

    @field_validator("steps", "width", "vocabulary", "context", "batch", "rate")
    @classmethod
    def _of_language_models(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("method") not in (LANGUAGE_MODEL, None):
            raise ValueError(f"only the method {LANGUAGE_MODEL} takes it")
        return value


class HeldOut(BaseModel):
    """How a classifier did on the rows that were held out. ``f1`` is the mean over labels."""

    model_config = ConfigDict(extra="forbid")

    accuracy: float
    f1: float


class Perplexity(BaseModel):
    """How a language model did on the documents of one language that were held out.

    Perplexity is a token, of ``tokens`` of them; ``ngrams`` is that of an interpolated Kneser-Ney
    model of four tokens. Bits a byte can be compared between tokenizers.
    """

    model_config = ConfigDict(extra="forbid")

    tokens: int
    perplexity: float
    ngrams: float
    bits_per_byte: float


class LanguageModelReport(BaseModel):
    """A decoder that was trained. ``tokens`` and ``bytes`` are those that it was trained on."""

    model_config = ConfigDict(extra="forbid")

    parameters: int
    vocabulary: int
    context: int
    steps: int
    tokens: int
    bytes: int
    held_out: dict[str, Perplexity]


class TrainingOutput(BaseModel):
    """What was made, and how good it is.

    ``trained`` and ``held_out`` count rows, or documents; those of the same text count once, in
    ``rows`` by language. ``base`` is missing where there was none, or it knows other labels;
    ``majority`` always says the commonest label. ``language_model`` is the report on one, in the
    place of these. ``warnings`` say what to mind of the data. ``resumed`` says that a checkpoint of
    an interrupted run was gone on from.
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    version: str
    served: bool
    task: str
    method: Method
    labels: list[str]
    languages: list[str]
    rows: dict[str, int]
    warnings: list[str]
    trained: int
    held_out: int
    new: HeldOut | None
    base: HeldOut | None
    majority: HeldOut | None
    language_model: LanguageModelReport | None = None
    resumed: bool
    seconds: float


class Training(Task[TrainingOptions, TrainingOutput]):
    """Train one model of one set of rows or texts."""

    name = "training"
    summary = (
        "Train a text classifier on labelled rows, or a language model on raw text, and publish it "
        "as a version of a model."
    )
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
        Example(
            {"file": "diary.txt"},
            {"model": "my-writer", "method": "language-model", "steps": 2_000, "layers": 3},
        ),
    )

    def model_of(self, options: TrainingOptions) -> str | None:
        """The trainer: ``model`` is what it makes."""
        return None

    def check_fit(self, item: Mapping[str, Any], options: Mapping[str, Any], param: str) -> None:
        """Refuse rows for a language model, and texts for a classifier.

        Raises:
            InvalidInput: ``param`` is the field.
        """
        method = options.get("method", "ngram-head")
        wrong, wanted = ("rows", "texts") if method == LANGUAGE_MODEL else ("texts", "rows")
        if item.get(wrong) is not None:
            place = f"{param}.{wrong}"
            raise InvalidInput(
                f"{place}: the method {method} takes {wanted}, or a file", place, "invalid_item"
            )

    def encode(self, item: Any, options: TrainingOptions) -> LongRunInput:
        """Hand rows and options on as they are; texts are cleaned where they are used."""
        return LongRunInput.of(item, options)

    def decode(
        self, raw: Mapping[str, Any], model_input: Any, options: TrainingOptions
    ) -> TrainingOutput:
        """Check what the trainer reports."""
        return TrainingOutput.model_validate(raw)
