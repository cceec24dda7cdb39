"""A model folder in Hugging Face's layout: what is in it is checked before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from transformers.utils.logging import disable_progress_bar

from workers.engines.folder import CONFIG, WEIGHTS, read_config
from workers.errors import ModelRefused

TOKENIZER: Final = "tokenizer.json"
INDEX: Final = "model.safetensors.index.json"
MARIAN_FILES: Final = ("source.spm", "target.spm", "vocab.json")
"""What Marian folders of the hub have in place of a ``tokenizer.json``."""
_OTHERS: Final = (CONFIG, "generation_config.json")
_REVISION_LENGTH: Final = 12
_READ_BYTES: Final = 1 << 20


def load_pretrained(
    auto_class: Any,
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    unread: str | None = None,
) -> Any:
    """Load the model in ``folder`` with ``auto_class`` of transformers, ready to compute.

    Only safetensors are read, no code of the folder runs, nothing is fetched from a
    network. Attention is the fused one where the architecture has it. Raises ModelRefused
    where the folder is incomplete or unsafe, or its tensors are not those that its config
    asks for: transformers would fill the gaps with random numbers. Tensors that begin with
    ``unread`` may be missing: the caller never looks at what they make.
    """
    read_config(folder)
    weight_files(folder)
    disable_progress_bar()
    try:
        network, report = auto_class.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelRefused(f"{folder} cannot be loaded by transformers: {error}") from error
    missing = [key for key in report["missing_keys"] if not (unread and key.startswith(unread))]
    wrong = sorted([*missing, *(str(key) for key in report["mismatched_keys"])])
    if wrong:
        raise ModelRefused(
            f"{folder}: {len(wrong)} tensors that {CONFIG} asks for are missing or of another "
            f"shape, the first is {wrong[0]}"
        )
    return network.to(device).eval()


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read ``tokenizer.json``; raises ModelRefused where it is missing or broken."""
    file = folder / TOKENIZER
    if not file.is_file():
        raise ModelRefused(
            f"{folder} has no {TOKENIZER}; save the model's fast tokenizer beside the weights"
        )
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelRefused(f"{file} cannot be read as a tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of ``folder``, one or the shards of its index.

    Raises ModelRefused where there are none, one is missing or broken, or the index
    names a file outside the folder.
    """
    index = folder / INDEX
    names = [WEIGHTS]
    if not (folder / WEIGHTS).is_file():
        if not index.is_file():
            raise ModelRefused(
                f"{folder} has no {WEIGHTS}; weights are taken as safetensors only, never as "
                "pickles"
            )
        names = _shards(index)
    for name in names:
        _check_readable(folder / name)
    return [folder / name for name in names]


def content_revision(folder: Path, further: Sequence[str] = ()) -> str:
    """Return a short hash of everything that is loaded from ``folder``: settings and weights.

    ``further`` are the names of files that this model reads beside them, as far as there are any.
    """
    digest = hashlib.sha256()
    tokens = [TOKENIZER] if (folder / TOKENIZER).is_file() else MARIAN_FILES
    for file in [*(folder / name for name in (*_OTHERS, *tokens, *further)), *weight_files(folder)]:
        if not file.is_file():
            continue
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(_READ_BYTES):
                digest.update(chunk)
    return digest.hexdigest()[:_REVISION_LENGTH]


def _shards(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelRefused(f"{index} is no index of shards: {error!r}") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise ModelRefused(f"{index} names {name!r}, which is no file of its folder")
    return names


def _check_readable(file: Path) -> None:
    if not file.is_file():
        raise ModelRefused(f"{file} is missing; copy all shards of the model")
    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise ModelRefused(f"{file} cannot be read as safetensors: {error}") from error
