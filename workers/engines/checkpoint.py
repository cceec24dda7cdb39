"""An encoder checkpoint of the Hugging Face hub in a local folder: texts and pairs through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch

from workers.catalogue.entries import CatalogueEntry
from workers.engines.pretrained import content_revision, load_pretrained, load_tokenizer
from workers.errors import ModelRefused

_PASS_TOKENS: Final = 8_192
"""Padded tokens of one pass: an item may be many rows, and memory is to be bounded."""
_CHARACTERS_PER_TOKEN: Final = 16


class TokenRow(Protocol):
    """A tokenised text or pair. ``types`` tells the two parts of a pair apart."""

    @property
    def ids(self) -> Sequence[int]:
        """Its tokens."""
        ...

    @property
    def types(self) -> Sequence[int]:
        """0 or 1 for each of them."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """A TokenRow, and whether anything of the text was cut off."""

    ids: Sequence[int]
    types: Sequence[int]
    truncated: bool


class Checkpoint:
    """The network, its tokenizer and what its config says, ready for rows of token ids.

    ``tokenizer`` is this checkpoint's own, cut at the entry's ``max_tokens``.
    """

    def __init__(
        self,
        auto_class: Any,
        entry: CatalogueEntry,
        device: torch.device,
        unread: str | None = None,
    ) -> None:
        """Load the folder of ``entry`` with ``auto_class`` of transformers.

        Tensors that begin with ``unread`` may be missing.

        Raises:
            CatalogueError: the entry names no folder.
            ModelRefused: the folder is incomplete, inconsistent or unsafe.
        """
        folder = entry.model_folder
        dtype = getattr(torch, entry.dtype)
        self.network = load_pretrained(auto_class, folder, device, dtype, unread)
        self.config = config = self.network.config
        self.folder = folder
        self.revision = content_revision(folder)
        self._device = device
        self._padding = int(config.pad_token_id or 0)
        self._reads_types = int(getattr(config, "type_vocab_size", 0) or 0) > 1
        self._characters = entry.max_tokens * _CHARACTERS_PER_TOKEN
        self.tokenizer = load_tokenizer(folder)
        # Of a pair the first part is cut: the second is the question that is asked of it.
        self.tokenizer.enable_truncation(entry.max_tokens, strategy="only_first")
        known = self.tokenizer.get_vocab_size()
        positions = int(config.max_position_embeddings)
        if config.model_type in ("roberta", "xlm-roberta", "camembert"):
            positions -= self._padding + 1
        if entry.max_tokens > positions or known > config.vocab_size:
            raise ModelRefused(
                f"{folder}: the model takes {positions} tokens of {config.vocab_size} kinds, but "
                f"max_tokens of [{entry.name}] is {entry.max_tokens} and the tokenizer knows "
                f"{known} kinds"
            )

    def rows(self, texts: Sequence[str | tuple[str, str]]) -> list[Row]:
        """Tokenise texts, or pairs of which the first is cut to make both fit.

        Only the first 16 characters a token are looked at.

        Raises:
            ValueError: the second text of a pair leaves no room for the first.
        """
        given = [self._head(one) for one in texts]
        found = self.tokenizer.encode_batch(given)
        return [
            Row(one.ids, one.type_ids, bool(one.overflowing) or short != text)
            for one, short, text in zip(found, given, texts, strict=True)
        ]

    def passes(self, rows: Sequence[TokenRow]) -> Iterator[tuple[Any, torch.Tensor]]:
        """Run ``rows``; yields the network's output and its mask [rows, longest], in order."""
        block: list[TokenRow] = []
        for row in rows:
            longest = max(len(one.ids) for one in (*block, row))
            if block and longest * (len(block) + 1) > _PASS_TOKENS:
                yield self._run(block)
                block = []
            block.append(row)
        if block:
            yield self._run(block)

    @torch.inference_mode()
    def _run(self, rows: Sequence[TokenRow]) -> tuple[Any, torch.Tensor]:
        shape = (len(rows), max(len(row.ids) for row in rows))
        ids = torch.full(shape, self._padding, dtype=torch.long)
        types = torch.zeros(shape, dtype=torch.long)
        mask = torch.zeros(shape, dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row.ids)] = torch.tensor(row.ids)
            types[place, : len(row.types)] = torch.tensor(row.types)
            mask[place, : len(row.ids)] = 1
        mask = mask.to(self._device)
        inputs = {"input_ids": ids.to(self._device), "attention_mask": mask}
        if self._reads_types:
            inputs["token_type_ids"] = types.to(self._device)
        return self.network(**inputs), mask

    def _head(self, text: str | tuple[str, str]) -> str | tuple[str, str]:
        if isinstance(text, str):
            return text[: self._characters]
        return text[0][: self._characters], text[1][: self._characters]
