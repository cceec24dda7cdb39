"""Translation of texts of any length, sentence by sentence, between English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp import cleaning_steps as steps
from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.language import Language, detect_language

PAIRS: Final = ("en-zh", "zh-en")
"""Source and target of each pair that is translated without naming a ``model``."""

Code = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class TranslationOptions(TaskOptions):
    """From which language into which: two-letter codes, such as ``zh``.

    ``target`` is required. ``source`` is found out for each text where it is left out;
    ``language`` is another name for it. Without a ``model`` the pairs are ``en-zh`` and
    ``zh-en``; a model that is named has its own, and answers ``unsupported_pair`` for others.
    """

    language: Language | None = None
    source: Code | None = None
    target: Code

    @model_validator(mode="after")
    def _pair_is_served(self) -> Self:
        source = self.given_source
        if self.language is not None and source != self.language:
            raise ValueError(
                f"language is {self.language!r} and source {self.source!r}, which mean the same; "
                "leave one out"
            )
        if self.model is None and not served(source, self.target):
            pair = f"{source}-{self.target}" if source else f"into {self.target!r}"
            raise ValueError(
                f"{pair} is not translated; the pairs are {', '.join(PAIRS)}, unless a `model` "
                "for others is named"
            )
        return self

    @property
    def given_source(self) -> str | None:
        """The source as far as it is given, under either name."""
        return self.source or self.language


def served(source: str | None, target: str) -> bool:
    """Whether the default model has that pair, or any into ``target`` if there is no source.

    >>> served("en", "zh"), served("zh", "zh"), served(None, "en"), served(None, "fr")
    (True, False, True, False)
    """
    if source is None:
        return any(pair.endswith(f"-{target}") for pair in PAIRS)
    return f"{source}-{target}" in PAIRS


class TranslationOutput(BaseModel):
    """The translation, line breaks as in the text that was sent.

    ``finish_reason`` is ``length`` where a sentence became as long as one may become and was
    ended there. ``truncated`` says that a sentence, longer than the model reads even after
    cutting it at its punctuation, lost its end. ``unknown_tokens`` counts what of the text
    the model has no token for and leaves out. Tokens are the model's own, of all
    ``sentences`` together.
    """

    model_config = ConfigDict(extra="forbid")

    text: str
    source: str
    target: str
    finish_reason: Literal["stop", "length"]
    truncated: bool
    sentences: int
    unknown_tokens: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class TranslationInput(ModelInput):
    """A cleaned text with its line breaks, its language, and the one it is wanted in."""

    target: str = ""


class Translated(TypedDict):
    """What an engine finds, in the words of TranslationOutput."""

    text: str
    finish_reason: Literal["stop", "length"]
    truncated: bool
    sentences: int
    unknown_tokens: int
    prompt_tokens: int
    completion_tokens: int


class Translation(Task[TranslationOptions, TranslationOutput]):
    """Translate one text. The engine's raw result is a Translated."""

    name = "translation"
    summary = "Translate a text from English into Chinese or from Chinese into English."
    engine = "translator"
    options_model = TranslationOptions
    output_model = TranslationOutput
    examples = (
        Example("今天天气很好。", {"target": "en"}),
        Example("我们明天去学校。", {"target": "en"}),
        Example("I don't know what to do.", {"target": "zh"}),
        Example("She likes tea. He likes coffee.\nWhere do you live?", {"target": "zh"}),
    )

    def encode(self, item: str, options: TranslationOptions) -> TranslationInput:
        """Clean the text but for its line breaks and punctuation, and find its language.

        Raises:
            InvalidInput: the language that was found is none that is translated into the
                target.
        """
        text = clean_lines(item)
        source = options.given_source or detect_language(text)
        if options.model is None and not served(source, options.target):
            raise InvalidInput(
                f"the text was found to be in {source!r}, which is not translated into "
                f"{options.target!r}; the pairs are {', '.join(PAIRS)}. Name its `source` if it "
                "is in another language",
                "source",
                "unsupported_pair",
            )
        return TranslationInput(text, source, options.target)

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: TranslationOptions
    ) -> TranslationOutput:
        """Say between which languages the translation is."""
        return TranslationOutput(source=model_input.language, target=options.target, **raw)


def clean_lines(text: str) -> str:
    r"""``text`` without invisible characters, letters of plain width, lines tidy but kept.

    >>> clean_lines(" Ｈｉ\u200b  there，\r\n\r\n 好！ \n")
    'Hi there，\n\n好！'
    """
    plain = steps.narrow_letters(steps.remove_invisible(text))
    return "\n".join(steps.tidy_spaces(line) for line in plain.splitlines()).strip()
