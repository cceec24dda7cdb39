"""The end of a run: how it ended and what came of it, as data and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.markup import escape
from rich.table import Table

from lepton_tasks.bulk.tally import Tally


class Ending(StrEnum):
    """How a run ended. ``incomplete``: the input could not be read to its end."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a run. ``seconds`` add up over its interruptions."""

    batch_id: str
    ending: Ending
    out: str
    errors: str
    tally: Tally
    seconds: float

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.tally.lines / self.seconds if self.seconds else 0.0

    def dump(self) -> dict[str, Any]:
        """JSON values."""
        tally = self.tally.dump()
        share = self.tally.flagged_share
        return {
            "batch_id": self.batch_id,
            "state": str(self.ending),
            "output": self.out,
            "errors_file": self.errors,
            "lines": self.tally.lines,
            "ok": tally["ok"],
            "errors": tally["errors"],
            "flagged": tally["flagged"],
            "flagged_share": None if share is None else round(share, 6),
            "categories": tally["categories"],
            "languages": tally["languages"],
            "error_codes": tally["error_codes"],
            "seconds": round(self.seconds, 3),
            "lines_per_second": round(self.rate, 1),
        }

    def table(self) -> Table:
        """The same for people; groups that are empty are left out."""
        tally = self.tally
        table = Table("what", "lines", "share", title=str(self.ending))
        for column in table.columns[1:]:
            column.justify = "right"
        rows = [("lines", tally.lines, tally.lines), ("with output", tally.ok, tally.lines)]
        rows.append(("with error", tally.errors, tally.lines))
        rows += [
            (f"  {code}", count, tally.lines) for code, count in tally.error_codes.most_common()
        ]
        if tally.judged:
            rows.append(("flagged", tally.flagged, tally.judged))
        rows += [
            (f"  {name}", count, tally.judged) for name, count in tally.categories.most_common()
        ]
        rows += [
            (f"language {name}", count, tally.ok) for name, count in tally.languages.most_common()
        ]
        for name, count, whole in rows:
            table.add_row(escape(name), f"{count:,}", f"{count / whole:.1%}" if whole else "")
        table.caption = f"{self.seconds:,.1f} s, {self.rate:,.0f} lines/s"
        return table
