"""``lepton train``: a file of labelled texts becomes a version of a model, by a job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from lepton_tasks.cli.jobs import follow_to_end
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.errors import InvalidInput
from lepton_tasks.labelled import read_row
from lepton_tasks.nlp.training import MOST_ROWS
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings, load_settings

_MOST_BYTES: Final = 3 * 1024 * 1024
"""Of a file whose rows travel in the job."""


def train(
    file: Annotated[
        Path, typer.Argument(help='JSON Lines, each with "text" and "label", in UTF-8.')
    ],
    name: Annotated[str, typer.Option(help="Catalogue name of the model to make.")],
    base: Annotated[str, typer.Option(help="Text classifier to go on from.")] = "",
    method: Annotated[
        str, typer.Option(help="ngram-head, encoder-head, lora or top-layers.")
    ] = "ngram-head",
    task: Annotated[
        str, typer.Option(help="classification or sentiment; the base's when left out.")
    ] = "",
    epochs: Annotated[int, typer.Option(help="Passes over the rows; 0 for the usual.")] = 0,
    layers: Annotated[
        int, typer.Option(help="lora, top-layers: how many of the last layers to tune; 0 for two.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed and rows, the same weights.")] = 7,
    holdout: Annotated[float, typer.Option(help="Share of the rows to measure with.")] = 0.2,
    language: Annotated[str, typer.Option(help="en or zh; found out from each row.")] = "",
    require_better: Annotated[
        bool, typer.Option("--require-better", help="Publish only what beats its base.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the new version from now on.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Print the job's id and do not wait.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train a classifier on labelled texts, as a job of the running system.

    Rows of a file of up to 3 MB and 10,000 rows travel in the job. A larger file has to
    lie in LEPTON_DATA_FOLDER, where the workers read it. A share of the rows is held out; the
    report says how the new model, its base, and the commonest label do on them.

    Ctrl-C leaves the job running, and says how to follow or cancel it. A worker that
    dies takes nothing with it: the next goes on from the last checkpoint.

    Exit codes: 0 trained; 1 it failed or was cancelled; 2 wrong input or usage; 130
    interrupted.

    For example:

        lepton train tickets.jsonl --name our-tickets

        lepton train 评价.jsonl --name sentiment --base sentiment --require-better --serve

        lepton train reviews.jsonl --name our-reviews --base sentiment --method lora
    """
    settings = load_settings()
    item = read_item(file, settings)
    given = {
        "base": base,
        "task": task,
        "epochs": epochs,
        "layers": layers,
        "language": language,
    }
    options: dict[str, Any] = {
        "model": name,
        "method": method,
        "seed": seed,
        "holdout": holdout,
        "require_better": require_better,
        "serve": serve,
        **{option: value for option, value in given.items() if value},
    }
    with Producer(running_settings(settings)) as producer:
        job_id = producer.submit("training", item, options=options).id
        if detach:
            typer.echo(job_id)
            return
        typer.echo(f"job {job_id}", err=True)
        follow_to_end(producer, job_id, as_json)


def read_item(file: Path, settings: Settings) -> dict[str, Any]:
    """The rows of a small file, or the name that the workers know a large one by.

    Raises:
        InvalidInput: the file cannot be read or is no JSON Lines; the message names the line.
    """
    try:
        size = file.stat().st_size
        rows: list[dict[str, str]] = []
        if size <= _MOST_BYTES:
            with file.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    if not line.isspace():
                        rows.append(_read(line, f"{file}, line {number}"))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", "FILE") from error
    if size <= _MOST_BYTES and len(rows) <= MOST_ROWS:
        return {"rows": rows}
    data = settings.data_folder
    if data is None or not file.resolve().is_relative_to(data.resolve()):
        raise InvalidInput(
            f"{file} has too many rows to travel in a job: put it into LEPTON_DATA_FOLDER, which "
            "the workers read too",
            "FILE",
        )
    return {"file": str(file.resolve().relative_to(data.resolve()))}


def _read(line: bytes, where: str) -> dict[str, str]:
    try:
        return read_row(orjson.loads(line), where).model_dump()
    except orjson.JSONDecodeError:
        raise InvalidInput(f"{where}: it is no JSON", "FILE") from None
    except ValueError as error:
        raise InvalidInput(str(error), "FILE") from None
