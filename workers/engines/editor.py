"""The engine of editing: rules, and two small models of typos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.editing import EditingInput
from workers.editing.chinese import FEATURES as CHINESE_FEATURES
from workers.editing.chinese import Confusions
from workers.editing.chinese_model import ChineseModel
from workers.editing.counts import HashedCounts
from workers.editing.english import FEATURES as ENGLISH_FEATURES
from workers.editing.english import EnglishModel
from workers.editing.fixing import Fixer, restyle
from workers.editing.lexicon import Lexicon
from workers.editing.scorer import Scorer
from workers.editing.typos import ChineseTypos, EnglishTypos
from workers.engines.base import Encoded, Raw
from workers.engines.folder import ModelFolder
from workers.errors import ModelRefused

FORMAT: Final = 1
"""Raised when the features change: folders of another format are refused."""
RULES_VERSION: Final = 1
"""Raised when a rule changes; a part of the revision."""
_CHARACTERS_PER_TOKEN: Final = 128
"""Characters of a text, of which all work is done while it is encoded, that count as a token."""


class Editor:
    """A SimpleEngine whose raw result is ``edits``, each a mapping."""

    tunable: ClassVar[bool] = False

    def __init__(self, name: str, revision: str, fixer: Fixer) -> None:
        self.name = name
        self.revision = revision
        self._fixer = fixer

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Edit each text: here, where a text that takes too long fails alone.

        Raises:
            TypeError: an input is no EditingInput.
        """
        return [self._encoded(one) for one in inputs]

    def _encoded(self, one: ModelInput) -> Encoded:
        if not isinstance(one, EditingInput):
            raise TypeError(f"{self.name} takes EditingInput, not {type(one).__name__}")
        if one.instruction == "fix":
            draft = self._fixer.fix(one.text, one.language, one.only, one.protect)
        else:
            draft = restyle(one.text, one.instruction, one.language, one.only, one.protect)
        edits = [
            {
                "start": change.start,
                "end": change.end,
                "after": change.after,
                "kind": change.kind,
                "score": change.score,
            }
            for change in draft.changes
        ]
        return Encoded(1 + len(one.text) // _CHARACTERS_PER_TOKEN, {"edits": edits})

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Hand out what was found."""
        return [one.tokens for one in batch]


def build_editor(name: str, folder: ModelFolder) -> Editor:
    """Put an engine together from a checked folder.

    Raises ModelRefused where the config is of another format or incomplete, or a tensor is
    missing or has another shape.
    """
    if folder.config.get("format") != FORMAT:
        raise ModelRefused(
            f"{folder.path} is of format {folder.config.get('format')!r}; this release reads "
            f"{FORMAT}: train it again with `python -m workers.training.editing`"
        )
    try:
        thresholds = {one: float(_at(folder.config, "thresholds", one)) for one in ("en", "zh")}
        total = float(_at(folder.config, "total"))
        english = EnglishTypos(
            EnglishModel(
                Lexicon.read(folder.tensors, "en.words"),
                HashedCounts.read(folder.tensors, "en.pairs"),
            ),
            Scorer.read(folder.tensors, "en.scorer", ENGLISH_FEATURES),
            thresholds["en"],
        )
        chinese = ChineseTypos(
            ChineseModel(HashedCounts.read(folder.tensors, "zh.counts"), total),
            Confusions.read(folder.tensors, "zh.confusions"),
            Scorer.read(folder.tensors, "zh.scorer", CHINESE_FEATURES),
            thresholds["zh"],
        )
    except (ValueError, TypeError) as error:
        raise ModelRefused(f"{folder.path}: {error}") from error
    return Editor(name, f"{folder.revision}-rules-{RULES_VERSION}", Fixer(english, chinese))


def _at(config: Any, *names: str) -> Any:
    """A value of the config by its names; raises ValueError where it is missing."""
    for name in names:
        if not isinstance(config, dict) or name not in config:
            raise ValueError(f"config.json has no {'.'.join(names)}")
        config = config[name]
    return config
