"""The page of measured quality: one section a task, each replaced when it is measured again."""

from __future__ import annotations

TITLE = "# Measured quality of the default models"
HOW = "Made by `make quality DATA=folder`; a task measured alone replaces its own section."


def sections(page: str) -> dict[str, str]:
    r"""Sections of a page by their headings, in order; what stands before the first is no section.

    >>> sections("# Title\n\n## A\n\none\n\n### a\n\n## B\n\ntwo\n")
    {'## A': '## A\n\none\n\n### a', '## B': '## B\n\ntwo'}
    """
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in page.splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line.rstrip(), [])
        if lines is not None:
            lines.append(line)
    return {heading: "\n".join(lines).strip() for heading, lines in found.items()}


def with_section(page: str, section: str) -> str:
    """The page with ``section`` in the place of the one with its heading, or else at the end.

    Raises:
        ValueError: ``section`` does not begin with a heading of the second level, or has two.
    """
    new = sections(section)
    if len(new) != 1 or not section.lstrip().startswith("## "):
        raise ValueError("a section is to begin with its one heading, `## Task`")
    parts = [TITLE, HOW, *{**sections(page), **new}.values()]
    return "\n\n".join(parts) + "\n"
