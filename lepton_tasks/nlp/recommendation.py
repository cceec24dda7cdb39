"""Recommendation: a user's history and some items, texts all, to the items in the best order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lepton_tasks.nlp.base import Example, ModelInput, TaskItem
from lepton_tasks.nlp.comparing import TextsInput, texts_input
from lepton_tasks.nlp.language import Language
from lepton_tasks.nlp.retrieval import CorpusOptions, CorpusTask, FoundPassage, Lookup

MOST_HISTORY = 50
MOST_ITEMS = 200
_CANDIDATES: Final = 40
"""Documents of a corpus that are ranked, or twice as many as are wanted."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Candidate(TaskItem):
    """An item with a name of the caller's, by which it is found in the answer."""

    id: Annotated[str, Field(max_length=200)]
    text: str


def _have_ids_of_their_own(
    items: tuple[str | Candidate, ...] | None,
) -> tuple[str | Candidate, ...] | None:
    seen: set[str] = set()
    for place, one in enumerate(items or ()):
        if isinstance(one, Candidate):
            if one.id in seen:
                raise ValueError(f"the id of items[{place}] is that of an earlier item; ids differ")
            seen.add(one.id)
    return items


class Choice(TaskItem):
    """What a user liked, the latest last or in any order, and the items to choose from.

    With the option ``corpus`` there are no ``items``: its documents are chosen from.
    """

    history: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_HISTORY)]
    items: Annotated[
        Annotated[tuple[str | Candidate, ...], Field(min_length=1, max_length=MOST_ITEMS)] | None,
        AfterValidator(_have_ids_of_their_own),
    ] = None


class RecommendationOptions(CorpusOptions):
    """How to choose.

    ``top`` is the most items that are wanted, all of them when left out. ``diversity``
    above 0 puts items forward that are unlike those before them: 0 goes by the score
    alone, 1 by difference alone. ``corpus`` names a corpus of yours whose documents are the
    items, those that share words with the history.
    """

    language: Language | None = None
    top: Annotated[int | None, Field(ge=1, le=MOST_ITEMS)] = None
    diversity: Share = 0.0


class Reason(BaseModel):
    """The text of the history that is nearest: its place there, and how alike the two are."""

    model_config = ConfigDict(extra="forbid")

    history: int
    text: str
    similarity: Share


class RecommendedItem(BaseModel):
    """An item by its ``place`` in the request and its ``id``, if it has one.

    Of a corpus it is a document's ``id``, and there is no ``place``.

    ``score`` is how alike it is to the texts of the history that are nearest to it. An
    item in a language that no text of the history is in has a score of 0 and no reason.
    """

    model_config = ConfigDict(extra="forbid")

    place: int | None
    id: str | None
    score: Share
    reason: Reason | None


class RecommendationOutput(BaseModel):
    """The items, best first. ``truncated``: of a text only the beginning was read."""

    model_config = ConfigDict(extra="forbid")

    items: list[RecommendedItem]
    truncated: bool


@dataclass(frozen=True, slots=True)
class RankingInput(TextsInput):
    """The texts of the history, ``seen`` of them, then those of the items, which ``ids`` name."""

    seen: int = 1
    ids: tuple[str | None, ...] = ()
    diversity: float = 0.0


class Recommendation(CorpusTask[RecommendationOptions, RecommendationOutput]):
    """Rank items by what they say.

    The engine's raw result holds ``ranking``, of each item its place, score, and the
    place and likeness of the nearest text of the history (None without one), best
    first, and ``truncated``, how many texts were cut.
    """

    name = "recommendation"
    summary = "Rank items for a user by the texts they liked, each with the reason."
    engine = "recommender"
    item_model = Choice
    from_corpus = "items"
    options_model = RecommendationOptions
    output_model = RecommendationOutput
    max_characters = 40_000
    max_bytes = 128 * 1024
    examples = (
        Example(
            {
                "history": ["How to grow tomatoes on a balcony", "The best soil for roses"],
                "items": [
                    "Repairing a bicycle chain",
                    "Watering plants while you are away",
                    "A history of the railway",
                ],
            }
        ),
        Example(
            {
                "history": ["阳台种番茄的方法", "玫瑰用什么土最好"],
                "items": [
                    {"id": "bike", "text": "自行车链条的修理"},
                    {"id": "soil", "text": "阳台种花如何选土"},
                    {"id": "rail", "text": "铁路的历史"},
                ],
            },
            {"top": 2, "diversity": 0.3},
        ),
    )

    def encode(self, item: Choice, options: RecommendationOptions) -> RankingInput:
        """Clean every text and settle its language: the option, else its script."""
        items = [
            (None, one) if isinstance(one, str) else (one.id, one.text) for one in item.items or ()
        ]
        return _ranking(item.history, items, options)

    def lookup(self, item: Choice, options: RecommendationOptions) -> Lookup | None:
        """Documents that share words with the history."""
        if options.corpus is None:
            return None
        most = min(MOST_ITEMS, max(_CANDIDATES, 2 * (options.top or 0)))
        return Lookup(options.corpus, "\n".join(item.history), most, one_each=True)

    def encode_found(
        self, item: Choice, found: Sequence[FoundPassage], options: RecommendationOptions
    ) -> RankingInput:
        """The documents are the items, but for what the user has had already."""
        had = set(item.history)
        items = [(one.document, one.text) for one in found if one.text not in had]
        return _ranking(item.history, items, options)

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: RecommendationOptions
    ) -> RecommendationOutput:
        """Name the items, and the texts that are the reasons, as far as they are wanted."""
        if not isinstance(model_input, RankingInput):
            raise TypeError(f"a choice is needed, not {type(model_input).__name__}")
        texts = model_input.all_texts
        items = [
            RecommendedItem(
                place=place if options.corpus is None else None,
                id=model_input.ids[place],
                score=score,
                reason=None
                if nearest is None
                else Reason(history=nearest, text=texts[nearest].text, similarity=similarity),
            )
            for place, score, nearest, similarity in raw["ranking"][: options.top]
        ]
        return RecommendationOutput(items=items, truncated=raw["truncated"] > 0)


def _ranking(
    history: Sequence[str], items: Sequence[tuple[str | None, str]], options: RecommendationOptions
) -> RankingInput:
    texts = texts_input([*history, *(text for _, text in items)], options.language)
    return RankingInput(
        texts.text,
        texts.language,
        texts.others,
        seen=len(history),
        ids=tuple(name for name, _ in items),
        diversity=options.diversity,
    )
