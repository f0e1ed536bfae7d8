"""Pauses: a subscriber goes away, is not served and not billed, and comes back.

The day on which a pause begins is served, the day on which it ends too: nothing is billed twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.subscription import Event, State
from controller.store import subscriptions
from controller.usecases.period_grants import Changes, carry_out
from controller.usecases.settling import stop_in
from controller.usecases.subscriptions import lift_in, locked, move, try_again_in, use_wallet, wake

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps

RESUMES_MAX = 1_000
"""Pauses that are ended in one round."""


async def pause(deps: Deps, subscription_id: str, *, until: datetime | None = None) -> None:
    """Stop serving and billing from now on; with ``until`` it goes on by itself then.

    What is billed of the days that are left is credited; what was served in arrears is billed. Of
    one that is paused already only ``until`` changes. Raises `InvalidField` (``until``),
    `SubscriptionUnknown`, a refusal of `billing.subscription`, `DatabaseBusy`.
    """
    now = deps.now()
    if until is not None and until <= now:
        raise InvalidField("until", "want a moment to come")
    async with deps.db.begin() as tx:
        row, subscriber = await locked(tx, subscription_id)
        is_new = move(row, Event.PAUSE, now)
        row.resume_at = until
        if not is_new:
            return
        row.bill_at = None
        changed = await carry_out(tx, Changes(suspended=[row.grant_id]), now)
        await stop_in(tx, deps, subscriber, row, stopped_at=now)
        await try_again_in(tx, subscriber.id, now)
    wake(deps, changed)
    await use_wallet(deps, subscriber.id)


async def resume(deps: Deps, subscription_id: str) -> None:
    """End a pause: what is left of the running period is billed, and served.

    Raises `SubscriptionUnknown`, a refusal of `billing.subscription`, `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        row, subscriber = await locked(tx, subscription_id)
        changed = await lift_in(tx, deps, row, subscriber, event=Event.RESUME, now=now)
    wake(deps, changed)


async def resume_due(deps: Deps) -> int:
    """End every pause whose time is over; how many. Raises `DatabaseBusy`."""
    now, count = deps.now(), 0
    async with deps.db.read() as tx:
        names = await subscriptions.paused_until(tx, now, limit=RESUMES_MAX)
    for name in names:
        async with deps.db.begin() as tx:
            row, subscriber = await locked(tx, name)
            is_over = row.resume_at is not None and row.resume_at <= now
            if row.state != State.PAUSED or not is_over:
                continue  # somebody else did it meanwhile
            changed = await lift_in(tx, deps, row, subscriber, event=Event.RESUME, now=now)
            count += 1
        wake(deps, changed)
    return count
