"""The worker's own tuning, done once: everybody runs at what it chose."""

from __future__ import annotations

import json
import sys

from lepton_tasks.settings import Settings
from tests.benchmarks.children import StepFailed, running
from tests.benchmarks.contenders.base import Bench, Tuned
from tests.benchmarks.contenders.ours import plugins

_SECONDS = 12.0


def tune(bench: Bench, device: str = "cpu") -> Tuned:
    """Sweep threads and padded tokens for the benchmark's model on ``device``.

    Raises:
        StepFailed: the model cannot be loaded or measured.
    """
    folder = bench.fresh_folder("tuning")
    environment = {**Settings.model_validate({"home": folder / "home"}).environment(), **plugins()}
    options = ["--task", "minilm", "--device", device, "--seconds", str(_SECONDS), "--json"]
    log = folder / "log"
    with running([sys.executable, "-m", "workers.tuning", *options], environment, log) as child:
        code = child.wait(bench.limit)
    if code:
        raise StepFailed(f"tuning ended with exit code {code}: {child.log_end()}")
    return read(log.read_text())


def read(printed: str) -> Tuned:
    r"""Find the choice in what ``workers.tuning --json`` printed, log lines before it left out.

    >>> read('a log line\n{\n "choice": {"budget": 512, "threads": 1, "texts_per_second": 97.0}}')
    Tuned(budget=512, threads=1, texts_per_second=97.0)

    Raises:
        StepFailed: there is no choice in it.
    """
    try:
        choice = json.loads(printed[printed.index("{\n") :])["choice"]
        return Tuned(choice["budget"], choice["threads"], choice["texts_per_second"])
    except (ValueError, KeyError) as error:
        raise StepFailed(f"tuning printed no choice: {printed[-300:]}") from error
