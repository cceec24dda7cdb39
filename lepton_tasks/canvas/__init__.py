"""What Celery's producers write to follow a task's end, read and decided without Celery."""
