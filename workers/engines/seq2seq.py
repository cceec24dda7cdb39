"""Encoder-decoder models: texts of similar length in, texts out, one batch from start to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import AutoModelForSeq2SeqLM, GenerationConfig

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GeneratedText, GenerationInput, GenerationSpec
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options
from workers.engines.base import Encoded
from workers.engines.marian_text import load_text
from workers.engines.pretrained import content_revision, load_pretrained
from workers.errors import ModelRefused

_UNBOUNDED: Final = 1 << 30
_UNKNOWN: Final = "<unk>"
_ENTRYS_OWN: Final = GenerationSpec(max_new_tokens=0, beams=0)


class Seq2SeqOptions(BaseModel):
    """The ``options`` of a catalogue entry: what an input gets that does not say otherwise.

    ``prefix`` is what the model was trained to see before a text, such as ``summarize: ``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    beams: int = Field(default=1, ge=1, le=16)
    max_new_tokens: int = Field(default=256, ge=1)
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A tokenised text, and how its translation, summary or edit is to be generated."""

    ids: Sequence[int]
    truncated: bool
    beams: int
    max_new_tokens: int


class Seq2SeqEngine:
    """An engine whose raw result is a text and its tokens.

    Of an input's GenerationSpec it takes ``beams`` and ``max_new_tokens``, where 0 means the
    entry's own; these models are decoded for the best text, not sampled. Settings of the folder's
    generation_config.json stand beside them. The items of a batch leave
    together, so a batch is to hold texts of similar length.
    """

    def __init__(
        self,
        name: str,
        revision: str,
        network: Any,
        tokenizer: Any,
        max_tokens: int,
        options: Seq2SeqOptions,
    ) -> None:
        """``max_tokens`` are those of a source text; what is longer is cut."""
        self.name = name
        self.revision = revision
        self.network = network
        self.unknown = tokenizer.token_to_id(_UNKNOWN)
        """The token of what the vocabulary does not have; None in one that has everything."""
        self._tokenizer = tokenizer
        self._options = options
        config = network.config
        positions = getattr(config, "max_position_embeddings", None) or _UNBOUNDED
        self._most_new = positions - 1
        tokenizer.enable_truncation(min(max_tokens, positions))
        settings = network.generation_config
        settings.max_length = None  # max_new_tokens is always given
        self._forced_end = settings.forced_eos_token_id is not None
        self._least = settings.min_length or 0
        self._pad = settings.pad_token_id
        ends = settings.eos_token_id
        self._ends = frozenset([ends] if isinstance(ends, int) else ends)

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Encode source texts, in order. A text with more beams counts as that many."""
        prefix = self._options.prefix
        encodings = self._tokenizer.encode_batch([prefix + one.text for one in inputs])
        return [
            self._encoded(encoding, one) for encoding, one in zip(encodings, inputs, strict=True)
        ]

    def _encoded(self, encoding: Any, one: ModelInput) -> Encoded:
        spec = one.spec if isinstance(one, GenerationInput) else _ENTRYS_OWN
        source = Source(
            encoding.ids,
            bool(encoding.overflowing),
            spec.beams or self._options.beams,
            min(spec.max_new_tokens or self._options.max_new_tokens, self._most_new),
        )
        return Encoded(len(source.ids) * source.beams, source)

    def limited(self, encoded: Encoded, most: int) -> Encoded:
        """``encoded`` with at most ``most`` new tokens."""
        source: Source = encoded.tokens
        fewer = replace(source, max_new_tokens=min(source.max_new_tokens, most))
        return Encoded(encoded.length, fewer)

    @torch.inference_mode()
    def forward(self, batch: Sequence[Encoded]) -> list[GeneratedText]:
        """Generate for all of ``batch``; one result an item, in order.

        Items that ask for other beams or lengths than the rest go in a pass of their own.
        """
        sources: list[Source] = [one.tokens for one in batch]
        rows_by_kind: dict[tuple[int, int], list[int]] = {}
        for row, source in enumerate(sources):
            rows_by_kind.setdefault((source.beams, source.max_new_tokens), []).append(row)
        results: dict[int, GeneratedText] = {}
        for (beams, most), rows in rows_by_kind.items():
            generated = self._generate([sources[row] for row in rows], beams, most)
            for row, tokens in zip(rows, generated, strict=True):
                results[row] = self._result(sources[row], tokens)
        return [results[row] for row in range(len(batch))]

    def _generate(self, sources: Sequence[Source], beams: int, most: int) -> list[list[int]]:
        """Return the tokens of each text, without the start token."""
        longest = max(len(source.ids) for source in sources)
        ids = torch.full((len(sources), longest), self._pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, source in enumerate(sources):
            ids[row, : len(source.ids)] = torch.tensor(source.ids)
            mask[row, : len(source.ids)] = 1
        device = self.network.device
        output = self.network.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            generation_config=GenerationConfig(
                max_new_tokens=most,
                # A model's own least length gives way to a greatest one below it.
                min_length=0 if most <= self._least else self._least,
                num_beams=beams,
                num_return_sequences=1,
                do_sample=False,
            ),
        )
        rows: list[list[int]] = output[:, 1:].tolist()
        return rows

    def _result(self, source: Source, tokens: Sequence[int]) -> GeneratedText:
        end = next((place for place, token in enumerate(tokens) if token in self._ends), None)
        count = len(tokens) if end is None else end + 1
        # Models with a forced end token end at the limit, too, without having come to an end.
        cut = end is None or (self._forced_end and count >= source.max_new_tokens)
        return GeneratedText(
            text=self._tokenizer.decode(tokens[:count], skip_special_tokens=True).strip(),
            finish_reason="length" if cut else "stop",
            prompt_tokens=len(source.ids),
            completion_tokens=count,
            truncated=source.truncated,
        )


def build_seq2seq(entry: CatalogueEntry, device: torch.device) -> Seq2SeqEngine:
    """Make an engine of a catalogue entry: a local folder with weights and a tokenizer.

    Raises CatalogueError for wrong options, naming the field, and ModelRefused where the
    folder is incomplete or unsafe.
    """
    return load_seq2seq(entry, read_options(entry, Seq2SeqOptions), device)


def load_seq2seq(
    entry: CatalogueEntry, options: Seq2SeqOptions, device: torch.device
) -> Seq2SeqEngine:
    """Make an engine with ``options`` that were read already; raises ModelRefused."""
    folder = entry.model_folder
    network = load_pretrained(AutoModelForSeq2SeqLM, folder, device, getattr(torch, entry.dtype))
    for name in ("pad_token_id", "eos_token_id", "decoder_start_token_id"):
        if getattr(network.generation_config, name) is None:
            raise ModelRefused(
                f"{folder}: neither its generation_config.json nor its config.json has {name}"
            )
    return Seq2SeqEngine(
        entry.name,
        content_revision(folder),
        network,
        load_text(folder),
        entry.max_tokens,
        options,
    )
