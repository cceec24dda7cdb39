"""``python -m workers.custom``: one training, asked for on standard input."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from lepton_tasks.nlp.training import LANGUAGE_MODEL
from workers.longruns.child import Request, Speaker, serve


def work(request: Request, speaker: Speaker) -> Mapping[str, Any]:
    """Train as asked."""
    # Imports torch, which may fail: that is told too.
    if request.options.get("method") == LANGUAGE_MODEL:
        from workers.custom.language_model import train_language_model

        return train_language_model(request, speaker)
    from workers.custom.training import train

    return train(request, speaker)


if __name__ == "__main__":
    sys.exit(serve(work))
