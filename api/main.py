"""For servers that want a factory: ``uvicorn --factory api.main:app``."""

from __future__ import annotations

import sys

from fastapi import FastAPI

from api.app import create_app
from api.startup import check_startup, configure_logging
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.errors import LeptonError
from lepton_tasks.settings import load_settings


def app() -> FastAPI:
    """Build the API from the environment; ends the process with a message if it cannot run."""
    try:
        settings = running_settings(load_settings())
        configure_logging(settings.log_level)
        check_startup(settings)
    except LeptonError as error:
        sys.exit(f"error: {error}")
    return create_app(settings)
