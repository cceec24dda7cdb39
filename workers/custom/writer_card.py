"""The card of a trained language model: what it was made of, and how it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_tasks.nlp.training import TrainingOptions


def headline(report: Mapping[str, Any]) -> str:
    """How good it is, in one line for a list of versions.

    >>> held_out = {"en": {"perplexity": 12.3, "ngrams": 15.1}}
    >>> headline({"held_out": held_out, "parameters": 139072, "tokens": 121745})
    'perplexity en 12.3 (n-grams 15.1); 139,072 parameters, 121,745 tokens to train on'
    """
    parts = [
        f"{language} {one['perplexity']:.1f} (n-grams {one['ngrams']:.1f})"
        for language, one in report["held_out"].items()
    ]
    return (
        f"perplexity {', '.join(parts)}; {report['parameters']:,} parameters, "
        f"{report['tokens']:,} tokens to train on"
    )


def writer_card(options: TrainingOptions, output: Mapping[str, Any], command: str) -> str:
    """Markdown without anything of the texts."""
    report = output["language_model"]
    counts = ", ".join(f"{language} {count:,}" for language, count in output["rows"].items())
    lines = [
        f"# {options.model}",
        "",
        f"A decoder for {output['task']}, trained from nothing by a job of the task `training` "
        f"with seed {options.seed}: `{command}`",
        "",
        f"- Parameters: {report['parameters']:,}; vocabulary {report['vocabulary']:,}, learned "
        f"from the same text; context {report['context']:,} tokens",
        f"- Documents by language: {counts}",
        f"- Documents: {output['trained']:,} to train on, with {report['tokens']:,} tokens in "
        f"{report['bytes']:,} bytes; {output['held_out']:,} held out",
    ]
    lines += [f"- {warning}" for warning in output["warnings"]]
    lines += [
        "",
        "| held out | tokens measured | perplexity | n-grams' | bits a byte |",
        "|---|---|---|---|---|",
    ]
    for language, one in report["held_out"].items():
        lines.append(
            f"| {language} | {one['tokens']:,} | {one['perplexity']:.2f} | {one['ngrams']:.2f} | "
            f"{one['bits_per_byte']:.3f} |"
        )
    lines += [
        "",
        "Licence: that of the texts, which are not part of this folder.",
        "",
        "Limits: it writes in the manner of its texts and knows nothing else; what it says is not "
        "to be relied on.",
    ]
    return "\n".join(lines) + "\n"
