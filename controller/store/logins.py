"""By what subscribers dial in; secrets are sealed before they come here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from controller.store.billing_rows import LoginRow
from controller.store.bulk_rows import among

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.store.database import Tx


async def load(tx: Tx, subscription_id: str) -> LoginRow | None:
    """The login of a subscription, or None."""
    return await tx.get(LoginRow, subscription_id)


async def named(tx: Tx, name: str) -> LoginRow | None:
    """The login of a name, or None."""
    return (await tx.scalars(select(LoginRow).where(LoginRow.name == name))).first()


async def written(tx: Tx) -> bool:
    """Write what was changed; False when another took the name meanwhile: then nothing is kept."""
    try:
        await tx.flush()
    except IntegrityError as taken:
        if "uq_login_name" not in str(taken.orig):
            raise
        return False
    return True


async def names_among(tx: Tx, names: Collection[str]) -> set[str]:
    """Which of these names are logins."""
    return set(await tx.scalars(select(LoginRow.name).where(among(tx, LoginRow.name, names))))
