from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from lepton_tasks.embedded.redis_binary import find_redis_server
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.launcher.ports import LOOPBACK, free_port
from lepton_tasks.settings import Settings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if "lepton-tasks" in service["image"]}
ONE_SHOT = {name for name, service in SERVICES.items() if service["restart"] == "no"}

VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
SECRET = re.compile(r"PASSWORD|AUTH|SECRET|TOKEN|KEY|USER")


def test_it_runs_every_part() -> None:
    ours = {"migrate", "api", "worker", "trainer", "io", "flower"}
    assert set(SERVICES) == {"redis", "postgres", *ours}
    assert ours == OURS


def test_every_service_has_a_health_check_or_runs_once() -> None:
    without = {name for name, service in SERVICES.items() if "healthcheck" not in service}
    assert without == ONE_SHOT == {"migrate"}


def test_services_wait_for_what_they_need() -> None:
    waits = {
        name: {on: how["condition"] for on, how in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert waits["migrate"] == {"postgres": "service_healthy"}
    for name in ("api", "worker", "trainer", "io"):
        assert waits[name] == {
            "migrate": "service_completed_successfully",
            "redis": "service_healthy",
        }


def test_published_ports_are_on_loopback_and_the_stores_publish_none() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert {name for name, published in ports.items() if published} == {"api", "flower"}
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_flower_asks_for_a_password_that_must_be_set() -> None:
    environment = SERVICES["flower"]["environment"]
    user, password = VARIABLE.findall(environment["FLOWER_BASIC_AUTH"])
    assert (user[:2], password[:2]) == (("FLOWER_USER", "?"), ("FLOWER_PASSWORD", "?"))
    assert "FLOWER_UNAUTHENTICATED_API" not in environment


def test_no_secret_is_written_down_and_each_must_be_set() -> None:
    for name, kind, message in VARIABLE.findall(TEXT):
        if SECRET.search(name):
            assert kind == "?", f"{name} may be left out"
            assert name in message
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|AUTH", name):
                assert VARIABLE.sub("", value) in ("", ":"), f"{name} holds a literal"
            if name.endswith("URL"):
                password = re.search(r"://\w*:(.*)@", value)
                assert password, f"{name} has no password"
                assert VARIABLE.fullmatch(password[1]), f"{name} holds a literal"
        assert "PASSWORD" not in str(service.get("command")), "a command line shows in ps"


def test_the_example_environment_names_every_variable_and_no_secret() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    values = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, flags=re.MULTILINE))
    assert set(values) == {name for name, _, _ in VARIABLE.findall(TEXT)}
    for name, kind, default in VARIABLE.findall(TEXT):
        assert values[name] == ("" if kind == "?" else default)


def test_our_variables_are_settings() -> None:
    known = {f"LEPTON_{name}".upper() for name in Settings.model_fields}
    used = {
        name
        for service in SERVICES.values()
        for name in service.get("environment", {})
        if name.startswith("LEPTON_")
    }
    assert {"LEPTON_HOME", "LEPTON_DATABASE_URL", "LEPTON_REDIS_URL"} <= used
    assert used <= known
    documented = set(
        re.findall(r"LEPTON_[A-Z_]+", (ROOT / "docs/deployment.md").read_text(encoding="utf-8"))
    )
    assert documented <= known


@pytest.mark.parametrize("service", ["api", "worker", "trainer", "io"])
def test_they_share_one_store_one_broker_and_one_folder(service: str) -> None:
    names = ("LEPTON_HOME", "LEPTON_DATABASE_URL", "LEPTON_REDIS_URL")
    found = {name: SERVICES[service]["environment"][name] for name in names}
    assert found["LEPTON_DATABASE_URL"].startswith("postgresql+psycopg://")
    assert found == {name: SERVICES["migrate"]["environment"][name] for name in names}
    assert SERVICES[service]["volumes"] == [f"lepton-home:{found['LEPTON_HOME']}"]


def test_the_worker_has_the_gpu_and_workers_have_time_to_drain() -> None:
    (device,) = SERVICES["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    for name in ("worker", "trainer"):
        grace = float(SERVICES[name]["stop_grace_period"].removesuffix("s"))
        assert grace > Settings.model_fields["drain_seconds"].default


@pytest.mark.parametrize(
    "service", [name for name in SERVICES if SERVICES[name].get("command", [""])[0] == "lepton"]
)
def test_the_commands_exist(service: str) -> None:
    run_cli = "from lepton_tasks.cli.main import main; main()"
    argv = [sys.executable, "-c", run_cli, *SERVICES[service]["command"][1:], "--help"]
    ran = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr


def test_a_real_redis_takes_the_configuration(tmp_path: Path) -> None:
    port = free_port()
    config = VARIABLE.sub("s3cret", COMPOSE["configs"]["redis-conf"]["content"])
    path = tmp_path / "redis.conf"
    path.write_text(f"{config}\nbind {LOOPBACK}\nport {port}\ndir {tmp_path}\n")
    no_retry = Retry(NoBackoff(), 0)
    client = redis.Redis(
        host=LOOPBACK, port=port, password="s3cret", decode_responses=True, retry=no_retry
    )
    stranger = redis.Redis(host=LOOPBACK, port=port, retry=no_retry)

    def ready() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    spec = ChildSpec("redis", [str(find_redis_server()), str(path)], ready=ready)
    with client, stranger, Launcher([spec], tmp_path):
        found = {name: client.config_get(name)[name] for name in ("maxmemory-policy", "appendonly")}
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
    assert found == {"maxmemory-policy": "noeviction", "appendonly": "yes"}


def test_the_image_runs_as_nobody_in_particular_and_knows_no_secret() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER lepton"]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert not kept & {".", ".env", ".git"}
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert copied == kept
