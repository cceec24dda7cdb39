"""``lepton tune``: measure this machine in a process of the model side."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lepton_tasks.cli.handover import become, require_package
from lepton_tasks.nlp.registry import get_task
from lepton_tasks.settings import load_settings


def tune(
    task: Annotated[str, typer.Option(help="Task whose model is measured.")],
    model: Annotated[
        str,
        typer.Option(
            help="Model of the catalogue, as jobs name it in options.model; the task's default "
            "when left out."
        ),
    ] = "",
    device: Annotated[
        str, typer.Option(help="cpu, cuda or cuda:N; LEPTON_DEVICE when left out.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=0.1, help="About how long to measure.")] = 15.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure which micro-batch size and thread count suit this machine, and keep them.

    Runs the task's model over comments of usual lengths with every thread count and
    padded-token budget, shows the rates, and writes the choice to LEPTON_HOME/tuning,
    where workers find it. A worker that finds none does the same in a few seconds at
    its first start. The choice is the smallest micro-batch within 3% of the best rate
    that takes at most 500 ms. Tune while the machine is otherwise idle.

    Workers measure the default models alone. A model that jobs name with options.model
    runs at the smallest size of those unless it was tuned here: with --model NAME, on
    the device that it is served on. Workers read that when they load the model; the
    thread count stays that of the default models. Decoder models have no micro-batch
    size: their options in the catalogue bound what runs at once.

    LEPTON_TOKEN_BUDGET and LEPTON_THREADS win over what is kept; LEPTON_TUNE=false
    keeps workers from measuring.

    Examples:
    lepton tune --task moderation

    lepton tune --task moderation --model our-large-one --device cuda:0 --seconds 60
    """
    settings = load_settings()
    name = get_task(task).name
    require_package("workers", "worker")
    command = [sys.executable, "-m", "workers.tuning", "--task", name, "--seconds", str(seconds)]
    if model:
        command += ["--model", model]
    if device:
        command += ["--device", device]
    if as_json:
        command.append("--json")
    become(command, settings)
