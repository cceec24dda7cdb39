"""What stands for a model where an item is a process of its own. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lepton_tasks.errors import ConfigError
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import AnyTask
from workers.engines.base import Encoded, Engine, Lane, LaneKey, Raw
from workers.errors import ModelError
from workers.refusal import Refused, unknown_model

if TYPE_CHECKING:
    import torch

MODULES: Final[Mapping[str, str]] = {
    "compressor": "workers.compressing",
    "trainer": "workers.custom",
}
"""What ``python -m`` runs for an item, by the engine that its task names."""
REVISION: Final = "2"
"""Of the rules by which the modules work."""


class LongRunLane(Lane):
    """A lane through which nothing goes."""

    tunable = False

    def __init__(self, name: str) -> None:
        self.key = LaneKey(name, REVISION, "cpu", "float32")

    def compute(self, prepared: Any) -> Sequence[Raw]:
        """Not for micro-batches.

        Raises:
            ModelError: always.
        """
        raise ModelError(f"{self.key.model} takes minutes to hours: it runs as a job alone")


class LongRunEngine:
    """An engine whose items leave the path before any micro-batch."""

    def __init__(self, name: str) -> None:
        """``name`` is one of :data:`MODULES`."""
        self.name = name
        self.revision = REVISION
        self.module = MODULES[name]
        self.lane: Lane = LongRunLane(name)

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Hand inputs on, in order."""
        return [Encoded(1, one) for one in inputs]

    def forward(self, batch: Sequence[Encoded]) -> Sequence[Raw]:
        """Not for micro-batches; raises ModelError."""
        return self.lane.forward([(self, one) for one in batch])

    def tensors(self) -> Iterator[torch.Tensor]:
        """There are none here."""
        yield from ()


class LongRunModels:
    """The engines of a worker for long tasks, in the place of a pool of models."""

    def __init__(self, tasks: Mapping[str, AnyTask]) -> None:
        """``tasks`` are none of the interactive ones.

        Raises:
            ConfigError: nothing here runs one of them.
        """
        self.tasks = tasks
        for task in tasks.values():
            if task.engine not in MODULES:
                raise ConfigError(
                    f"{task.name} names the engine {task.engine!r}, but tasks that are not "
                    f"interactive run on {', '.join(sorted(MODULES))}"
                )
        self._engines = {name: LongRunEngine(task.engine) for name, task in tasks.items()}

    def load_defaults(self) -> None:
        """Nothing is to be loaded."""

    def engine(self, task: str, model: str | None = None) -> Engine | Refused:
        """Return the task's engine; it has no other."""
        own = self._engines[task]
        return own if model in (None, own.name) else unknown_model(task, str(model), [own.name])

    def default(self, task: str) -> Engine:
        """Return the task's engine."""
        return self._engines[task]

    def is_demo(self, model: str) -> bool:
        """What is made says so itself."""
        return False

    def budget(self, lane: Lane) -> int:
        """There are no micro-batches."""
        return 1

    def memory(self) -> dict[str, Any]:
        """No weights are held."""
        return {"bound": 0, "headroom": 0, "used": 0, "models": {}, "loading": []}

    def versions(self) -> dict[str, Any]:
        """No version of a model serves here."""
        return {}

    def follow(self) -> None:
        """Nothing is to be swapped."""

    def close(self) -> None:
        """Nothing is to be closed."""
