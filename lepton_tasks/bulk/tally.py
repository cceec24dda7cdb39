"""What became of the lines of a run, counted as they are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Counts of a run. ``judged`` are the outputs that say whether they are flagged."""

    ok: int = 0
    errors: int = 0
    judged: int = 0
    flagged: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    error_codes: Counter[str] = field(default_factory=Counter)

    @property
    def lines(self) -> int:
        """Lines written, to either file."""
        return self.ok + self.errors

    @property
    def flagged_share(self) -> float | None:
        """Flagged outputs over those that say so, None where none does."""
        return self.flagged / self.judged if self.judged else None

    def add_output(self, output: object) -> None:
        """Count an output.

        >>> tally = Tally()
        >>> tally.add_output({"flagged": True, "language": "zh", "categories": {"hate": True}})
        >>> tally.flagged_share, dict(tally.categories), dict(tally.languages)
        (1.0, {'hate': 1}, {'zh': 1})
        """
        self.ok += 1
        if not isinstance(output, Mapping):
            return
        flagged, language = output.get("flagged"), output.get("language")
        categories = output.get("categories")
        if isinstance(flagged, bool):
            self.judged += 1
            self.flagged += flagged
        if isinstance(language, str):
            self.languages[language] += 1
        if isinstance(categories, Mapping):
            self.categories.update([name for name, present in categories.items() if present])

    def add_error(self, code: str) -> None:
        """Count a line that has no output."""
        self.errors += 1
        self.error_codes[code] += 1

    def dump(self) -> dict[str, Any]:
        """JSON values, for the journal and the summary."""
        return {
            "ok": self.ok,
            "errors": self.errors,
            "judged": self.judged,
            "flagged": self.flagged,
            "categories": dict(self.categories.most_common()),
            "languages": dict(self.languages.most_common()),
            "error_codes": dict(self.error_codes.most_common()),
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Tally:
        """Inverse of :meth:`dump`."""
        counters = ("categories", "languages", "error_codes")
        return cls(**{**data, **{name: Counter(data[name]) for name in counters}})
