"""``lepton train``: a file of labelled or raw texts becomes a version of a model, by a job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from lepton_tasks.cli.catalogue import check_classifier
from lepton_tasks.cli.jobs import follow_to_end
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.errors import InvalidInput
from lepton_tasks.labelled import read_row
from lepton_tasks.nlp.training import LANGUAGE_MODEL, MOST_ROWS, MOST_TEXTS
from lepton_tasks.producer import Producer
from lepton_tasks.raw_texts import read_documents, text_fault
from lepton_tasks.settings import Settings, load_settings

_MOST_BYTES: Final = 3 * 1024 * 1024
"""Of a file whose rows travel in the job."""


def train(
    file: Annotated[
        Path,
        typer.Argument(
            help='JSON Lines in UTF-8, each with "text" and "label"; raw text for language-model.'
        ),
    ],
    name: Annotated[str, typer.Option(help="Catalogue name of the model to make.")],
    base: Annotated[str, typer.Option(help="Text classifier to go on from.")] = "",
    method: Annotated[
        str,
        typer.Option(help="ngram-head, encoder-head, lora, top-layers or language-model."),
    ] = "ngram-head",
    task: Annotated[
        str, typer.Option(help="classification or sentiment; the base's when left out.")
    ] = "",
    epochs: Annotated[int, typer.Option(help="Passes over the rows; 0 for the usual.")] = 0,
    layers: Annotated[
        int,
        typer.Option(help="Last layers to tune (2), or layers of a language model (3)."),
    ] = 0,
    rank: Annotated[
        int,
        typer.Option(help="lora: of the adapters (16); top-layers: store adapters of that rank."),
    ] = 0,
    steps: Annotated[int, typer.Option(help="language-model: steps to take (1,000).")] = 0,
    width: Annotated[int, typer.Option(help="language-model: a multiple of 32 (160).")] = 0,
    vocabulary: Annotated[int, typer.Option(help="language-model: tokens to learn (4,096).")] = 0,
    context: Annotated[
        int, typer.Option(help="language-model: tokens that it sees at once (512).")
    ] = 0,
    batch: Annotated[int, typer.Option(help="language-model: pieces in a step (4).")] = 0,
    rate: Annotated[float, typer.Option(help="language-model: learning rate (0.003).")] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed and rows, the same weights.")] = 7,
    holdout: Annotated[
        float, typer.Option(help="Share to measure with: 0.2 of rows, 0.05 of raw text.")
    ] = 0.0,
    language: Annotated[str, typer.Option(help="en or zh; found out from each row.")] = "",
    require_better: Annotated[
        bool, typer.Option("--require-better", help="Publish only what beats its base.")
    ] = False,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Serve the new version at once, as a new name is anyway."),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Print the job's id and do not wait.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train a classifier on labelled texts, or a language model on raw ones, as a job.

    What a file of up to 3 MB holds travels in the job. A larger file has to lie in
    LEPTON_DATA_FOLDER, where the workers read it. A share of it is held out; the report says how
    the new model does there, beside its base and the commonest label, or beside n-grams.

    For a language model, blank lines of the file separate documents; each line of a .jsonl
    is one, its "text". The vocabulary is learned from them, too.

    Ctrl-C leaves the job running, and says how to follow or cancel it. A worker that
    dies takes nothing with it: the next goes on from the last checkpoint.

    Exit codes: 0 trained; 1 it failed or was cancelled; 2 wrong input or usage; 130
    interrupted.

    For example:

        lepton train tickets.jsonl --name our-tickets

        lepton train 评价.jsonl --name sentiment --base sentiment --require-better --serve

        lepton train reviews.jsonl --name our-reviews --base sentiment --method top-layers

        lepton train 日记.txt --name my-writer --method language-model --steps 2000
    """
    settings = load_settings()
    raw = method == LANGUAGE_MODEL
    item = read_raw(file, settings) if raw else read_item(file, settings)
    given = {
        "base": base,
        "task": task,
        "epochs": epochs,
        "layers": layers,
        "rank": rank,
        "steps": steps,
        "width": width,
        "vocabulary": vocabulary,
        "context": context,
        "batch": batch,
        "rate": rate,
        "holdout": holdout,
        "language": language,
    }
    options: dict[str, Any] = {
        "model": name,
        "method": method,
        "seed": seed,
        "require_better": require_better,
        "serve": serve,
        **{option: value for option, value in given.items() if value},
    }
    running = running_settings(settings)
    if base:
        check_classifier(base, "--base", settings)
    with Producer(running) as producer:
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
    return _named(file, settings, "rows")


def read_raw(file: Path, settings: Settings) -> dict[str, Any]:
    """The documents of a small file of raw text, or the name that the workers know a large one by.

    Raises:
        InvalidInput: the file cannot be read; the message names the line.
    """
    texts: list[str] = []
    try:
        size = file.stat().st_size
        if size <= _MOST_BYTES:
            with file.open("rb") as lines:
                texts = list(read_documents(lines, str(file)))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", "FILE") from error
    except ValueError as error:
        raise InvalidInput(str(error), "FILE") from None
    if size > _MOST_BYTES or len(texts) > MOST_TEXTS:
        return _named(file, settings, "text")
    if (fault := text_fault(str(file), len(texts), sum(map(len, texts)))) is not None:
        raise InvalidInput(fault, "FILE")
    return {"texts": texts}


def _named(file: Path, settings: Settings, what: str) -> dict[str, Any]:
    data = settings.data_folder
    if data is None or not file.resolve().is_relative_to(data.resolve()):
        raise InvalidInput(
            f"{file} has more {what} than travel in a job: put it into LEPTON_DATA_FOLDER, which "
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
