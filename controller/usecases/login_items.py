"""What sites are told of logins: that of a subscription follows it to where it is served."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.ids import SiteId
from billing.subscription import State
from controller.edge import wire
from controller.store import grants, items, logins

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.store.billing_rows import LoginRow, SubscriptionRow
    from controller.store.database import Tx


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a subscriber types into their router."""

    name: str
    secret: str = field(repr=False)


async def follow_in(tx: Tx, deps: Deps, row: SubscriptionRow) -> set[str]:
    """Let the login be told where its subscription is now served, or nowhere; sites with news.

    Locks sites, which come last. In the caller's transaction.
    """
    login = await logins.load(tx, row.id)
    if login is None:
        return set()
    if row.state == State.ENDED:
        site_id, key = login.site_id, item_key(login.name)
        await tx.delete(login)
        await tx.flush()
        return set(await items.put_many(tx, {SiteId(site_id): {key: None}}))
    if login.site_id == row.site_id:
        return set()
    before, login.site_id = (login.site_id, login.name), row.site_id
    known = Credentials(login.name, deps.vault.unseal(login.sealed).decode())
    await tx.flush()
    return await tell_in(tx, row, login, known, before=before)


def item_key(name: str) -> str:
    """The key of a login's item."""
    return f"login/{name}"


async def tell_in(
    tx: Tx,
    row: SubscriptionRow,
    login: LoginRow,
    known: Credentials,
    *,
    before: tuple[str, str] | None,
) -> set[str]:
    """Tell a login to its site, and no more where and as what it was known before; sites with news.

    Locks sites, which come last.
    """
    cause = f"{grants.SUBSCRIPTION}{row.id}"
    body = wire.login_body(name=known.name, secret=known.secret, cause=cause)
    wanted: dict[SiteId, dict[str, bytes | None]] = {}
    if before is not None:
        wanted[SiteId(before[0])] = {item_key(before[1]): None}
    wanted.setdefault(SiteId(login.site_id), {})[item_key(known.name)] = body
    return set(await items.put_many(tx, wanted))
