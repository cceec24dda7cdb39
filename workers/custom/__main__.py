"""``python -m workers.custom``: one training, asked for on standard input."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from workers.longruns.child import Request, Speaker, serve


def work(request: Request, speaker: Speaker) -> Mapping[str, Any]:
    """Train as asked."""
    from workers.custom.training import train  # imports torch, which may fail: that is told too

    return train(request, speaker)


if __name__ == "__main__":
    sys.exit(serve(work))
