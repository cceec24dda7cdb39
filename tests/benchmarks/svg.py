"""The few SVG elements that the charts are drawn with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape, quoteattr

PAPER: Final = "#ffffff"
INK: Final = "#1f2933"
MUTED: Final = "#616e7c"
RULE: Final = "#d9dee5"
OURS: Final = "#1d6fd8"
OURS_LIGHT: Final = "#9cc3f2"
OTHER: Final = "#98a3b1"
OTHER_LIGHT: Final = "#d3d9e0"
SECOND: Final = "#d9730d"
CHARACTER: Final = 7.8
"""Pixels that a bold character of the usual size takes, generously."""
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(slots=True)
class Canvas:
    """A drawing of ``width`` by ``height`` pixels on white, for light and dark pages alike."""

    width: float
    height: float
    title: str
    _elements: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        anchor: str = "start",
        size: int = 13,
        colour: str = INK,
        bold: bool = False,
    ) -> None:
        """Write ``content`` with its baseline at ``y``; ``anchor`` is start, middle or end."""
        weight = ' font-weight="600"' if bold else ""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
            f'text-anchor="{anchor}"{weight}>{escape(content)}</text>'
        )

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle from its upper left corner."""
        self._elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" '
            f'height="{height:.1f}" rx="2" fill="{colour}"/>'
        )

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        colour: str = RULE,
        *,
        width: float = 1.0,
        dashed: bool = False,
    ) -> None:
        """A straight line between two points."""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._elements.append(
            f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"{dashes}/>'
        )

    def dot(self, x: float, y: float, colour: str) -> None:
        """A round mark."""
        self._elements.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')

    def render(self) -> str:
        """The file's text."""
        body = "\n".join(self._elements)
        size = f'width="{self.width:.0f}" height="{self.height:.0f}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
            f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" role="img" '
            f"aria-label={quoteattr(self.title)} font-family={quoteattr(_FONT)}>\n"
            f"<title>{escape(self.title)}</title>\n"
            f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>\n{body}\n</svg>\n'
        )
