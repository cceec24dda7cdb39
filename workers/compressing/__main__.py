"""``python -m workers.compressing``: one compression, asked for on standard input."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from workers.longruns.child import Request, Speaker, serve


def work(request: Request, speaker: Speaker) -> Mapping[str, Any]:
    """Compress as asked."""
    from workers.compressing.compress import compress  # imports torch; see workers.custom

    return compress(request, speaker)


if __name__ == "__main__":
    sys.exit(serve(work))
