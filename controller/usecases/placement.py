"""Where a subscription is served, and which devices may use it: changed while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.ids import SiteId
from billing.subscription import Event, State, moved
from controller.store import grant_sites, grants
from controller.usecases import login_items
from controller.usecases.agreements import check_place
from controller.usecases.grants import put_item
from controller.usecases.subscriptions import locked, wake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.billing_rows import SubscriptionRow
    from controller.store.database import Tx


async def place(
    deps: Deps,
    subscription_id: str,
    *,
    site_id: str | None = None,
    devices: Sequence[str] | None = None,
) -> None:
    """Let a subscription be served at another site, or by other devices; None stays as it is.

    The running grant follows at once. It stays good at the site it was given for until its period
    ends, as every grant does where it was brought to; the next one is given at the new site alone.
    Nothing is billed. Repeating changes nothing. Raises `InvalidField`, `SubscriptionUnknown`,
    `SubscriptionEnded`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        row, _ = await locked(tx, subscription_id)
        if row.state == State.ENDED:
            moved(State.ENDED, None, Event.PAUSE)  # raises the refusal
        await check_place(tx, site_id=site_id, devices=devices or ())
        row.site_id = row.site_id if site_id is None else site_id
        row.devices = row.devices if devices is None else " ".join(dict.fromkeys(devices))
        changed = await _followed(tx, row, deps.now(), renamed=devices is not None)
        changed |= await login_items.follow_in(tx, deps, row)
    wake(deps, changed)


async def _followed(tx: Tx, row: SubscriptionRow, now: datetime, *, renamed: bool) -> set[str]:
    """Let the running grant be where its subscription is now; the sites that have news."""
    grant = None if row.grant_id is None else await grants.locked(tx, row.grant_id)
    if grant is None or grant.ended_at is not None:
        return set()
    if renamed:
        grant.devices = row.devices
    brought = await grant_sites.bring(tx, grant.id, row.site_id)
    top_up = SiteId(row.site_id) if brought else None
    return set(await put_item(tx, grant, now, top_up=top_up))
