"""Dialogue: the messages so far go in, the assistant's next message comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lepton_tasks.nlp.base import Example, ModelInput, TaskItem
from lepton_tasks.nlp.generating import GenerationInput
from lepton_tasks.nlp.grounding import MOST_CHARACTERS, Messages, Role, grounded, with_room
from lepton_tasks.nlp.language import Language, detect_language
from lepton_tasks.nlp.retrieval import CorpusOptions, CorpusTask, FoundPassage, Lookup
from lepton_tasks.nlp.sampling_options import SamplingOptions

MOST_MESSAGES: Final = 64
"""Messages of one item."""
CONVERSATION_PATTERN: Final = r"^conv_[A-Za-z0-9_-]{1,64}$"
"""What the id of a conversation looks like."""
MOST_HISTORY_TURNS: Final = 50
MOST_HISTORY_CHARACTERS: Final = 16_000
_TRIAL_TOKENS: Final = 8
_PASSAGES: Final = 8
"""Passages of a corpus that are looked up for a message."""


class ChatMessage(TaskItem):
    """One message of a dialogue."""

    role: Role
    content: str


class ChatItem(TaskItem):
    """The messages so far: a ``system`` message first, if any, and one of the user last."""

    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1, max_length=MOST_MESSAGES)]

    @field_validator("messages")
    @classmethod
    def _ordered(cls, messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
        if messages[-1].role != "user":
            raise ValueError(f"the last message must be the user's, not one of {messages[-1].role}")
        for place, one in enumerate(messages[1:], 1):
            if one.role == "system":
                raise ValueError(f"message {place} has the role system; only the first may")
        return messages


class StoredChatItem(ChatItem):
    """The same as a job holds it, with what its conversation put before it.

    ``history`` are how many messages of the conversation are among ``messages``, and how many
    older ones found no room. None for a job without a conversation.
    """

    messages: tuple[ChatMessage, ...]
    history: tuple[int, int] | None = None


class ChatOptions(SamplingOptions, CorpusOptions):
    """How to answer. The options of sampling concern models that generate.

    ``conversation`` is the id of a stored conversation, made on first use: its history is
    put before the new message, its last ``history_turns`` turns as far as they fit into
    ``history_characters``, and the answer becomes a part of it. ``corpus`` names a corpus of
    yours: the last message is answered from the documents that share words with it.
    """

    language: Language | None = None
    conversation: Annotated[str, Field(pattern=CONVERSATION_PATTERN)] | None = None
    history_turns: int = Field(default=10, ge=0, le=MOST_HISTORY_TURNS)
    history_characters: int = Field(default=4_000, ge=0, le=MOST_HISTORY_CHARACTERS)


class ChatAnswer(BaseModel):
    """The assistant's message."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["assistant"] = "assistant"
    content: str


class ChatUsage(BaseModel):
    """Tokens as the model counts them; a model that retrieves counts words and Han characters."""

    model_config = ConfigDict(extra="forbid")

    prompt_tokens: int
    completion_tokens: int


class ChatHistory(BaseModel):
    """What the stored conversation gave: messages before the new one, and older ones left out."""

    model_config = ConfigDict(extra="forbid")

    messages: int
    left_out: int


class ChatSource(BaseModel):
    """Characters ``start`` to ``end`` of a document, which is named by its id."""

    model_config = ConfigDict(extra="forbid")

    document: str
    start: int
    end: int


class ChatOutput(BaseModel):
    """The answer.

    ``finish_reason`` is ``stop`` where the model or a stop string ended it, ``length`` where
    it has ``max_tokens``, ``cancelled`` where the job was cancelled meanwhile. ``score``, 0
    to 1, is how well a stored answer fits; null where the text was generated. ``seed`` is the
    one that was drawn with, null where nothing was drawn. ``history`` is null without a
    ``conversation``.

    With a corpus, ``sources`` are the sentence that the answer is, or the passages that a
    model which generates was given before it wrote; none where nothing was found.
    """

    model_config = ConfigDict(extra="forbid")

    message: ChatAnswer
    finish_reason: Literal["stop", "length", "cancelled"]
    usage: ChatUsage
    score: float | None
    seed: int | None
    history: ChatHistory | None
    language: str
    sources: list[ChatSource] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChatInput(GenerationInput):
    """A dialogue as an engine takes it: ``messages`` are (role, content), ``text`` the last one.

    ``passages`` are what a corpus has on it, also in the system message; None without one.
    """

    messages: Messages = ()
    history: tuple[int, int] | None = None
    passages: tuple[FoundPassage, ...] | None = None


class Chat(CorpusTask[ChatOptions, ChatOutput]):
    """Answer one dialogue.

    The engine's raw result is that of every engine that generates, and where it chose among
    stored answers also ``score``. One that copies from passages says so in ``copied``: a list
    of (place of the passage, start and end in its text). Others used all that they were given.
    """

    name = "chat"
    summary = "Answer the last message of a dialogue, in English or Chinese."
    engine = "retrieval-chat"
    item_model = ChatItem
    conversational = True
    options_model = ChatOptions
    output_model = ChatOutput
    # Without system messages: the chat templates of some models refuse these.
    examples = (
        Example({"messages": [{"role": "user", "content": "Hello! How are you?"}]}),
        Example({"messages": [{"role": "user", "content": "你好，请帮我推荐一个免费的景点。"}]}),
        Example(
            {
                "messages": [
                    {"role": "user", "content": "我想找一家评分高的酒店。"},
                    {"role": "assistant", "content": "北京天泰宾馆很不错。"},
                    {"role": "user", "content": "它的电话是多少？"},
                ]
            }
        ),
    )

    def examples_for(self, model: str) -> list[tuple[Example, ChatOptions]]:
        """The examples, with short answers: a model that is tried out need not write long ones."""
        return [
            (one, options.model_copy(update={"max_tokens": _TRIAL_TOKENS}))
            for one, options in super().examples_for(model)
        ]

    def read_item(self, value: Any) -> StoredChatItem:
        """Read what a job holds: an item, and what its conversation put before it."""
        return StoredChatItem.model_validate(value)

    def from_text(self, text: str) -> dict[str, Any]:
        """Make a dialogue of one message of the user."""
        return {"messages": [{"role": "user", "content": text}]}

    def encode(self, item: ChatItem, options: ChatOptions) -> ChatInput:
        """Take the messages as they are; the language is that of the user's last one."""
        last = item.messages[-1].content
        return ChatInput(
            last,
            options.language or detect_language(last),
            options.spec(),
            tuple((one.role, one.content) for one in item.messages),
            item.history if isinstance(item, StoredChatItem) else None,
        )

    def lookup(self, item: ChatItem, options: ChatOptions) -> Lookup | None:
        """Passages that share words with the last message."""
        if options.corpus is None:
            return None
        return Lookup(options.corpus, item.messages[-1].content, _PASSAGES)

    def encode_found(
        self, item: ChatItem, found: Sequence[FoundPassage], options: ChatOptions
    ) -> ChatInput:
        """Put the passages that find room into the system message."""
        given = self.encode(item, options)
        passages = with_room(found, MOST_CHARACTERS)
        messages = grounded(given.messages, passages, given.language)
        return replace(given, messages=messages, passages=passages)

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: ChatOptions
    ) -> ChatOutput:
        """Sort the engine's raw result into the answer."""
        if not isinstance(model_input, ChatInput):
            raise TypeError(f"chat decodes ChatInput, not {type(model_input).__name__}")
        score, history, spec = raw.get("score"), model_input.history, model_input.spec
        drawn = score is None and spec.temperature > 0
        return ChatOutput(
            message=ChatAnswer(content=raw["text"]),
            finish_reason=raw["finish_reason"],
            usage=ChatUsage(
                prompt_tokens=raw["prompt_tokens"], completion_tokens=raw["completion_tokens"]
            ),
            score=score,
            seed=spec.seed if drawn else None,
            history=None
            if history is None
            else ChatHistory(messages=history[0], left_out=history[1]),
            language=model_input.language,
            sources=_sources(model_input.passages or (), raw.get("copied")),
        )


def _sources(
    passages: Sequence[FoundPassage], copied: Sequence[tuple[int, int, int]] | None
) -> list[ChatSource]:
    if copied is None:
        copied = [(place, 0, len(one.text)) for place, one in enumerate(passages)]
    return [
        ChatSource(
            document=passages[place].document,
            start=passages[place].start + start,
            end=passages[place].start + end,
        )
        for place, start, end in copied
    ]
