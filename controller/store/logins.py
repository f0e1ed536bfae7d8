"""By what subscribers dial in; secrets are sealed before they come here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.billing_rows import LoginRow

if TYPE_CHECKING:
    from controller.store.database import Tx


async def load(tx: Tx, subscription_id: str) -> LoginRow | None:
    """The login of a subscription, or None."""
    return await tx.get(LoginRow, subscription_id)


async def named(tx: Tx, name: str) -> LoginRow | None:
    """The login of a name, or None."""
    return (await tx.scalars(select(LoginRow).where(LoginRow.name == name))).first()
