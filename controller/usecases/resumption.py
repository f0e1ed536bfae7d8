"""What becomes of subscriptions when their subscriber pays, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow


async def after_money_in(tx: Tx, deps: Deps, subscriber: SubscriberRow, now: datetime) -> set[str]:
    """Resume and renew what the money allows; the sites to wake."""
    del tx, deps, subscriber, now
    return set()


async def hold_for_debt_in(
    tx: Tx, deps: Deps, subscriber: SubscriberRow, now: datetime
) -> set[str]:
    """Suspend what is not to go on in debt; the sites to wake."""
    del tx, deps, subscriber, now
    return set()
