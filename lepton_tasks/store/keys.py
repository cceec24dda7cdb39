"""Tenants and API keys. A key is shown once; the store keeps its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.errors import NotFound
from lepton_tasks.ids import new_id
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.tables import ApiKeyRow, TenantRow
from lepton_tasks.webhooks.signing import SECRET_PREFIX, new_secret

SHOWN_CHARACTERS: Final = 10
"""Of a key, for people to know it by."""

keys = ApiKeyRow.__table__  # type: ignore[attr-defined]
tenants = TenantRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret part."""

    id: str
    tenant: str
    name: str
    prefix: str
    created_at: float
    revoked_at: float | None


class KeyStore:
    """Who may call the API, and as whom."""

    def __init__(self, database: Database, box: SecretBox | None = None) -> None:
        """``box`` seals the tenants' webhook secrets; without a key they are in the clear."""
        self._database = database
        self._box = box or SecretBox()

    def create(self, tenant: str, name: str) -> str:
        """Make a key of 256 random bits for ``tenant``; the return value is its only copy."""
        key = "lpt_" + secrets.token_urlsafe(32)

        def work(connection: Connection) -> None:
            self._ensure_tenant(connection, tenant)
            connection.execute(
                keys.insert().values(
                    id=new_id("key"),
                    tenant=tenant,
                    name=name,
                    prefix=key[:SHOWN_CHARACTERS],
                    hash=_digest(key),
                    created_at=now(),
                )
            )

        self._database.transact(work)
        return key

    def tenant_of(self, key: str) -> str | None:
        """Tenant of a valid key; None for an unknown or revoked one."""
        digest = _digest(key)
        with self._database.read() as connection:
            row = connection.execute(
                select(keys.c.tenant, keys.c.hash).where(
                    keys.c.hash == digest, keys.c.revoked_at.is_(None)
                )
            ).first()
        if row is None or not hmac.compare_digest(row.hash, digest):
            return None
        return str(row.tenant)

    def all(self, tenant: str | None = None) -> list[ApiKey]:
        """Keys of one tenant, or of all for the operator, oldest first."""
        query = select(
            keys.c.id,
            keys.c.tenant,
            keys.c.name,
            keys.c.prefix,
            keys.c.created_at,
            keys.c.revoked_at,
        ).order_by(keys.c.created_at, keys.c.id)
        if tenant is not None:
            query = query.where(keys.c.tenant == tenant)
        with self._database.read() as connection:
            return [ApiKey(*row) for row in connection.execute(query).all()]

    def revoke(self, key_id: str) -> None:
        """Revoke a key by its id; effective with the next request.

        Raises:
            NotFound: there is no such key, or it is revoked already.
        """
        with self._database.write() as connection:
            revoked = connection.execute(
                update(keys)
                .where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
                .values(revoked_at=now())
                .returning(keys.c.id)
            ).first()
        if revoked is None:
            raise NotFound(f"no active key {key_id}; see `lepton keys list`")

    def webhook_secret(self, tenant: str) -> str:
        """Secret ``whsec_…`` that signs this tenant's webhooks, made on first use.

        Raises:
            ConfigError: it is sealed with a key that is not here.
        """
        return self._database.transact(lambda connection: self.secret_within(connection, tenant))

    def secret_within(self, connection: Connection, tenant: str) -> str:
        """The same as :meth:`webhook_secret`, in a transaction that is open for writing."""
        query = select(tenants.c.webhook_secret).where(tenants.c.id == tenant)
        found = connection.execute(query).scalar()
        if not found:
            self._ensure_tenant(connection, tenant)
            # Locked, so that of several who come first one makes it.
            found = connection.execute(query.with_for_update()).scalar_one()
        if found and not found.startswith(SECRET_PREFIX):
            return self._box.open(found, _place(tenant))
        secret = found or new_secret()
        # One of a time when there was no key is sealed as soon as there is one.
        kept = self._box.seal(secret, _place(tenant)) if self._box.has_key else secret
        if kept != found:
            connection.execute(
                update(tenants).where(tenants.c.id == tenant).values(webhook_secret=kept)
            )
        return secret

    def _ensure_tenant(self, connection: Connection, tenant: str) -> None:
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite
        connection.execute(
            dialect.insert(tenants)
            .values(id=tenant, webhook_secret="", created_at=now())
            .on_conflict_do_nothing(index_elements=["id"])
        )


def _place(tenant: str) -> str:
    return f"tenant {tenant}"


def _digest(key: str) -> str:
    # A plain hash is enough: the key is 256 random bits, there is nothing to guess.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
