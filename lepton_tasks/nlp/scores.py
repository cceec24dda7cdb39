"""What an engine finds for a text that it labels."""

from __future__ import annotations

from collections.abc import Iterable


class LabelScores(dict[str, float]):
    """Score of each label, in the model's order of labels.

    ``truncated`` says that an encoder may have read only the beginning of the text;
    ``foreign`` that the model knows nothing of the text's language; ``untrained`` that it
    was not trained for these labels.
    """

    def __init__(
        self,
        scores: Iterable[tuple[str, float]],
        *,
        truncated: bool = False,
        foreign: bool = False,
        untrained: bool = False,
    ) -> None:
        super().__init__(scores)
        self.truncated = truncated
        self.foreign = foreign
        self.untrained = untrained
