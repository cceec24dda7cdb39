"""The size of a language model, told before it is made."""

from __future__ import annotations

import pytest

from lepton_tasks.nlp.training import TrainingOptions
from workers.custom.writer_size import WriterSize
from workers.longruns.child import RunFailed
from workers.training.decoder.network import Shape


def of(**options: int) -> WriterSize:
    chosen = {"model": "w", "method": "language-model", **options}
    return WriterSize.of(TrainingOptions.model_validate(chosen))


@pytest.mark.parametrize("options", [{}, {"width": 64, "layers": 2, "vocabulary": 300}])
def test_parameters_are_those_of_the_network(options: dict[str, int]) -> None:
    size = of(**options)
    shape = Shape(width=size.width, layers=size.layers, context=size.context)
    network = shape.build(size.vocabulary, seed=1)
    assert size.parameters == sum(one.numel() for one in network.parameters())


def test_what_needs_too_much_memory_is_refused() -> None:
    of().check(1_024)
    assert of(batch=256).bytes > of().bytes < of(width=512).bytes
    with pytest.raises(RunFailed, match=r"need about [\d,]+ MB, and LEPTON_TRAINING_MEMORY_MB"):
        of(vocabulary=1 << 16, context=4_096, batch=256).check(4_096)
