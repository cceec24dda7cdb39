"""Fetching a model of the Hugging Face hub once, and pinning what was fetched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.lock import Pin, read_lock, write_lock
from workers.catalogue.verify import faults, file_hash
from workers.errors import CatalogueError, ModelError, ModelRefused

_HUB: Final = "https://huggingface.co"
_WANTED: Final = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "source.spm",
    "target.spm",
    "vocab.json",
    "*.safetensors",
    "model.safetensors.index.json",
    "README.md",
    "LICENSE*",
)
"""What is fetched of a repository: nothing that could run, and no second copy of the weights."""


def pull(entry: CatalogueEntry, task: AnyTask | None, settings: Settings) -> Pin:
    """Fetch a model at its revision, the newest where it has none, check it and pin it.

    What is there already is not fetched again, and an interrupted pull goes on.

    Raises:
        CatalogueError: the entry is not one of the hub.
        ModelError: the hub cannot be reached, or has no such model.
        ModelRefused: what was fetched cannot be served; nothing is pinned.
    """
    if entry.hub is None:
        raise CatalogueError(f"[{entry.name}] is not of the hub: there is nothing to pull")
    revision, folder = _fetch(entry, entry.hub, settings)
    placed = entry.model_copy(update={"folder": folder, "revision": revision})
    if found := list(faults(placed, task, None)):
        raise ModelRefused(f"{entry.hub} at {revision} cannot be served: " + "; ".join(found))
    files = {file.name: file_hash(file) for file in sorted(folder.iterdir()) if file.is_file()}
    pin = Pin(hub=entry.hub, revision=revision, files=files)
    write_lock(settings.lock_file, {**read_lock(settings.lock_file), entry.name: pin})
    return pin


def _fetch(entry: CatalogueEntry, hub: str, settings: Settings) -> tuple[str, Path]:
    """Commit and folder of what the hub has."""
    # Imported for this alone: it costs half a second.
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    endpoint = os.environ.get("HF_ENDPOINT") or _HUB
    try:
        revision = HfApi(endpoint).model_info(hub, revision=entry.revision or None).sha
        if revision is None:
            raise ModelError(f"the hub names no commit of {hub}")
        folder = settings.pulled_models / entry.name / revision
        snapshot_download(
            hub,
            revision=revision,
            local_dir=folder,
            allow_patterns=list(_WANTED),
            endpoint=endpoint,
        )
    except GatedRepoError as error:
        raise ModelError(
            f"{hub} asks for consent to its terms: give it on its page, then set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"the hub has no {hub}, or only for a HF_TOKEN with rights") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"the hub has no revision {entry.revision} of {hub}") from error
    except (OSError, OfflineModeIsEnabled, HfHubHTTPError) as error:
        raise _unreachable(endpoint, settings, error) from error
    except Exception as error:
        # The hub's HTTP library has no errors of its own in common with Python's.
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore"):
            raise
        raise _unreachable(endpoint, settings, error) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return revision, folder


def _unreachable(endpoint: str, settings: Settings, error: Exception) -> ModelError:
    return ModelError(
        f"the hub at {endpoint} cannot be reached ({type(error).__name__}): pull on a machine "
        f"with a network, and copy {settings.pulled_models} and {settings.lock_file} here"
    )
