"""``python -m workers.tuning``: measure this machine, show the curve, keep the choice."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import orjson
from rich.console import Console

from lepton_tasks.errors import LeptonError
from lepton_tasks.logs import set_up_logging
from lepton_tasks.nlp.registry import get_task
from lepton_tasks.settings import load_settings
from workers.catalogue.entries import load_catalogue
from workers.engines.loader import load_engine
from workers.engines.warm import warm_up
from workers.errors import ModelError
from workers.tuning.cache import TuningCache
from workers.tuning.report import tuning_document, tuning_table
from workers.tuning.tuner import Tuner


def main(arguments: Sequence[str] | None = None) -> int:
    """Tune; returns the exit code: 1 where the model cannot be loaded or measured."""
    options = _parser().parse_args(arguments)
    set_up_logging()
    try:
        _tune(options)
    except LeptonError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _tune(options: argparse.Namespace) -> None:
    settings = load_settings()
    if options.device:
        settings = settings.model_copy(update={"device": options.device})
    task = get_task(options.task)
    model = options.model or None
    engine = load_engine(task.name, load_catalogue(settings), settings.device, model)
    if not engine.lane.tunable:
        raise ModelError(
            f"{engine.name} has no micro-batch size to tune: its options in the catalogue bound "
            "what runs at once"
        )
    warm_up(task, engine)
    tuner = Tuner(settings)
    tuning = tuner.measure(engine.lane, [(task, engine)], options.seconds)
    key = tuner.key(engine.lane)
    if options.json:
        document = tuning_document(tuning, key)
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    console = Console()
    console.print(tuning_table(tuning, key))
    console.print(f"kept in {TuningCache(settings.home).path(key)}", soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers.tuning", description="Measure threads and micro-batch sizes."
    )
    parser.add_argument("--task", required=True, help="task whose model is measured")
    parser.add_argument("--model", default="", help="name in the catalogue; else the default")
    parser.add_argument("--device", default="", help="cpu, cuda or cuda:N; else LEPTON_DEVICE")
    parser.add_argument("--seconds", type=float, default=15.0, help="about how long to measure")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
