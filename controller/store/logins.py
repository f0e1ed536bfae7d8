"""By what subscribers dial in; secrets are sealed before they come here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from controller.store.billing_rows import LoginRow
from controller.store.bulk_rows import among
from controller.store.site_rows import SiteItemRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.store.database import Tx


@dataclass(frozen=True, slots=True)
class Place:
    """A site that knows a login, or will. ``is_wanted``: it is to; ``is_applied``: it has it so."""

    site: str
    is_wanted: bool
    is_applied: bool


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


async def of_subscriptions(tx: Tx, ids: Collection[str]) -> dict[str, LoginRow]:
    """The logins of these subscriptions, by subscription; of those that have one."""
    rows = await tx.scalars(select(LoginRow).where(LoginRow.subscription_id.in_(ids)))
    return {row.subscription_id: row for row in rows}


async def places(tx: Tx, key: str) -> list[Place]:
    """The sites that are told a login by its item's key, or still have to forget it."""
    item, site = SiteItemRow, SiteRow
    query = (
        select(site.name, item.body.is_not(None), item.generation <= site.applied_generation)
        .join(item, item.site_id == site.id)
        .where(
            item.key == key, or_(item.body.is_not(None), item.generation > site.applied_generation)
        )
        .order_by(site.name)
    )
    return [Place(name, wanted, applied) for name, wanted, applied in await tx.execute(query)]
