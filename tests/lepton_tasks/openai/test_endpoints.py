"""The paths that are understood."""

from __future__ import annotations

from lepton_tasks.openai.endpoints import ENDPOINTS


def test_endpoints_are_found_by_their_paths() -> None:
    assert set(ENDPOINTS) == {
        "/v1/moderations",
        "/v1/embeddings",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/jobs",
    }
    assert all(endpoint.path == path for path, endpoint in ENDPOINTS.items())
