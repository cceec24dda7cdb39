"""``/v1/corpora``: a tenant's named collections of documents, which tasks search."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import errors, tells
from api.auth import Tenant
from api.body import SMALL_BYTES, read_object, takes
from api.corpus_schemas import (
    CorpusCreate,
    CorpusDeleted,
    CorpusRef,
    CorpusView,
    DocumentDeleted,
    DocumentRef,
    DocumentsAdded,
    DocumentsCreate,
    DocumentView,
)
from api.document_stream import is_stream, put_stream
from api.schemas import Page
from api.services import ServicesDep
from api.views import Limit
from lepton_tasks.corpora import CorpusLimits, check_name, read_documents
from lepton_tasks.fields import refuse_unknown

router = APIRouter(prefix="/v1/corpora", tags=["corpora"])


@router.post(
    "",
    status_code=201,
    openapi_extra=takes(CorpusCreate),
    responses=errors(409) | tells(201, "Location"),
)
async def create(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> CorpusView:
    """Make an empty corpus. A name that the tenant uses already answers 409, `corpus_exists`."""
    body = await read_object(request, SMALL_BYTES)
    refuse_unknown(body, CorpusCreate.model_fields)
    name = check_name(body.get("name"))
    corpus = await run_in_threadpool(services.store.corpora.create, tenant, name)
    response.headers["location"] = f"/v1/corpora/{corpus.id}"
    return CorpusView.of(corpus)


@router.get("")
async def list_corpora(
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Limit = 20,
) -> Page[CorpusView]:
    """List corpora, newest first."""
    page = services.store.corpora.page
    found = await run_in_threadpool(page, tenant, after=after, limit=limit + 1)
    return Page[CorpusView].of(found, limit, CorpusView.of)


@router.get("/{corpus}")
async def read(corpus: CorpusRef, tenant: Tenant, services: ServicesDep) -> CorpusView:
    """Read a corpus and its counts."""
    return CorpusView.of(await run_in_threadpool(services.store.corpora.get, tenant, corpus))


@router.delete("/{corpus}")
async def delete(corpus: CorpusRef, tenant: Tenant, services: ServicesDep) -> CorpusDeleted:
    """Erase a corpus: its documents, and all that was made of them to find them."""

    def work() -> str:
        found = services.store.corpora.get(tenant, corpus)
        services.store.corpora.delete(tenant, found.id)
        return found.id

    return CorpusDeleted(id=await run_in_threadpool(work))


@router.post(
    "/{corpus}/documents", openapi_extra=takes(DocumentsCreate, also=["application/x-ndjson"])
)
async def add(
    corpus: CorpusRef, request: Request, tenant: Tenant, services: ServicesDep
) -> DocumentsAdded:
    """Add documents, all of them or none; they replace those that have their ids.

    A body of the type `application/x-ndjson` has a document a line and may be of any
    length: it is stored page by page, and a wrong line ends it there.
    """
    settings = services.settings
    found = await run_in_threadpool(services.store.corpora.get, tenant, corpus)
    if is_stream(request):
        done = await put_stream(request, tenant, found.id, services)
        return DocumentsAdded.of(found.id, done, None)
    body = await read_object(request, settings.max_request_bytes)
    refuse_unknown(body, DocumentsCreate.model_fields)

    def work() -> DocumentsAdded:
        limits = CorpusLimits.of(settings)
        documents = read_documents(body.get("documents"), limits)
        added = services.store.documents.put(tenant, found.id, documents, limits)
        return DocumentsAdded.of(found.id, added, list(added.ids))

    return await run_in_threadpool(work)


@router.get("/{corpus}/documents")
async def list_documents(
    corpus: CorpusRef,
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Limit = 20,
) -> Page[DocumentView]:
    """List documents, the latest change first."""
    page = services.store.documents.page
    found = await run_in_threadpool(page, tenant, corpus, after=after, limit=limit + 1)
    return Page[DocumentView].of(found, limit, DocumentView.of)


@router.get("/{corpus}/documents/{document:path}")
async def read_document(
    corpus: CorpusRef, document: DocumentRef, tenant: Tenant, services: ServicesDep
) -> DocumentView:
    """Read a document."""
    found = await run_in_threadpool(services.store.documents.get, tenant, corpus, document)
    return DocumentView.of(found)


@router.delete("/{corpus}/documents/{document:path}")
async def delete_document(
    corpus: CorpusRef, document: DocumentRef, tenant: Tenant, services: ServicesDep
) -> DocumentDeleted:
    """Erase a document, and all that was made of it to find it."""
    await run_in_threadpool(services.store.documents.delete, tenant, corpus, document)
    return DocumentDeleted(id=document)
