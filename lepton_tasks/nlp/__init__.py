"""The NLP tasks: one file a task, found by the registry."""
