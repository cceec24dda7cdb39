"""Running a task's examples through an engine, so that the first job finds it warm."""

from __future__ import annotations

from lepton_tasks.nlp.registry import AnyTask
from workers.engines.base import Engine


def warm_up(task: AnyTask, engine: Engine) -> None:
    """Run the task's examples from text to output, alone and together.

    Raises:
        Exception: an example fails; the model cannot serve the task.
    """
    options = [task.options_model.model_validate(dict(one.options)) for one in task.examples]
    inputs = [
        task.encode(task.read_item(example.input), chosen)
        for example, chosen in zip(task.examples, options, strict=True)
    ]
    encoded = engine.tokenize(inputs)
    for batch in ([one] for one in encoded):
        engine.forward(batch)
    for raw, model_input, chosen in zip(engine.forward(encoded), inputs, options, strict=True):
        task.decode(raw, model_input, chosen)
