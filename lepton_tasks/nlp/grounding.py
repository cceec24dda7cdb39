"""Dialogues that are answered from documents: which passages find room, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from lepton_tasks.nlp.retrieval import FoundPassage

Role: TypeAlias = Literal["system", "user", "assistant"]
Messages: TypeAlias = tuple[tuple[Role, str], ...]

MOST_CHARACTERS: Final = 4_000
"""Characters of passages that are put before one dialogue."""
_ASKED: Final[Mapping[str, str]] = {
    "en": "Answer from these passages of documents. Where they do not hold the answer, say so.",
    "zh": "请根据以下文档片段回答；其中没有答案时，请如实说明。",
}
_OTHERWISE: Final = "en"


def with_room(found: Iterable[FoundPassage], characters: int) -> tuple[FoundPassage, ...]:
    """The likeliest passages that fit into ``characters`` together; one too long is left out.

    >>> [one.text for one in with_room([FoundPassage("a", t, 0) for t in ("1", "234", "5")], 2)]
    ['1', '5']
    """
    kept = []
    for one in found:
        if len(one.text) <= characters:
            characters -= len(one.text)
            kept.append(one)
    return tuple(kept)


def grounded(messages: Messages, passages: Sequence[FoundPassage], language: str) -> Messages:
    r"""A dialogue with ``passages`` in its system message, behind what that says already.

    Each is headed by its document. Without passages the dialogue stays as it is.

    >>> found = [FoundPassage("馆", "九点。", 0)]
    >>> grounded((("system", "简短。"), ("user", "几点？")), found, "zh")
    (('system', '简短。\n\n请根据...说明。\n\n[馆]\n九点。'), ('user', '几点？'))
    """
    if not passages:
        return messages
    parts = [_ASKED.get(language, _ASKED[_OTHERWISE])]
    parts += [f"[{one.document}]\n{one.text}" for one in passages]
    if messages[0][0] == "system":
        parts.insert(0, messages[0][1])
        messages = messages[1:]
    return (("system", "\n\n".join(parts)), *messages)
