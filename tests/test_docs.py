"""Pages for readers: what they link to is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TITLE = re.compile(r"^#+ (.*)$", re.M)


def anchors(page: Path) -> set[str]:
    """Names of the titles of a page, as GitHub and most others make them."""
    titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _TITLE.findall(page.read_text()))
    return {title.strip().replace(" ", "-") for title in titles}


def test_links_lead_to_files_and_titles_that_there_are() -> None:
    wrong = []
    for page in PAGES:
        for link in _LINK.findall(page.read_text()):
            if ":" in link:  # elsewhere
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                wrong.append(f"{page.relative_to(ROOT)}: {link}")
    assert wrong == []
