"""Redaction: personal data in a text, in English or Chinese, found by patterns and masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.language import Language, detect_language
from lepton_tasks.nlp.masking import (
    Found,
    Mask,
    disjoint,
    placeholders,
    replacements,
    substitute,
)
from lepton_tasks.nlp.regions import REGIONS

TYPES = (
    "email",
    "url",
    "ip_address",
    "phone",
    "bank_card",
    "iban",
    "cn_id",
    "us_ssn",
    "passport",
    "driver_licence",
    "licence_plate",
    "im_account",
    "date_of_birth",
    "person_name",
    "address",
)
"""Kinds of personal data, in the order of the documentation."""
_REGIONS_OF = {"en": ("US",), "zh": ("CN",)}
_MOST_REGIONS = 4

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class RedactionOptions(TaskOptions):
    """What to look for and how to mask it.

    ``types`` are the kinds to mask, all when left out. ``mask`` is ``label`` ("[EMAIL]") or
    ``same-length`` (a star a character). ``regions`` are up to four countries whose national
    phone numbers are read: by the language when left out, CN for Chinese, US for English, none
    for other texts, where only numbers with a country code are sure. ``min_score`` leaves out
    what weaker rules find. With ``vault`` placeholders are numbered and the answer holds what
    each stands for.
    """

    language: Language | None = None
    types: tuple[str, ...] | None = None
    mask: Mask = "label"
    regions: tuple[str, ...] | None = None
    min_score: Share = 0.5
    vault: bool = False

    @field_validator("types")
    @classmethod
    def _types_exist(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and not value:
            raise ValueError("name at least one type, or leave types out for all of them")
        if unknown := sorted(set(value or ()) - set(TYPES)):
            raise ValueError(f"unknown type {unknown[0]!r}; the types are {', '.join(TYPES)}")
        return value

    @field_validator("regions")
    @classmethod
    def _regions_exist(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len(value) > _MOST_REGIONS:
            raise ValueError(f"{len(value)} regions; at most {_MOST_REGIONS} can be asked for")
        if unknown := sorted(set(value or ()) - REGIONS):
            raise ValueError(f"unknown region {unknown[0]!r}; use ISO 3166 codes such as CN or US")
        return value

    @model_validator(mode="after")
    def _vault_needs_labels(self) -> RedactionOptions:
        if self.vault and self.mask != "label":
            raise ValueError("vault numbers the labels; use mask 'label' with it")
        return self


class RedactedSpan(BaseModel):
    """One masked place. ``start`` and ``end`` count characters of the text that was sent.

    ``score`` is the strength of the rule, not a probability. ``validated`` says that a check
    digit, a numbering plan or a parser agreed.
    """

    model_config = ConfigDict(extra="forbid")

    type: str
    start: int
    end: int
    score: float
    validated: bool
    replacement: str


class RedactionOutput(BaseModel):
    """The text without what was found.

    ``vault`` is there on request alone: what each placeholder stands for. It is as secret as
    the text itself; ``lepton_tasks.nlp.masking.restore`` puts the originals back.
    """

    model_config = ConfigDict(extra="forbid")

    text: str
    spans: list[RedactedSpan]
    language: str
    vault: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RedactionInput(ModelInput):
    """A text as it was sent, and the countries whose phone numbers are read in it."""

    regions: tuple[str, ...]


class Redaction(Task[RedactionOptions, RedactionOutput]):
    """Mask personal data. The engine's raw result is ``spans``: every candidate of every type."""

    name = "redaction"
    summary = "Mask personal data in a text: numbers with check digits, addresses, phones, names."
    engine = "patterns"
    options_model = RedactionOptions
    output_model = RedactionOutput
    types: ClassVar[tuple[str, ...]] = TYPES
    """Every type that an engine's spans may have."""
    examples = (
        Example("Call me at (415) 555-2671 or write to ada@example.org."),
        Example("我的手机号是13812345678，身份证号11010519491231002X。"),
        Example("请把钱转到卡号 6222 0212 3456 7890 128。", {"mask": "same-length"}),
        Example("IBAN: GB82 WEST 1234 5698 7654 32", {"types": ["iban"], "vault": True}),
        Example("Rufen Sie 030 901820 an.", {"regions": ["DE"]}),
    )

    def encode(self, item: str, options: RedactionOptions) -> RedactionInput:
        """Leave the text as it is, since spans count its characters; settle the regions."""
        language = options.language or detect_language(item)
        regions = options.regions
        if regions is None:
            regions = _REGIONS_OF.get(language, ())
        return RedactionInput(item, language, regions)

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: RedactionOptions
    ) -> RedactionOutput:
        """Choose among the candidates and mask what is left."""
        wanted = set(options.types or TYPES)
        spans = disjoint(
            one
            for one in (Found(**fields) for fields in raw["spans"])
            if one.type in wanted and one.score >= options.min_score
        )
        text = model_input.text
        by = placeholders(text, spans) if options.vault else replacements(text, spans, options.mask)
        vault = {label: text[one.start : one.end] for one, label in zip(spans, by, strict=True)}
        return RedactionOutput(
            text=substitute(text, spans, by),
            spans=[
                RedactedSpan(
                    type=one.type,
                    start=one.start,
                    end=one.end,
                    score=one.score,
                    validated=one.validated,
                    replacement=label,
                )
                for one, label in zip(spans, by, strict=True)
            ],
            language=model_input.language,
            vault=vault if options.vault else None,
        )
