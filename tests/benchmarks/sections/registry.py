"""All sections, in the order of the page."""

from __future__ import annotations

from typing import Final

from tests.benchmarks.sections import (
    answers,
    depth,
    enqueue,
    gpu,
    latency,
    memory,
    model,
    poison,
    priority,
    queue,
    webhooks,
)
from tests.benchmarks.sections.base import Section

SECTIONS: Final[dict[str, Section]] = {
    module.SECTION.name: module.SECTION
    for module in (
        queue,
        enqueue,
        model,
        latency,
        answers,
        priority,
        poison,
        depth,
        webhooks,
        memory,
        gpu,
    )
}
