"""What tasks that compare texts share: the input of several texts, cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.language import detect_language


@dataclass(frozen=True, slots=True)
class TextsInput(ModelInput):
    """An item of several texts: ``text`` and ``language`` are the first's, ``others`` follow."""

    others: tuple[ModelInput, ...] = ()

    @property
    def all_texts(self) -> tuple[ModelInput, ...]:
        """Every text, in order, with its own language."""
        return (ModelInput(self.text, self.language), *self.others)


def clean_input(text: str, language: str | None) -> ModelInput:
    r"""Clean a text and settle its language: the one given, else by its script.

    >>> clean_input("ｆｒｅｅ\u200b  tea", None), clean_input("茶", "en").language
    (ModelInput(text='free tea', language='en'), 'en')
    """
    cleaned = clean_text(text)
    return ModelInput(cleaned, language or detect_language(cleaned))


def texts_input(texts: Sequence[str], language: str | None) -> TextsInput:
    """Clean ``texts``, at least one, each in the given language or else its own."""
    first, *others = (clean_input(text, language) for text in texts)
    return TextsInput(first.text, first.language, tuple(others))
