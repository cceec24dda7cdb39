"""``lepton models compress``: a classifier in fewer bits, by a job of the running system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lepton_tasks.cli.catalogue import check_classifier
from lepton_tasks.cli.jobs import follow_to_end
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.compression import MOST_TEXTS
from lepton_tasks.producer import Producer
from lepton_tasks.raw_texts import read_lines
from lepton_tasks.settings import load_settings

SAMPLE: Final = Path(__file__).parents[1] / "samples" / "comments.jsonl"
_OF_SAMPLE: Final = 400


def compress(
    name: Annotated[str, typer.Argument(help="Text classifier, by its name in the catalogue.")],
    to: Annotated[str, typer.Option(help="int8 or fp16.")] = "int8",
    texts: Annotated[
        Path | None,
        typer.Option(
            help='What to compare answers on: a text a line, or JSON Lines with "text"; sample '
            "comments, Chinese and English, when left out."
        ),
    ] = None,
    max_drift: Annotated[
        float, typer.Option(help="How far a score may move on any of them.")
    ] = 0.05,
    max_flips: Annotated[
        float, typer.Option(help="Share of them that may get another label.")
    ] = 0.01,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the new version from now on.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Print the job's id and do not wait.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Store a classifier's weights in fewer bits, and publish them if they answer alike.

    Answers are compared with those of the model as it was, on up to 2,000 texts; texts of the
    kind that it gets say more than the sample does. It is a job of the running system. What
    it makes is a version, and `lepton models swap` and `rollback` say what serves.

    Exit codes: 0 published; 1 it failed, such as by moving scores too far, or was cancelled;
    2 wrong input or usage; 130 interrupted.

    For example:

        lepton models compress sentiment --to int8 --max-drift 0.02 --texts reviews.jsonl
    """
    settings = running_settings(load_settings())
    check_classifier(name, "NAME", load_settings())
    item = {"texts": _texts(texts)}
    options = {
        "model": name,
        "to": to,
        "max_drift": max_drift,
        "max_flips": max_flips,
        "serve": serve,
    }
    with Producer(settings) as producer:
        job_id = producer.submit("compression", item, options=options).id
        if detach:
            typer.echo(job_id)
            return
        typer.echo(f"job {job_id}", err=True)
        follow_to_end(producer, job_id, as_json)


def _texts(file: Path | None) -> list[str]:
    """The first texts of a file, or some of the whole sample."""
    place = SAMPLE if file is None else file
    found: list[str] = []
    try:
        with place.open("rb") as lines:
            for text in read_lines(lines, str(place)):
                found.append(text)
                if file is not None and len(found) == MOST_TEXTS:
                    break
    except OSError as error:
        raise InvalidInput(f"{place} cannot be read: {error.strerror}", "--texts") from error
    except ValueError as error:
        raise InvalidInput(str(error), "--texts") from None
    return found if file is not None else found[:: len(found) // _OF_SAMPLE][:_OF_SAMPLE]
