"""Settings, read once at an entry point from ``LEPTON_*`` variables and passed down."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lepton_tasks.errors import ConfigError


class Settings(BaseSettings):
    """What an operator may set. Every field is ``LEPTON_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="LEPTON_", frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".lepton")
    """Folder for everything the embedded default keeps: database, logs, run file."""
    database_url: str = ""
    """SQLAlchemy URL; empty means SQLite at ``<home>/lepton.db``."""
    redis_url: str = ""
    """Broker URL (``lepton_tasks/broker/address.py``); empty: the Redis that ``lepton up`` runs."""
    lease_seconds: float = Field(default=15.0, gt=0.5, le=3600)
    """How long a worker may be silent before its jobs go to another."""
    visibility_timeout: float = Field(default=30.0, ge=1, le=3600)
    """Seconds a fetched message may stay unclaimed before the broker offers it again."""
    publish_timeout: float = Field(default=0.25, gt=0, le=30)
    """Seconds a submit waits for Redis; what is not published then, the reconciler publishes."""
    publish_window: int = Field(default=2_000, ge=2)
    """Most jobs of one queue in Redis; the rest of a backlog waits in SQL, tenants taking turns.

    It is how many jobs a tenant with a long backlog can put ahead of another's. Half of
    it must outlast the fastest workers for a tenth of a second.
    """
    tenant_backlog: int = Field(default=1_000_000, ge=0)
    """Most queued jobs of one tenant in one queue, about; what it submits beyond is refused.

    A job counts as one, whatever it holds, and so does one with a later ``run_at``. 0: any.
    """
    token_budget: int = Field(default=0, ge=0)
    """Padded tokens one micro-batch may hold; 0 takes what the machine was tuned to."""
    step_cap_seconds: float = Field(default=0.1, gt=0, le=10)
    """Longest micro-batch while high-priority work was seen lately."""
    window_items: int = Field(default=1024, ge=1)
    """Items a worker holds at most before it stops fetching."""
    catalogues: str = ""
    """Files of further models, joined by colons; see ``workers/catalogue/default.toml``."""
    profile: Literal["default", "production"] = "default"
    """Which shipped catalogue's models are the defaults: the small bundled ones, or those of the
    hub in ``workers/catalogue/production.toml``, which are refused until they are pinned."""
    models_folder: Path | None = None
    """Folder of the models that ``lepton models pull`` fetched; ``<home>/models`` where not set."""
    models_lock: Path | None = None
    """File with their pinned revisions and hashes; ``<home>/models.lock`` where not set."""
    versions_folder: Path | None = None
    """Folder of the versions of models trained here; ``<home>/versions`` where not set."""
    checkpoints_folder: Path | None = None
    """Folder in which jobs of minutes to hours keep what they go on from; ``<home>/checkpoints``
    where not set. Workers that share it go on with one another's."""
    data_folder: Path | None = None
    """Folder of the files that training jobs may name, as the workers for them see it."""
    training_file_mb: int = Field(default=1024, ge=1)
    """Largest file of raw text that the training of a language model reads."""
    training_memory_mb: int = Field(default=4096, ge=256)
    """Most memory that the training of a language model may need, by an estimate of its size."""
    run_hours: float = Field(default=24.0, gt=0, le=720)
    """Longest that a job of minutes to hours may compute in one go; it fails then."""
    training_tenants: str = ""
    """Tenants that may make models, joined by commas; ``*`` for all. Models are everybody's, so
    where not set only the default tenant may."""
    encode_seconds: float = Field(default=5.0, gt=0, le=600)
    """Longest that cleaning and tokenising one input may take; the input fails then."""
    device: str = "cpu"
    """Torch device of the worker: ``cpu``, ``cuda``, ``cuda:1``."""
    model_memory_mb: int = Field(default=0, ge=0)
    """Most memory for the weights of a worker's models, with 64 MB of headroom; 0 for any.

    The default models stay; others are loaded when a job names them and leave for one
    another.
    """
    threads: int = Field(default=0, ge=0)
    """Torch threads of the worker; 0 takes what the machine was tuned to."""
    tune: bool = True
    """Measure at a worker's first start which budget and threads suit the machine.

    Without it 0 means 2,048 padded tokens, and torch's own choice of threads.
    """
    drain_seconds: float = Field(default=25.0, gt=0)
    """Grace between SIGTERM and the end of a worker.

    Texts that a decoder model writes may take four fifths of it to end.
    """
    hung_seconds: float = Field(default=120.0, gt=0)
    """How long one micro-batch may run before its worker is killed; loading is not counted."""
    retries: int = Field(default=3, ge=0, le=100)
    """How often a job is run again whose failure may pass, such as a lack of memory."""
    retry_seconds: float = Field(default=10.0, gt=0, le=600)
    """Wait before the first of :attr:`retries`; it doubles each time, up to ten minutes."""
    stall_seconds: float = Field(default=30.0, ge=0)
    """How long a worker with room may claim nothing while jobs wait; then it ends. 0: for ever."""
    retention_days: float = Field(default=30.0, ge=0)
    """How long jobs, batches and webhook deliveries are kept after their end; 0 for ever."""
    tombstone_days: float = Field(default=90.0, ge=1)
    """How long after its deletion a job's id and idempotency key are still known, so that a
    late message or a repeated request does not run it again."""
    conversation_days: float = Field(default=30.0, ge=0, le=3650)
    """How long a conversation is kept after its last turn, unless it was made with a time of its
    own; 0 for ever. Its texts go with it, and the jobs of its turns."""
    max_items_per_job: int = Field(default=256, ge=1, le=10_000)
    """Most inputs one job may hold."""
    max_request_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    """Largest HTTP request body."""
    files_folder: Path | None = None
    """Folder of uploaded files and of what batches make; ``<home>/files`` where not set. Where
    the API and the io workers are on several machines they must share it."""
    file_bytes: int = Field(default=2 * 1024**3, ge=1024)
    """Largest file that may be uploaded."""
    tenant_file_bytes: int = Field(default=20 * 1024**3, ge=0)
    """Most bytes of files that a tenant may keep; 0 for any."""
    batch_lines: int = Field(default=10_000_000, ge=1)
    """Most lines of a batch: what a small packed file may unpack to, and ask for, has an end."""
    batches_at_once: int = Field(default=4, ge=0, le=64)
    """Batches of uploaded files that one io worker runs at a time; 0 for none."""
    corpus_documents: int = Field(default=100_000, ge=1, le=10_000_000)
    """Most documents of one corpus."""
    corpus_characters: int = Field(default=200_000_000, ge=1)
    """Most characters of one corpus, all its documents together."""
    corpus_document_characters: int = Field(default=100_000, ge=1, le=1_000_000)
    """Most characters of one document of a corpus."""
    corpus_memory_mb: int = Field(default=256, ge=1)
    """Memory of a worker for indexes of corpora; what does not fit is read again when asked for."""
    request_rate: float = Field(default=0.0, ge=0)
    """Most HTTP requests a second of one tenant, in each API process; 0 for any number."""
    token_rate: float = Field(default=0.0, ge=0)
    """Most tokens a second, by admission's estimate, of one tenant's jobs over HTTP; 0 for any.

    In each API process, as above.
    """
    rate_burst_seconds: float = Field(default=10.0, gt=0, le=3600)
    """How many seconds' worth of either a tenant may use at once after a rest."""
    answer_seconds: float = Field(default=120.0, gt=0, le=600)
    """Longest that a call of the OpenAI-compatible API waits for its answer."""
    default_tenant: str = "default"
    """Tenant of jobs that come without an API key: Python and Celery producers on this machine."""
    celery_queue: str = Field(default="celery", min_length=1)
    """Queue of what follows a job by its Celery message and is no task of ours, where its signature
    names none."""
    webhook_allow_private: bool = False
    """Deliver webhooks to any private address too, those of a cloud's metadata included."""
    webhook_private_networks: str = ""
    """Private networks that webhooks may reach, as ``10.20.0.0/16,fd00:20::/64``.

    ``lepton up`` adds the machine's own loopback addresses.
    """
    webhook_timeout: float = Field(default=20.0, gt=0, le=60)
    """Seconds one delivery may take in all."""
    secret_key: str = Field(default="", repr=False)
    """Key that seals webhook secrets in the database: 32 random bytes in base64.

    ``openssl rand -base64 32`` makes one. Empty takes the file ``<home>/secret.key``, which
    is made on first use where the database is SQLite. Several keys, joined by commas, while
    one is exchanged for another: the first seals, all of them open.
    """
    supervised: bool = False
    """Set by who starts workers: node names are unique, a new process proves the old one dead."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("database_url")
    @classmethod
    def _name_the_driver(cls, url: str) -> str:
        for short in ("postgres://", "postgresql://"):
            if url.startswith(short):
                return "postgresql+psycopg://" + url.removeprefix(short)
        return url

    @field_validator("webhook_private_networks")
    @classmethod
    def _check_networks(cls, listed: str) -> str:
        for one in listed.split(","):
            if one.strip():
                ip_network(one.strip())
        return listed

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store, the embedded SQLite file where none is set."""
        return self.database_url or f"sqlite:///{self.home / 'lepton.db'}"

    @property
    def catalogue_files(self) -> tuple[Path, ...]:
        """Files of :attr:`catalogues`, in order.

        >>> Settings(catalogues="/etc/a.toml:b.toml").catalogue_files
        (PosixPath('/etc/a.toml'), PosixPath('b.toml'))
        """
        return tuple(Path(name) for name in self.catalogues.split(os.pathsep) if name)

    @property
    def pulled_models(self) -> Path:
        """Folder of pulled models."""
        return self.models_folder or self.home / "models"

    @property
    def lock_file(self) -> Path:
        """File with the pins of pulled models."""
        return self.models_lock or self.home / "models.lock"

    @property
    def model_versions(self) -> Path:
        """Folder of the versions of models."""
        return self.versions_folder or self.home / "versions"

    @property
    def conversation_seconds(self) -> float | None:
        """:attr:`conversation_days` in seconds; None for ever."""
        return self.conversation_days * 86_400.0 or None

    @property
    def files(self) -> Path:
        """Folder of files."""
        return self.files_folder or self.home / "files"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints of long jobs."""
        return self.checkpoints_folder or self.home / "checkpoints"

    @property
    def may_train(self) -> frozenset[str]:
        """Tenants that may make models, or ``*``.

        >>> sorted(Settings(training_tenants="acme, beta").may_train)
        ['acme', 'beta']
        """
        named = frozenset(filter(None, map(str.strip, self.training_tenants.split(","))))
        return named or frozenset({self.default_tenant})

    def environment(self) -> dict[str, str]:
        """These settings as variables, for the environment of a child process."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {f"LEPTON_{name}".upper(): str(value) for name, value in values.items()}


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        ConfigError: a variable does not parse; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "LEPTON_" + "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigError(f"{name}: {first['msg']}") from error
