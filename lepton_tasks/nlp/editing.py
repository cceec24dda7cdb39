"""Editing: a text in English or Chinese corrected or reworded, with every change told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.language import Language, detect_language

Instruction = Literal["fix", "shorten", "formal", "polite"]
INSTRUCTIONS: Final[tuple[Instruction, ...]] = get_args(Instruction)

Share = Annotated[float, Field(ge=0.0, le=1.0)]
_MOST_TERMS: Final = 100
_LONGEST_TERM: Final = 100


class EditingOptions(TaskOptions):
    """What to do with a text, and what to leave alone.

    ``fix`` corrects spaces, marks, repeated words, capitals, a few slips of grammar, and typos.
    ``shorten`` leaves out fillers and shortens phrases; it drops no sentence. ``formal`` writes
    contractions out and replaces words of speech. ``polite`` asks: please, could you, 您, 请.
    Links, addresses, code, numbers, handles and emoji stay as they are, and so does whatever
    stands in ``protect``, up to 100 terms. Edits with a lower score than ``min_score`` are not
    made. ``language`` limits the rules to those of one language; when left out, each rule keeps
    to the parts of a text that are in its own.
    """

    language: Language | None = None
    instruction: Instruction = "fix"
    protect: tuple[str, ...] = ()
    min_score: Share = 0.0

    @field_validator("instruction", mode="before")
    @classmethod
    def _instruction_exists(cls, value: object) -> object:
        if value not in INSTRUCTIONS:
            raise ValueError(f"there is no such instruction; there are {', '.join(INSTRUCTIONS)}")
        return value

    @field_validator("protect")
    @classmethod
    def _terms_are_short(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > _MOST_TERMS:
            raise ValueError(f"{len(value)} terms; at most {_MOST_TERMS} can be protected")
        for place, term in enumerate(value):
            if not term or len(term) > _LONGEST_TERM:
                raise ValueError(f"term {place} must have 1 to {_LONGEST_TERM} characters")
        return value


class Edit(BaseModel):
    """``after`` in the place of ``before``, characters ``start`` to ``end`` of the sent text.

    ``kind`` is ``spacing``, ``punctuation``, ``repeat``, ``casing``, ``grammar``, ``typo`` or
    ``wording``. ``score`` is 1 for a rule that leaves no doubt, the model's for a typo.
    """

    model_config = ConfigDict(extra="forbid")

    start: int
    end: int
    before: str
    after: str
    kind: str
    score: float


class EditingOutput(BaseModel):
    """The edited text. The edits, in order and disjoint, make it out of the text that was sent.

    ``diff`` is the sent text with what went between ``[-`` and ``-]`` and what came between
    ``{+`` and ``+}``, as ``git diff --word-diff`` writes it.
    """

    model_config = ConfigDict(extra="forbid")

    text: str
    changed: bool
    diff: str
    edits: list[Edit]
    instruction: Instruction
    language: str


@dataclass(frozen=True, slots=True)
class EditingInput(ModelInput):
    """A text as it was sent, what to do with it, and terms that stay as they are.

    ``only`` is the language whose rules alone may be used; all that fit when None.
    """

    instruction: Instruction
    protect: tuple[str, ...]
    only: Language | None


class Editing(Task[EditingOptions, EditingOutput]):
    """Edit one text.

    The engine's raw result has ``edits``: ``start``, ``end``, ``after``, ``kind`` and ``score``
    of each, disjoint and in order of the text that was sent.
    """

    name = "editing"
    summary = "Correct spacing, punctuation and typos of a text, or reword it, with a diff."
    engine = "editor"
    options_model = EditingOptions
    output_model = EditingOutput
    examples = (
        Example("i has a  apple ,and she recieved teh book from my freind.See example.com!"),
        Example("我们我们明天去公圆散步,请通知大家."),
        Example("I can't come, thanks for asking!!", {"instruction": "formal"}),
        Example("说实话，你要是没空的话，就算了。", {"instruction": "shorten"}),
        Example("帮我看一下，你什么时候有空？", {"instruction": "polite"}),
        Example(
            "In order to win, we actually need lepton-taskz.",
            {"instruction": "shorten", "protect": ["lepton-taskz"]},
        ),
        Example("請幫我檢查這份報告,謝謝！", {"min_score": 0.9}),
    )

    def encode(self, item: str, options: EditingOptions) -> EditingInput:
        """Leave the text as it is, since edits count its characters."""
        language = options.language or detect_language(item)
        return EditingInput(item, language, options.instruction, options.protect, options.language)

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: EditingOptions
    ) -> EditingOutput:
        """Make the edits that are sure enough."""
        given = model_input.text
        edits = [
            Edit(before=given[one["start"] : one["end"]], **one)
            for one in raw["edits"]
            if one["score"] >= options.min_score
        ]
        return EditingOutput(
            text=apply_edits(given, edits),
            changed=bool(edits),
            diff="".join(_marked(given, edits)),
            edits=edits,
            instruction=options.instruction,
            language=model_input.language,
        )


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """Make ``edits``, disjoint and in order, in ``text``.

    >>> edit = Edit(start=1, end=3, before="  ", after=" ", kind="spacing", score=1)
    >>> apply_edits("a  b", [edit])
    'a b'
    """
    parts: list[str] = []
    at = 0
    for one in edits:
        parts += (text[at : one.start], one.after)
        at = one.end
    return "".join((*parts, text[at:]))


def _marked(text: str, edits: Sequence[Edit]) -> Iterable[str]:
    at = 0
    for one in edits:
        yield text[at : one.start]
        if one.before:
            yield f"[-{one.before}-]"
        if one.after:
            yield f"{{+{one.after}+}}"
        at = one.end
    yield text[at:]
