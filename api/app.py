"""The application, built from settings: nothing happens at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api.document import DescribedApi
from api.errors import install_error_handlers
from api.middleware import RequestContext
from api.openai import chat, completions, embeddings, moderations
from api.openai import models as openai_models
from api.reference import reference_page
from api.routes import (
    batch_results,
    batches,
    conversations,
    corpora,
    endpoint_deliveries,
    files,
    health,
    jobs,
    tasks,
    uploads,
    webhook_deliveries,
    webhook_endpoints,
)
from api.services import open_services
from lepton_tasks import __version__
from lepton_tasks.settings import Settings

_TRIED_AT: Final = "/docs/try"


def create_app(settings: Settings) -> FastAPI:
    """Build the API; its connections open with the application's lifespan.

    While it runs, ``app.state.services`` holds them.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings) as services:
            app.state.services = services
            yield

    app = DescribedApi(
        title="lepton-tasks",
        version=__version__,
        summary="Asynchronous NLP jobs",
        docs_url=_TRIED_AT,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    install_error_handlers(app, app.methods_at)
    app.add_middleware(RequestContext)
    for part in (
        jobs,
        tasks,
        batches,
        batch_results,
        files,
        uploads,
        conversations,
        corpora,
        webhook_endpoints,
        endpoint_deliveries,
        webhook_deliveries,
        health,
        moderations,
        embeddings,
        chat,
        completions,
        openai_models,
    ):
        app.take(part.router)

    @app.get("/docs", include_in_schema=False)
    def reference() -> HTMLResponse:
        return HTMLResponse(reference_page(app.openapi(), _TRIED_AT))

    return app
