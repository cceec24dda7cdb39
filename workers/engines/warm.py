"""Running a task's examples through an engine, so that the first job finds it warm."""

from __future__ import annotations

from lepton_tasks.nlp.registry import AnyTask
from workers.engines.base import Engine


def warm_up(task: AnyTask, engine: Engine) -> None:
    """Run the task's examples for the model from text to output, alone and together.

    A model of another server has nothing to warm, and may be away for now.

    Raises:
        Exception: an example fails; the model cannot serve the task.
    """
    if getattr(engine, "remote", False):
        return
    examples = task.examples_for(engine.name)
    options = [chosen for _, chosen in examples]
    inputs = [task.encode(task.read_item(one.input), chosen) for one, chosen in examples]
    encoded = engine.tokenize(inputs)
    for batch in ([one] for one in encoded):
        engine.forward(batch)
    for raw, model_input, chosen in zip(engine.forward(encoded), inputs, options, strict=True):
        task.decode(raw, model_input, chosen)
