"""Join tokens and certificates as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from controller.store.database import ROW_LOCK
from controller.store.rows import CertificateRow, JoinTokenRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


def add_join_token(
    tx: Tx, *, secret_hash: str, site_id: str, now: datetime, expires_at: datetime
) -> None:
    """Keep a new join token, by its hash only."""
    tx.add(
        JoinTokenRow(
            secret_hash=secret_hash, site_id=site_id, created_at=now, expires_at=expires_at
        )
    )


async def join_token(tx: Tx, secret_hash: str) -> JoinTokenRow | None:
    """A join token, locked and as it now is, or None."""
    return await tx.get(JoinTokenRow, secret_hash, with_for_update=ROW_LOCK, populate_existing=True)


def add_certificate(
    tx: Tx, *, serial: str, site_id: str, now: datetime, expires_at: datetime
) -> None:
    """Keep that a certificate was signed, before it is handed out."""
    tx.add(CertificateRow(serial=serial, site_id=site_id, issued_at=now, expires_at=expires_at))


async def certificate(tx: Tx, serial: str) -> CertificateRow | None:
    """A certificate that was signed here, or None."""
    return await tx.get(CertificateRow, serial)


async def revoke_certificates(tx: Tx, site_id: str, now: datetime) -> None:
    """No certificate that the site has now may be used again."""
    await tx.execute(
        update(CertificateRow)
        .where(CertificateRow.site_id == site_id, CertificateRow.revoked_at.is_(None))
        .values(revoked_at=now)
    )
