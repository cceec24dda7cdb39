"""Make the demo's comments: ``python -m lepton_tasks.samples.generate > comments.jsonl``.

Half Chinese, half English, written for this project: lines written by hand
(``lines_*.txt``) and patterns filled from lists (``templates_*.toml``). Some are
rude, threatening or spam, in mild words, so that moderation has something to
find. The output depends on those files alone: order and choice come from
hashes, so it is the same on every machine and Python version.
"""

from __future__ import annotations

import itertools
import json
import string
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

FOLDER = Path(__file__).parent
SAMPLE = FOLDER / "comments.jsonl"
LANGUAGES = ("en", "zh")


def comments(folder: Path = FOLDER) -> Iterator[dict[str, str]]:
    """Yield the comments in order, each with ``id`` and ``text``, all texts distinct."""
    texts = itertools.chain.from_iterable(
        [*handwritten(folder, language), *templated(folder, language)] for language in LANGUAGES
    )
    for number, text in enumerate(shuffled(dict.fromkeys(texts)), start=1):
        yield {"id": f"comment-{number:04}", "text": text}


def handwritten(folder: Path, language: str) -> list[str]:
    """Return the lines written by hand in a language."""
    return (folder / f"lines_{language}.txt").read_text(encoding="utf-8").splitlines()


def templated(folder: Path, language: str) -> list[str]:
    """Return the comments made from a language's templates.

    Raises ValueError when a theme cannot make as many as it promises.
    """
    source = folder / f"templates_{language}.toml"
    themes = tomllib.loads(source.read_text(encoding="utf-8"))
    made: list[str] = []
    for name, theme in themes.items():
        found = fill(theme["patterns"], theme, theme["count"])
        if len(found) < theme["count"]:
            raise ValueError(f"{source}: [{name}] makes {len(found)} comments only")
        made += found
    return made


def fill(patterns: Sequence[str], slots: Mapping[str, Any], count: int) -> list[str]:
    """Return up to ``count`` distinct fillings, taken from the patterns in turn.

    >>> sorted(fill(["{a} {b}", "{b}!"], {"a": ["x", "y"], "b": ["1"]}, 3))
    ['1!', 'x 1', 'y 1']
    """
    by_pattern = [shuffled(fillings(pattern, slots)) for pattern in patterns]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*by_pattern))
    distinct = dict.fromkeys(text for text in in_turn if text is not None)
    return list(itertools.islice(distinct, count))


def fillings(pattern: str, slots: Mapping[str, Any]) -> Iterator[str]:
    """Yield every filling of one pattern."""
    names = [name for _, name, _, _ in string.Formatter().parse(pattern) if name]
    for values in itertools.product(*(slots[name] for name in names)):
        yield pattern.format(**dict(zip(names, values, strict=True)))


def shuffled(texts: Iterator[str] | Mapping[str, None]) -> list[str]:
    """Return the texts in an order without meaning that is always the same."""
    return sorted(texts, key=lambda text: sha256(text.encode("utf-8")).digest())


def main(out: TextIO = sys.stdout) -> None:
    """Write the comments as JSON lines."""
    for comment in comments():
        out.write(json.dumps(comment, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    main()
