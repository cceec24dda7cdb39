"""Every entry point on every database and Redis that it cannot use: the reason, an exit code."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
import redis
from sqlalchemy import TextClause, make_url, text

from api.__main__ import main as api_main
from lepton_tasks.cli import services
from lepton_tasks.cli.main import main
from lepton_tasks.embedded.commands import worker_command
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.settings import Settings, load_settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import open_store
from tests.support.postgres import TestPostgres
from workers.bootsteps import ModelStep

WAIT = 140.0
SET_VERSION: Final = text("UPDATE alembic_version SET version_num = :version")
NEWER: Final = "newer than this release"


def at_version(version: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        run_sql(file, SET_VERSION.bindparams(version=version))

    return change


def without_version(file: Path) -> None:
    run_sql(file, text("DROP TABLE alembic_version"))


def garbage(file: Path) -> None:
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    file.write_bytes(b"this is no database at all\n" * 500)


def run_sql(file: Path, statement: TextClause) -> None:
    database = Database(f"sqlite:///{file}")
    with database.write() as connection:
        connection.execute(statement)
    database.close()


DATABASES = [
    (at_version("9999"), NEWER),
    (at_version("0001"), "run `lepton db upgrade`"),
    (at_version("ab12cd34"), "another application's"),
    (without_version, "no schema version"),
    (garbage, "is no SQLite database"),
]


class Entry:
    """An entry point, run in this process on the settings of the environment."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = arguments

    def refusal(self, capture: pytest.CaptureFixture[str], log: pytest.LogCaptureFixture) -> str:
        """What it says before it ends with exit code 1."""
        with pytest.raises(SystemExit) as ended:
            self._run()
        assert ended.value.code == 1
        return capture.readouterr().err + log.text

    def _run(self) -> None:
        if self.arguments[0] == "celery":
            app = SimpleNamespace(lepton_settings=load_settings())
            ModelStep(SimpleNamespace()).start(SimpleNamespace(app=app))
        elif self.arguments[0] == "python -m api":
            sys.exit(api_main(["--port", str(free_port())]))
        else:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", ["lepton", *self.arguments])
                patch.setattr(services, "become", lambda *_: sys.exit(api_main([])))
                main()


@pytest.fixture(params=["up", "worker", "io", "api", "python -m api", "batch", "celery"])
def entry(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Entry]:
    """Each entry point in turn, on a good database and a good Redis."""
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    monkeypatch.setenv("LEPTON_REDIS_URL", redis_url)
    open_store(Settings(home=tmp_path)).close()
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "你好"}\n')
    more = {
        "up": ["--api-port", str(free_port()), "--flower-port", str(free_port())],
        "worker": ["--tasks", "moderation"],
        "api": ["--port", str(free_port())],
        "batch": ["run", str(lines), "--task", "moderation", "-o", str(tmp_path / "out")],
    }
    level = logging.getLogger().level
    yield Entry([request.param, *more.get(request.param, [])])
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize(("change", "words"), DATABASES, ids=[words for _, words in DATABASES])
def test_a_database_that_is_not_ours_to_use(
    entry: Entry,
    tmp_path: Path,
    change: Callable[[Path], None],
    words: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    change(tmp_path / "lepton.db")
    said = entry.refusal(capsys, caplog)
    assert "error: the database" in said
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize("login", ["", ":wrong@"])
def test_a_redis_that_refuses_the_password(
    entry: Entry,
    login: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LEPTON_REDIS_URL", f"redis://{login}{redis_url.partition('@')[2]}")
    said = entry.refusal(capsys, caplog)
    assert "wants a password" in said
    assert "Traceback" not in said


def test_a_redis_that_is_too_old(
    entry: Entry,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    info = redis.Redis.info

    def old(client: redis.Redis, *arguments: Any) -> Any:
        return {**info(client, *arguments), "redis_version": "6.0.16"}

    monkeypatch.setattr(redis.Redis, "info", old)
    said = entry.refusal(capsys, caplog)
    assert "is version 6.0.16; 6.2 or newer is needed" in said


@pytest.mark.timeout(300)
def test_celery_itself_ends_with_one_line(tmp_path: Path, redis_url: str) -> None:
    open_store(Settings(home=tmp_path)).close()
    at_version("9999")(tmp_path / "lepton.db")
    env = {**os.environ, "LEPTON_HOME": str(tmp_path), "LEPTON_REDIS_URL": redis_url}
    assert NEWER in celery_refusal(env)
    assert "LEPTON_LEASE_SECONDS" in celery_refusal(env | {"LEPTON_LEASE_SECONDS": "long"})


def celery_refusal(env: dict[str, str]) -> str:
    ended = subprocess.run(
        worker_command(["moderation"], "w1@test"),
        env=env,
        capture_output=True,
        text=True,
        timeout=WAIT,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_an_upgrade_touches_no_database_that_is_newer_or_foreign(database_url: str) -> None:
    database = Database(database_url)
    upgrade_schema(database)
    for version in ("9999", "ab12cd34"):
        with database.write() as connection:
            connection.execute(SET_VERSION.bindparams(version=version))
        with pytest.raises(StoreUnavailable, match=version):
            upgrade_schema(database)
    with database.write() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(StoreUnavailable, match="no schema version"):
        upgrade_schema(database)
    database.close()


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        ("", "GRANT"),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}", "GRANT"),
        (
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}; "
            "ALTER ROLE {user} SET default_transaction_read_only = on",
            "read-only",
        ),
    ],
)
def test_a_postgresql_user_that_may_not_write(
    postgres: TestPostgres, rights: str, words: str
) -> None:
    url = postgres.fresh_database()
    owner = Database(url)
    upgrade_schema(owner)
    user = f"reader_{make_url(url).database}"
    try:
        with owner.write() as connection:
            connection.execute(text(f"CREATE ROLE {user} LOGIN"))
            for statement in filter(None, rights.format(user=user).split("; ")):
                connection.execute(text(statement))
        reader = make_url(url).set(username=user).render_as_string(hide_password=False)
        with pytest.raises(StoreUnavailable, match=words):
            open_store(Settings(database_url=reader))
    finally:
        owner.close()


def test_a_database_file_that_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(Settings(home=tmp_path)).close()

    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refuse)  # who runs the tests may be root, who may all
    with pytest.raises(StoreUnavailable, match=r"cannot write the database file .*: Permission"):
        open_store(Settings(home=tmp_path))
