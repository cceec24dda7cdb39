"""lepton-tasks: asynchronous NLP on Celery and Redis, with durable results."""

__version__ = "0.1.0"
