"""What the pipeline asks of an engine and of its lane: tokenise, prepare, compute."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from lepton_tasks.nlp.base import ModelInput

if TYPE_CHECKING:  # a worker without models does not pay for it
    import torch

Raw: TypeAlias = Mapping[str, Any]
"""What an engine finds for one item; the task decodes it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One item ready for the device.

    ``length`` is the tokens it occupies in the padded rectangle that a micro-batch is
    measured by; ``tokens`` is the engine's own, opaque to everybody else.
    """

    length: int
    tokens: Any


class SimpleEngine(Protocol):
    """The least an engine must be: what other packages write.

    ``tokenize`` may run in another thread than ``forward``.
    """

    @property
    def name(self) -> str:
        """Catalogue name of the model."""
        ...

    @property
    def revision(self) -> str:
        """Content hash or pinned revision of its weights."""
        ...

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Encode items, in order. Costs no device time."""
        ...

    def forward(self, batch: Sequence[Encoded]) -> Sequence[Raw]:
        """Run the model once over ``batch``, at least one item; one result an item, in order."""
        ...


class Engine(SimpleEngine, Protocol):
    """A warm model as the pipeline knows it.

    ``forward`` is ``lane.forward`` over items of this engine alone. ``revision`` is set anew
    where the weights are a version that has a name.
    """

    revision: str

    @property
    def lane(self) -> Lane:
        """Where its items run; engines of one lane may share a micro-batch."""
        ...

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights and buffers; what engines share is the same storage."""
        ...


@dataclass(frozen=True, slots=True)
class LaneKey:
    """What a lane's speed depends on. ``device`` and ``dtype`` are torch's names."""

    model: str
    revision: str
    device: str
    dtype: str


class Lane(ABC):
    """What may share one forward pass; told apart by identity.

    ``prepare`` may run in another thread while ``compute`` runs an earlier micro-batch.
    A prepared micro-batch is computed once, and by the lane that prepared it.
    """

    key: LaneKey
    tunable: bool = True
    """Whether its speed depends on a budget of padded tokens, which may be measured."""

    def prepare(self, batch: Sequence[tuple[Engine, Encoded]]) -> Any:
        """Make the tensors of a micro-batch, at least one item; opaque to the caller."""
        return batch

    @abstractmethod
    def compute(self, prepared: Any) -> Sequence[Raw]:
        """Run the device; one result an item, in the order in which they were prepared."""

    def forward(self, batch: Sequence[tuple[Engine, Encoded]]) -> Sequence[Raw]:
        """Prepare and compute."""
        return self.compute(self.prepare(batch))
