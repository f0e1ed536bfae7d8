"""Grants that have come to their end leave the desired state of their site. Money is not touched.

The kernel at the site has cut them off long before, on the second and on the byte; this only keeps
what sites are told from growing for ever. Due work is what is due by now, so a controller that was
down for days catches up once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.grant import Spent, most
from billing.quota import ended
from controller.store import grant_sites, grants, vouchers
from controller.usecases.allowances import Told
from controller.usecases.redeem import TRIES_WINDOW
from controller.usecases.vouchers import thin_out

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import GrantRow, PlanRow

VALIDITY_SLACK = timedelta(minutes=10)
"""A site's own clock decides; we wait this much longer before we say so too."""

REVOKED_SHOWN = timedelta(days=1)
"""A revoked grant stays in the desired state so long, so that the portal can say why."""

BATCH_MAX = 500
BATCHES_MAX = 1_000


async def expire_due(deps: Deps) -> int:
    """End every grant whose time or data is used up; how many were ended. Raises `DatabaseBusy`."""
    now = deps.now()
    count, after_id = 0, ""
    for _ in range(BATCHES_MAX):
        async with deps.db.begin() as tx:
            looked_at = await grants.maybe_ended(
                tx, valid_before=now - VALIDITY_SLACK, limit=BATCH_MAX, after_id=after_id
            )
            over = [grant for grant, plan in looked_at if _end(grant, plan, now)]
            changed = await _drop(tx, over)
        _wake(deps, changed)
        count += len(over)
        if len(looked_at) < BATCH_MAX:
            break
        after_id = looked_at[-1][0].id
    await _tidy(deps, now)
    return count


def _end(grant: GrantRow, plan: PlanRow, now: datetime) -> bool:
    """Ask the one quota rule, and note its answer."""
    spent = grants.spent_of(grant)
    if grant.valid_until is not None and grant.valid_until + VALIDITY_SLACK <= now:
        assert plan.validity_s is not None
        spent = most(spent, Spent(validity_s=plan.validity_s))
    why = ended(grants.as_grant(grant, plan), spent)
    if why is None:
        return False
    grant.ended_at, grant.ended_reason = now, why
    return True


async def _drop(tx: Tx, over: list[GrantRow]) -> list[SiteId]:
    """Take grants out of the desired state of their sites, which are locked in order."""
    await tx.flush()
    told = Told()
    for rows in (await grant_sites.locked(tx, [grant.id for grant in over])).values():
        for row in rows:
            told.add(row, None)
    return await told.write(tx)


async def _tidy(deps: Deps, now: datetime) -> None:
    """Forget what nobody looks at any more."""
    await thin_out(deps)
    async with deps.db.begin() as tx:
        await vouchers.forget_tries(tx, before=now - TRIES_WINDOW)
        shown = await grants.revoked_but_shown(tx, before=now - REVOKED_SHOWN, limit=BATCH_MAX)
        changed = await _drop(tx, shown)
    _wake(deps, changed)


def _wake(deps: Deps, changed: list[SiteId]) -> None:
    for site_id in changed:
        deps.signals.wake(f"site:{site_id}")
    if changed:
        deps.signals.wake("live")
