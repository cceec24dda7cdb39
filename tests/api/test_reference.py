"""The page of the reference: every route and schema is on it, and nothing from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from api.app import create_app
from api.reference import reference_page
from lepton_tasks.settings import Settings


class Read(HTMLParser):
    """Texts, ids and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(Settings(home=tmp_path_factory.mktemp("home"))).openapi()


def test_every_route_and_schema_is_there_once(document: dict[str, Any]) -> None:
    page = Read(reference_page(document, "/docs/try"))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert page.texts.count(f"{method.upper()} {path}") >= 2  # in the list, and by itself
            assert page.ids.count(operation["operationId"]) == 1
    assert set(document["components"]["schemas"]) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_it_needs_nothing_else_and_its_links_lead_somewhere(document: dict[str, Any]) -> None:
    page = Read(reference_page(document, "/docs/try"))
    outside = {one for one in page.addresses if not one.startswith("#")}
    assert outside == {"/openapi.json", "/docs/try"}
    assert {one.removeprefix("#") for one in page.addresses if one.startswith("#")} <= set(page.ids)
    assert not page.tags & {"script", "link", "img"}


def test_fields_say_what_they_take(document: dict[str, Any]) -> None:
    text = "".join(Read(reference_page(document, "/docs/try")).texts)
    for told in ("output_expires_after.seconds", '"bulk" where left out', "今天的服务真不错"):
        assert told in text


def test_texts_of_a_document_are_no_markup() -> None:
    operation = {
        "tags": ["<a>"],
        "operationId": "o'1",
        "summary": "<b>",
        "description": "<i> `x < y`",
        "responses": {"200": {"description": "", "content": {}}},
    }
    page = Read(
        reference_page(
            {
                "info": {"title": "<u>", "version": "1", "summary": "s"},
                "paths": {"/<p>": {"get": operation}},
                "components": {"schemas": {}},
            },
            "/try",
        )
    )
    assert not page.tags & {"b", "i", "u"}
    assert "<b>" in "".join(page.texts)
    assert {"x < y", "GET /<p>", "o'1"} <= {*page.texts, *page.ids}
