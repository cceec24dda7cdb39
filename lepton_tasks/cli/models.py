"""``lepton models``: what the catalogues offer and which versions serve, by the model side."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lepton_tasks.cli.compress import compress
from lepton_tasks.cli.handover import become, require_package
from lepton_tasks.settings import load_settings

app = typer.Typer(
    help="Models: what there is, whether it is whole, fetching more, and which version serves."
)
app.command()(compress)

WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait until every running worker of its task has changed.")
]
TimeoutOption = Annotated[float, typer.Option(help="Seconds that --wait waits at most.")]
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


@app.command()
def versions(
    name: Annotated[str, typer.Argument(help="Name in the catalogue, or of a trained model.")],
    as_json: JsonOption = False,
) -> None:
    """List the versions of a model, the newest first: when, how large, how good, which serves.

    Versions are what was trained here and published; they lie in LEPTON_VERSIONS_FOLDER.

    Exit codes: 0, or 2 where there is no such model.
    """
    _hand_over("versions", *_json(as_json), "--", name)


@app.command()
def swap(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[str, typer.Argument(help="One that `lepton models versions` lists.")],
    wait: WaitOption = False,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Serve another version of a model, without a restart and without losing a job.

    The version is verified first, as `lepton models verify` does; where anything is wrong,
    nothing changes. Then every running worker loads it beside the old one, warms it, and
    gives it to new jobs; jobs that are held end on the old one, whose memory is then free.
    A worker that cannot load it goes on with the old one.

    Exit codes: 0 it is served, 1 something is wrong with it, or with --wait a worker did not
    change, 2 there is no such model or version.

    For example:

        lepton models versions topics

        lepton models swap topics 20260131T080910Z-0123456789ab --wait
    """
    _hand_over("swap", *_rollout(wait, timeout), *_json(as_json), "--", name, version)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    wait: WaitOption = False,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Serve again what a model served before, one step back each time.

    Before the first version that is the catalogue's own model. Running workers change as
    they do with `lepton models swap`.

    Exit codes: 0 it is served, 1 nothing is known to have been before, or with --wait a
    worker did not change, 2 there is no such model.
    """
    _hand_over("rollback", *_rollout(wait, timeout), *_json(as_json), "--", name)


def _rollout(wait: bool, timeout: float) -> list[str]:
    return ["--wait", "--timeout", f"{timeout:g}"] if wait else []


def _json(wanted: bool) -> list[str]:
    return ["--json"] if wanted else []


def _hand_over(*arguments: str) -> None:
    settings = load_settings()
    require_package("workers", "worker")
    become([sys.executable, "-m", "workers.catalogue", *arguments], settings)
