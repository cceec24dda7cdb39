"""``lepton models``: what the catalogues offer, in a process of the model side."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lepton_tasks.cli.handover import become, require_package
from lepton_tasks.settings import load_settings

app = typer.Typer(help="Models: what there is, whether it is whole, and fetching more.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_models(
    task: Annotated[str, typer.Option(help="Models of this task alone.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List the models of the catalogues: task, engine, where the weights are, their size.

    Of a task's models the default serves jobs that name none. A demo's answers say so.
    """
    _hand_over("list", *(["--task", task] if task else []), *_json(as_json))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name in the catalogue.")], as_json: JsonOption = False
) -> None:
    """Show a model's entry, what its card says of licences, and the card."""
    _hand_over("show", *_json(as_json), "--", name)


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names in the catalogue; all when left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check models on disk without loading them.

    Weights must be safetensors with a readable header; code, pickles, a missing tokenizer
    and labels that are not the task's are faults. The files of a pulled model must have
    the hashes of the lock file.

    Exit codes: 0 all is well, 1 something is wrong, 2 there is no such model.
    """
    _hand_over("verify", *_json(as_json), "--", *(names or []))


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="Names in the catalogue.")],
    newest: Annotated[
        bool, typer.Option("--newest", help="The newest revision, whatever is pinned.")
    ] = False,
) -> None:
    """Fetch models of the Hugging Face hub, and pin what was fetched.

    Only safetensors, config and tokenizer are taken. The revision, and the hash of every
    file, go into LEPTON_MODELS_LOCK; the files into LEPTON_MODELS_FOLDER. A revision that
    is pinned already is fetched again as it is, unless --newest. The hub is that of
    HF_ENDPOINT; HF_TOKEN is for models that ask for one.

    For example:

        lepton models pull sentiment-xlm-roberta

        LEPTON_PROFILE=production lepton worker --tasks sentiment
    """
    _hand_over("pull", *(["--newest"] if newest else []), "--", *names)


def _json(wanted: bool) -> list[str]:
    return ["--json"] if wanted else []


def _hand_over(*arguments: str) -> None:
    settings = load_settings()
    require_package("workers", "worker")
    become([sys.executable, "-m", "workers.catalogue", *arguments], settings)
