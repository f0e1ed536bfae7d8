"""Join tokens and certificates as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from controller.store.database import ROW_LOCK, upsert_many
from controller.store.site_rows import CertificateRow, JoinStepRow, JoinTokenRow

if TYPE_CHECKING:
    from collections.abc import Sequence
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


async def join_token_now(tx: Tx, secret_hash: str) -> JoinTokenRow | None:
    """A join token as it was committed, for who only looks, or None."""
    return await tx.get(JoinTokenRow, secret_hash)


async def last_join_token(tx: Tx, site_id: str) -> JoinTokenRow | None:
    """The newest join token of a site, or None."""
    query = (
        select(JoinTokenRow)
        .where(JoinTokenRow.site_id == site_id)
        .order_by(JoinTokenRow.created_at.desc(), JoinTokenRow.expires_at.desc())
        .limit(1)
    )
    return (await tx.scalars(query)).first()


async def end_join_tokens(tx: Tx, site_id: str, now: datetime) -> None:
    """No join token of the site that was not used yet may be used any more."""
    await tx.execute(
        update(JoinTokenRow)
        .where(
            JoinTokenRow.site_id == site_id,
            JoinTokenRow.used_at.is_(None),
            JoinTokenRow.expires_at > now,
        )
        .values(expires_at=now)
    )


async def keep_step(tx: Tx, secret_hash: str, step: str, *, told: str, now: datetime) -> None:
    """Keep that a step of an installation was told just now, in place of when it was before."""
    kept: dict[str, object] = {"secret_hash": secret_hash, "step": step, "at": now, "told": told}
    await upsert_many(tx, JoinStepRow, keys=("secret_hash", "step"), values=[kept])


async def steps(tx: Tx, secret_hash: str) -> Sequence[JoinStepRow]:
    """What was told of an installation."""
    query = select(JoinStepRow).where(JoinStepRow.secret_hash == secret_hash)
    return (await tx.scalars(query)).all()


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
