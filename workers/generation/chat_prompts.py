"""Dialogues as prompts: the chat template that a model's folder brings, in a sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jinja2 import TemplateError
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from lepton_tasks.nlp.grounding import Role
from workers.bounded import BoundedCalls
from workers.errors import InputRefused, ModelRefused
from workers.generation.chat_template import read_chat_template

_MOST_GROWTH: Final = 1 << 16
"""Characters that a template may add to those of the messages."""
_TRIAL_SECONDS: Final = 30.0
_REFUSED: Final = (
    "the model's chat template refuses these messages: it may take no system message, or ask "
    "for user and assistant to alternate"
)


class ChatPrompts:
    """Makes token ids of dialogues as ``apply_chat_template`` of transformers does.

    Templates are run by transformers' own sandbox. What looks like a control token inside a
    message is read as plain text, so no message can pose as another one.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """``tokenizer`` has a chat template."""
        self._tokenizer = tokenizer

    def ids(self, messages: Sequence[tuple[Role, str]]) -> list[int]:
        """Token ids of a dialogue, up to where the assistant's answer begins.

        Raises:
            InputRefused: the template refuses the messages, or makes too much of them.
        """
        chat = [{"role": role, "content": content} for role, content in messages]
        try:
            text = self._render(chat)
            if len(text) > sum(len(content) for _, content in messages) + _MOST_GROWTH:
                raise InputRefused("chat_template_failed", "the model's chat template runs away")
            made = self._tokenizer.apply_chat_template(
                chat, add_generation_prompt=True, sanitize_control_tokens=True, return_dict=False
            )
        except TemplateError as error:
            # Its message may quote the messages.
            raise InputRefused("chat_template_refused", _REFUSED) from error
        return [int(token) for token in made]

    def _render(self, chat: list[dict[str, str]]) -> str:
        return str(
            self._tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        )


def load_chat_prompts(folder: Path, tokenizer: Tokenizer) -> ChatPrompts:
    """Read the chat template of ``folder`` and try it on a short dialogue.

    Raises:
        ModelRefused: there is none, or it cannot be run.
    """
    template = read_chat_template(folder)
    known = tokenizer.get_vocab(with_added_tokens=True)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=template.source,
        # A token that the tokenizer does not know would be added to it.
        **{name: token for name, token in template.special.items() if token in known},
    )
    prompts = ChatPrompts(wrapped)
    _try(prompts, folder)
    return prompts


def _try(prompts: ChatPrompts, folder: Path) -> None:
    calls = BoundedCalls(_TRIAL_SECONDS, "chat template")
    try:
        calls(lambda: prompts.ids([("user", "Hello"), ("assistant", "Hi."), ("user", "你好")]))
    except Exception as error:
        cause = error.__cause__ or error
        raise ModelRefused(
            f"{folder}: its chat template cannot be run: {type(cause).__name__}: {str(cause)[:200]}"
        ) from error
    finally:
        calls.close()
