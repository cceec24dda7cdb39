"""Celery as producers and workers share it: the app and the result backend."""
