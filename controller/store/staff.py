"""Accounts of the staff and their factors, as they are kept."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select, update

from controller.store.database import ROW_LOCK, inserted
from controller.store.staff_rows import (
    ApiTokenRow,
    StaffInviteRow,
    StaffPasskeyRow,
    StaffRecoveryRow,
    StaffRow,
    StaffSessionRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from controller.store.database import Tx


async def load(tx: Tx, staff_id: str, *, lock: bool = False) -> StaffRow | None:
    """An account, or None; held by this transaction when asked."""
    if not lock:
        return await tx.get(StaffRow, staff_id)
    return await tx.get(StaffRow, staff_id, with_for_update=ROW_LOCK, populate_existing=True)


async def by_login(tx: Tx, login: str) -> StaffRow | None:
    """The account of an e-mail address or phone, or None."""
    return (await tx.scalars(select(StaffRow).where(StaffRow.login == login))).one_or_none()


async def add(tx: Tx, row: StaffRow) -> bool:
    """Keep a new account; False when its login is taken."""
    values = {c.name: getattr(row, c.name) for c in StaffRow.__table__.columns}
    return await inserted(tx, StaffRow, **values)


async def page(
    tx: Tx, *, after_login: str, limit: int, branches: frozenset[str] | None
) -> list[StaffRow]:
    """Accounts in order of their login; of those held to ``branches`` and to no other."""
    query = select(StaffRow).where(StaffRow.login > after_login).order_by(StaffRow.login)
    if branches is None:
        return list(await tx.scalars(query.limit(limit)))
    query = query.where(StaffRow.branches.is_not(None))
    found = await tx.scalars(query)
    return [row for row in found if set((row.branches or "").split()) <= branches][:limit]


async def lock_owners(tx: Tx) -> list[StaffRow]:
    """The owners who can sign in, locked in order of their ids."""
    query = (
        select(StaffRow)
        .where(StaffRow.role == "owner", StaffRow.disabled_at.is_(None))
        .where(StaffRow.password_hash != "")
        .order_by(StaffRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))


async def has_owner(tx: Tx) -> bool:
    """Whether an owner has chosen a password and is not disabled."""
    query = select(StaffRow.id).where(
        StaffRow.role == "owner", StaffRow.disabled_at.is_(None), StaffRow.password_hash != ""
    )
    return await tx.scalar(query.limit(1)) is not None


async def end_everything(
    tx: Tx, staff_id: str, now: datetime, *, tokens: bool, but_session: str = ""
) -> None:
    """End the sessions of an account, but for one; and its API tokens where told."""
    await tx.execute(
        update(StaffSessionRow)
        .where(StaffSessionRow.staff_id == staff_id, StaffSessionRow.ended_at.is_(None))
        .where(StaffSessionRow.id != but_session)
        .values(ended_at=now)
    )
    if tokens:
        await tx.execute(
            update(ApiTokenRow)
            .where(ApiTokenRow.staff_id == staff_id, ApiTokenRow.revoked_at.is_(None))
            .values(revoked_at=now)
        )


async def end_all(tx: Tx, now: datetime) -> None:
    """End every session of staff, and every API token."""
    session, token = StaffSessionRow, ApiTokenRow
    await tx.execute(update(session).where(session.ended_at.is_(None)).values(ended_at=now))
    await tx.execute(update(token).where(token.revoked_at.is_(None)).values(revoked_at=now))


async def forget_factors(tx: Tx, row: StaffRow) -> None:
    """Let an account have neither password nor any other factor."""
    row.password_hash, row.totp_sealed, row.totp_step = "", None, None
    for kind in (StaffPasskeyRow, StaffRecoveryRow):
        await tx.execute(delete(kind).where(kind.staff_id == row.id))


async def use_step(tx: Tx, staff_id: str, step: int) -> bool:
    """Note that a code of this step of the clock was used; False when it, or a later one, was."""
    done = await tx.execute(
        update(StaffRow)
        .where(StaffRow.id == staff_id)
        .where(or_(StaffRow.totp_step.is_(None), StaffRow.totp_step < step))
        .values(totp_step=step)
        .returning(StaffRow.id)
    )
    return done.first() is not None


async def set_recovery(tx: Tx, staff_id: str, hashes: Iterable[str]) -> None:
    """Let these be all recovery codes of an account."""
    await tx.execute(delete(StaffRecoveryRow).where(StaffRecoveryRow.staff_id == staff_id))
    tx.add_all(StaffRecoveryRow(code_hash=one, staff_id=staff_id, used_at=None) for one in hashes)
    await tx.flush()


async def use_recovery(tx: Tx, staff_id: str, code_hash: str, now: datetime) -> bool:
    """Use up a recovery code; False when it is not theirs, or was used."""
    row = StaffRecoveryRow
    done = await tx.execute(
        update(row)
        .where(row.code_hash == code_hash, row.staff_id == staff_id, row.used_at.is_(None))
        .values(used_at=now)
        .returning(row.code_hash)
    )
    return done.first() is not None


async def recovery_left(tx: Tx, staff_id: str) -> int:
    """How many recovery codes are not used yet."""
    row = StaffRecoveryRow
    query = select(func.count()).where(row.staff_id == staff_id, row.used_at.is_(None))
    return int((await tx.execute(query)).scalar_one())


def passkey_key(credential_id: bytes) -> str:
    """How a passkey is found by the id that its authenticator gave it."""
    return hashlib.sha256(credential_id).hexdigest()


async def passkeys(tx: Tx, staff_id: str) -> list[StaffPasskeyRow]:
    """The passkeys of an account, the oldest first."""
    row = StaffPasskeyRow
    query = select(row).where(row.staff_id == staff_id).order_by(row.created_at, row.id)
    return list(await tx.scalars(query))


async def with_passkeys(tx: Tx) -> int:
    """How many of those who may sign in have a passkey."""
    has_one = select(StaffPasskeyRow.id).where(StaffPasskeyRow.staff_id == StaffRow.id).exists()
    query = select(func.count()).where(StaffRow.disabled_at.is_(None), has_one)
    return int((await tx.execute(query)).scalar_one())


async def passkey(tx: Tx, key: str, *, lock: bool = False) -> StaffPasskeyRow | None:
    """A passkey by its key, or None."""
    if not lock:
        return await tx.get(StaffPasskeyRow, key)
    return await tx.get(StaffPasskeyRow, key, with_for_update=ROW_LOCK, populate_existing=True)


async def add_passkey(tx: Tx, row: StaffPasskeyRow) -> bool:
    """Keep a new passkey; False when somebody has it already."""
    values = {c.name: getattr(row, c.name) for c in StaffPasskeyRow.__table__.columns}
    return await inserted(tx, StaffPasskeyRow, **values)


async def remove_passkey(tx: Tx, staff_id: str, key: str) -> bool:
    """Forget a passkey of an account; whether it had it."""
    row = StaffPasskeyRow
    done = await tx.execute(
        delete(row).where(row.id == key, row.staff_id == staff_id).returning(row.id)
    )
    return done.first() is not None


async def invite(tx: Tx, row: StaffInviteRow) -> None:
    """Keep an invitation; those before it, to the same account, are good no more."""
    same = (
        StaffInviteRow.staff_id.is_(None)
        if row.staff_id is None
        else StaffInviteRow.staff_id == row.staff_id
    )
    await tx.execute(delete(StaffInviteRow).where(same, StaffInviteRow.used_at.is_(None)))
    tx.add(row)
    await tx.flush()


async def invitation(tx: Tx, token_hash: str, now: datetime) -> StaffInviteRow | None:
    """An invitation that is still good, or None."""
    row = await tx.get(StaffInviteRow, token_hash)
    good = row is not None and row.used_at is None and row.expires_at > now
    return row if good else None


async def use_invitation(tx: Tx, token_hash: str, now: datetime) -> bool:
    """Use an invitation up; False when it is not good any more."""
    row = StaffInviteRow
    done = await tx.execute(
        update(row)
        .where(row.token_hash == token_hash, row.used_at.is_(None), row.expires_at > now)
        .values(used_at=now)
        .returning(row.token_hash)
    )
    return done.first() is not None
