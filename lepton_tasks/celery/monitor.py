"""Celery's entry point for tools that only watch: ``celery -A lepton_tasks.celery.monitor flower``.

The one module of the core that does its work at import, because Celery finds its app so.
"""

from __future__ import annotations

from lepton_tasks.celery.app import make_app
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.settings import load_settings

app = make_app(running_settings(load_settings()), find_tasks())
