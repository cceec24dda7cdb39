"""Which NLP tasks there are: found, never listed by hand."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any, TypeGuard

import lepton_tasks.nlp
from lepton_tasks.errors import ConfigError, UnknownTask
from lepton_tasks.nlp.base import Task

AnyTask = Task[Any, Any]

ENTRY_POINTS = "lepton_tasks.tasks"
"""Entry point group in which other packages name their Task classes."""


def find_tasks() -> dict[str, AnyTask]:
    """Return every task by name, sorted: those of ``lepton_tasks.nlp``, then entry points.

    A module of ``lepton_tasks.nlp`` adds its task by defining a concrete
    subclass of Task. Raises ConfigError if two tasks have one name or an entry
    point does not lead to a Task class.
    """
    found: dict[str, AnyTask] = {}
    for origin, task_class in [*_own_classes(), *_foreign_classes()]:
        task = task_class()
        if task.name in found:
            raise ConfigError(f"{origin} defines a second task named {task.name!r}; rename it")
        found[task.name] = task
    return dict(sorted(found.items()))


def interactive_tasks() -> dict[str, AnyTask]:
    """Those of :func:`find_tasks` that one worker with models may serve all together."""
    return {name: task for name, task in find_tasks().items() if task.interactive}


def long_tasks() -> dict[str, AnyTask]:
    """The others: each item takes minutes to hours, in workers of their own."""
    return {name: task for name, task in find_tasks().items() if not task.interactive}


def check_apart(names: Iterable[str], long: Collection[str]) -> None:
    """Raise ConfigError where one worker is to serve long tasks and others.

    >>> check_apart(["training", "sentiment"], ["training"])
    Traceback (most recent call last):
        ...
    lepton_tasks.errors.ConfigError: training takes minutes to hours an item: serve it in a ...
    """
    if long and (others := sorted(set(names) - set(long))):
        raise ConfigError(
            f"{', '.join(sorted(long))} takes minutes to hours an item: serve it in a worker of "
            f"its own, apart from {', '.join(others)}"
        )


def get_task(name: str) -> AnyTask:
    """Return the task called ``name``; raises UnknownTask, which lists those that exist."""
    tasks = find_tasks()
    if name not in tasks:
        raise UnknownTask(f"there is no task {name!r}; the tasks are: {', '.join(tasks)}")
    return tasks[name]


def _own_classes() -> Iterator[tuple[str, type[AnyTask]]]:
    for info in pkgutil.iter_modules(lepton_tasks.nlp.__path__, "lepton_tasks.nlp."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if _is_task(value) and value.__module__ == module.__name__:
                yield info.name, value


def _foreign_classes() -> Iterator[tuple[str, type[AnyTask]]]:
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            value = entry.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"entry point {entry.name!r} cannot be loaded: {error}") from error
        if not _is_task(value):
            raise ConfigError(
                f"entry point {entry.name!r} ({entry.value}) is no concrete Task class"
            )
        yield f"entry point {entry.name!r}", value


def _is_task(value: object) -> TypeGuard[type[AnyTask]]:
    return inspect.isclass(value) and issubclass(value, Task) and not inspect.isabstract(value)
