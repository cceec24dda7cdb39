"""Uploads in the store: what they take, how they end, and what is left when nobody ends them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from lepton_tasks.errors import InvalidInput, NotFound
from lepton_tasks.ids import new_id
from lepton_tasks.states import UploadState
from lepton_tasks.store import uploads as module
from lepton_tasks.store.file_tables import UploadPartRow, UploadRow
from lepton_tasks.store.store import Store
from lepton_tasks.store.uploads import LIFE_SECONDS, Part, Upload
from tests.support.plans import scans

uploads = UploadRow.__table__  # type: ignore[attr-defined]
parts = UploadPartRow.__table__  # type: ignore[attr-defined]
TENANT = "acme"


def begun(store: Store, size: int = 30, seconds: float | None = None) -> Upload:
    upload_id = new_id("upload")
    return store.uploads.create(
        TENANT, upload_id, "batch", "评论.jsonl", "application/jsonl", size, seconds
    )


def add(store: Store, upload: Upload, size: int = 10) -> Part:
    return store.uploads.add_part(TENANT, upload.id, new_id("part"), size)


def age(store: Store, seconds: float) -> None:
    with store.database.write() as connection:
        connection.execute(update(uploads).values(expires_at=uploads.c.expires_at - seconds))


def test_parts_become_a_file_once(quick_store: Store) -> None:
    store = quick_store
    upload = begun(store, seconds=3600)
    assert (upload.state, upload.size, upload.file_id) == (UploadState.PENDING, 30, None)
    assert upload.expires_at == pytest.approx(upload.created_at + LIFE_SECONDS, abs=1e-3)
    made = [add(store, upload) for _ in range(3)]
    order = [made[2].id, made[0].id]
    assert store.uploads.parts(TENANT, upload.id, order) == [made[2], made[0]]
    assert store.files.bytes_of(TENANT) == 30
    done = store.uploads.complete(TENANT, upload.id, file_id := new_id("file"))
    assert (done.state, done.file_id) == (UploadState.COMPLETED, file_id)
    file = store.files.get(TENANT, file_id)
    assert (file.filename, file.purpose, file.size) == ("评论.jsonl", "batch", 30)
    assert file.expires_at == pytest.approx(file.created_at + 3600, abs=1e-3)
    assert store.uploads.complete(TENANT, upload.id, new_id("file")) == done
    assert [one.id for one in store.files.page(TENANT)] == [file_id]
    assert store.files.bytes_of(TENANT) == 30


@pytest.mark.parametrize("end", ["complete", "cancel", "expire"])
def test_an_upload_that_has_ended_takes_no_more(quick_store: Store, end: str) -> None:
    store = quick_store
    upload = begun(store)
    add(store, upload)
    ends: dict[str, Callable[[], object]] = {
        "complete": lambda: store.uploads.complete(TENANT, upload.id, new_id("file")),
        "cancel": lambda: store.uploads.cancel(TENANT, upload.id),
        "expire": lambda: age(store, LIFE_SECONDS + 1),
    }
    ends[end]()
    state = store.uploads.get(TENANT, upload.id).state
    assert state.startswith(end)
    with pytest.raises(InvalidInput, match=state) as refused:
        add(store, upload)
    assert refused.value.code == "upload_ended"
    for other in {"complete", "cancel"} - {end}:
        with pytest.raises(InvalidInput):
            ends[other]()
    if end == "cancel":
        assert store.uploads.cancel(TENANT, upload.id).state is UploadState.CANCELLED


def test_another_tenant_finds_none(quick_store: Store) -> None:
    store, upload = quick_store, begun(quick_store)
    for act in (
        lambda: store.uploads.get("other", upload.id),
        lambda: store.uploads.add_part("other", upload.id, new_id("part"), 1),
        lambda: store.uploads.parts("other", upload.id, []),
        lambda: store.uploads.complete("other", upload.id, new_id("file")),
        lambda: store.uploads.cancel("other", upload.id),
    ):
        with pytest.raises(NotFound):
            act()


def test_parts_are_bounded(quick_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store, upload = quick_store, begun(quick_store, size=10)
    add(store, upload)
    add(store, upload)
    with pytest.raises(InvalidInput, match="20 bytes") as refused:
        add(store, upload, 1)
    assert refused.value.code == "too_many_parts"
    monkeypatch.setattr(module, "MOST_PARTS", 2)
    many = begun(store, size=1_000)
    for _ in range(2):
        add(store, many, 1)
    with pytest.raises(InvalidInput, match="2 parts"):
        add(store, many, 1)


def test_a_tenant_keeps_no_more_than_it_may(quick_store: Store) -> None:
    store, upload = quick_store, begun(quick_store)
    store.uploads.add_part(TENANT, upload.id, new_id("part"), 10, tenant_bytes=15)
    with pytest.raises(InvalidInput, match="LEPTON_TENANT_FILE_BYTES"):
        store.uploads.add_part(TENANT, upload.id, new_id("part"), 10, tenant_bytes=15)
    with pytest.raises(InvalidInput, match="LEPTON_TENANT_FILE_BYTES"):
        store.uploads.create(TENANT, new_id("upload"), "batch", "a", "a", 6, tenant_bytes=15)


def test_parts_are_its_own_and_named_once(quick_store: Store) -> None:
    store, upload, other = quick_store, begun(quick_store), begun(quick_store)
    part, foreign = add(store, upload), add(store, other)
    with pytest.raises(InvalidInput) as unknown:
        store.uploads.parts(TENANT, upload.id, [part.id, foreign.id])
    assert unknown.value.param == "part_ids[1]"
    with pytest.raises(InvalidInput, match="twice"):
        store.uploads.parts(TENANT, upload.id, [part.id, part.id])


def test_what_nobody_ends_is_given_up_and_forgotten(quick_store: Store) -> None:
    store = quick_store
    upload, done = begun(store), begun(store)
    add(store, upload)
    store.uploads.complete(TENANT, done.id, new_id("file"))
    assert store.uploads.sweep() == []
    assert store.uploads.pending([upload.id, done.id]) == {upload.id}
    age(store, LIFE_SECONDS + 1)
    assert store.uploads.sweep() == []  # its parts may be put together just now
    age(store, 601)
    with scans(store, "uploads") as whole, scans(store, "upload_parts") as read:
        assert store.uploads.sweep() == [upload.id]
    assert (whole, read) == ([], [])
    assert store.uploads.pending([upload.id]) == set()
    assert store.uploads.get(TENANT, upload.id).state is UploadState.EXPIRED
    with store.database.read() as connection:
        assert connection.execute(parts.select()).all() == []
    age(store, 86_400)
    assert store.uploads.sweep() == []
    with pytest.raises(NotFound):
        store.uploads.get(TENANT, upload.id)
