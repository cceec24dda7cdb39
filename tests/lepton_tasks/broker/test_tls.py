from __future__ import annotations

import re
from pathlib import Path

import pytest

from lepton_tasks.broker.connection import connect, connect_async
from lepton_tasks.errors import ConfigError
from tests.support.certificates import Authority


def test_files_that_are_right_pass(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client")
    options = f"ssl_ca_certs={authority.ca_file}&ssl_certfile={certificate}&ssl_keyfile={key}"
    connect(f"rediss://h?{options}", 1.0).close()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("ssl_ca_certs={folder}/none.pem", "{folder}/none.pem: No such file"),
        ("ssl_ca_certs={folder}/text", "{folder}/text: not PEM"),
        ("ssl_ca_certs={folder}", "{folder}: "),
        ("ssl_ca_path={folder}/none", "{folder}/none is no folder"),
        ("ssl_certfile={folder}/client.pem", "{folder}/client.pem: not PEM"),
        ("ssl_certfile={folder}/client.pem&ssl_keyfile={folder}/other.key", "other.key: not PEM"),
        ("ssl_keyfile={folder}/client.key", "ssl_keyfile without ssl_certfile"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, parameters: str, words: str) -> None:
    authority = Authority(tmp_path)
    for name in ("client", "other"):
        authority.issue(name)
    (tmp_path / "text").write_text("no certificate")
    url = "rediss://h?" + parameters.format(folder=tmp_path)
    for make in (connect, connect_async):
        with pytest.raises(ConfigError, match=re.escape(words.format(folder=tmp_path))):
            make(url, 1.0)
