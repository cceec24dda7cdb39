"""The card of a trained model: what it was made of, and how it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_tasks.nlp.training import TrainingOptions
from workers.catalogue.entries import CatalogueEntry


def headline(output: Mapping[str, Any]) -> str:
    """How good it is, in one line for a list of versions.

    >>> figures = {"new": {"accuracy": 0.9, "f1": 0.875}, "base": {"accuracy": 0.8, "f1": 0.75}}
    >>> headline({**figures, "trained": 2400, "held_out": 600})
    'F1 0.875, accuracy 0.900 on 600 rows held out (base: F1 0.750); 2,400 to train on'
    >>> headline({**figures, "base": None, "trained": 16, "held_out": 4})
    'F1 0.875, accuracy 0.900 on 4 rows held out; 16 to train on'
    """
    new, base = output["new"], output["base"]
    beside = "" if base is None else f" (base: F1 {base['f1']:.3f})"
    return (
        f"F1 {new['f1']:.3f}, accuracy {new['accuracy']:.3f} on {output['held_out']:,} rows held "
        f"out{beside}; {output['trained']:,} to train on"
    )


def card(
    options: TrainingOptions,
    output: Mapping[str, Any],
    base: CatalogueEntry | None,
    goes_on: bool,
) -> str:
    """Markdown without any text of the rows; labels and figures are in it."""
    lines = [
        f"# {options.model}",
        "",
        f"A text classifier for {output['task']}, trained by a job of the task `training` with the "
        f"method `{options.method}` and seed {options.seed}.",
        "",
        f"- Labels: {', '.join(output['labels'])}",
        "- Rows by language: "
        + ", ".join(f"{language} {count:,}" for language, count in output["rows"].items()),
        f"- Rows: {output['trained']:,} to train on, {output['held_out']:,} held out",
    ]
    lines += [f"- {warning}" for warning in output["warnings"]]
    if base is not None:
        how = "went on from" if goes_on else "took the encoder of"
        lines.append(f"- Base: {how} `{base.name}`; its card and licence hold for this model too")
        if base.demo and goes_on:
            lines.append("- The base is a demonstration, and so is this model")
    lines += ["", "| on the rows held out | accuracy | macro-F1 |", "|---|---|---|"]
    for name, key in (("this model", "new"), ("its base", "base"), ("commonest label", "majority")):
        if (figures := output[key]) is not None:
            lines.append(f"| {name} | {figures['accuracy']:.4f} | {figures['f1']:.4f} |")
    lines += [
        "",
        "Licence: that of the rows, which are not part of this folder.",
        "",
        "Limits: the figures are of one split of these rows; texts of another kind may do worse.",
    ]
    return "\n".join(lines) + "\n"
