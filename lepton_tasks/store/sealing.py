"""Sealing of what the database must not hold in the clear: webhook secrets, custom headers.

AES-256-GCM under a key that is not in the database. What is sealed is bound to its
place (``context``), so that it opens nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from lepton_tasks.errors import ConfigError
from lepton_tasks.settings import Settings

KEY_FILE: Final = "secret.key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_MAKE_ONE: Final = "`openssl rand -base64 32` makes one"


class SecretBox:
    """Seals and opens short texts. The key is looked for when it is first needed."""

    def __init__(self, keys: str = "", file: Path | None = None, make_file: bool = False) -> None:
        """``keys`` is the setting's value; without it ``file`` holds the same.

        ``make_file`` lets a missing file be made.
        """
        self._text = keys
        self._file = file
        self._make_file = make_file
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}

    @classmethod
    def of(cls, settings: Settings) -> SecretBox:
        """The box of an installation."""
        embedded = settings.store_url.startswith("sqlite")
        return cls(settings.secret_key, settings.home / KEY_FILE, embedded)

    @property
    def has_key(self) -> bool:
        """Whether there is a key, or may be one as soon as it is needed."""
        return (
            bool(self._text) or self._make_file or (self._file is not None and self._file.exists())
        )

    def seal(self, text: str, context: str) -> str:
        """Encrypt ``text``; only the same ``context`` opens it.

        Raises:
            ConfigError: there is no key, or it is malformed.
        """
        # Imported here: most processes open and seal nothing.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        name, key = next(iter(self._load().items()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, text.encode(), context.encode())
        return f"{name}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, context: str) -> str:
        """Decrypt what :meth:`seal` made.

        Raises:
            ConfigError: no key here fits it, or it was tampered with.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        keys = self._load()
        name, _, text = sealed.partition(".")
        if name not in keys:
            raise ConfigError(
                f"the database holds secrets sealed with the key {name}, and the key here is "
                f"{', '.join(keys)}; set LEPTON_SECRET_KEY to the key that this database was "
                f"used with, or bring its {KEY_FILE} back into LEPTON_HOME"
            )
        try:
            raw = base64.b64decode(text, validate=True)
            nonce, rest = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return AESGCM(keys[name]).decrypt(nonce, rest, context.encode()).decode()
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise ConfigError(
                f"what the database holds as a secret of {context} was changed or damaged; "
                "rotate the secret"
            ) from error

    def _load(self) -> dict[str, bytes]:
        with self._lock:
            if not self._keys:
                self._keys = parse_keys(self._text or self._read())
            return self._keys

    def _read(self) -> str:
        if self._file is None:
            raise ConfigError(f"LEPTON_SECRET_KEY is not set; {_MAKE_ONE}")
        try:
            if self._make_file:
                _make_key(self._file)
            return self._file.read_text().strip()
        except FileNotFoundError as error:
            raise ConfigError(
                "webhook secrets need LEPTON_SECRET_KEY, the same in every process; " + _MAKE_ONE
            ) from error
        except OSError as error:
            raise ConfigError(f"cannot use {self._file}: {error.strerror}") from error


def parse_keys(text: str) -> dict[str, bytes]:
    """Keys by their name, the one that seals first; a name tells nothing of its key.

    >>> list(parse_keys(base64.b64encode(bytes(32)).decode()))
    ['c2baa42d']
    >>> parse_keys("c2hvcnQ=")
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.ConfigError: LEPTON_SECRET_KEY must be 32 bytes in base64; ...

    Raises:
        ConfigError: one is not 32 bytes in base64.
    """
    keys = {}
    for part in text.split(","):
        try:
            key = base64.b64decode(part.strip().replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise ConfigError(f"LEPTON_SECRET_KEY must be 32 bytes in base64; {_MAKE_ONE}")
        keys[hashlib.sha256(b"lepton secret key:" + key).hexdigest()[:8]] = key
    return keys


def _make_key(file: Path) -> None:
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode() + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    # A link appears whole and only once, so of several processes one makes the key.
    with suppress(FileExistsError):
        os.link(own, file)
    own.unlink()
