"""Which order is carried out, and which is only answered: once each, in time, and seldom. PURE."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.model import ProbeResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from agent.draft import Draft
    from agent.model import ProbeOrder, State

ORDER_GOOD = timedelta(minutes=10)
"""An order that the site hears of later than this after it was given is not carried out."""

HOUR = timedelta(hours=1)
PROBES_PER_HOUR_MAX = 20


def waiting(state: State) -> ProbeOrder | None:
    """The order that is next: the oldest of those that were never begun."""
    fresh = [order for order in state.probes.values() if order.id not in state.probed]
    return min(fresh, key=lambda order: (order.asked_at, order.id), default=None)


def objection(order: ProbeOrder, probed: Mapping[str, datetime], now: datetime) -> str | None:
    """Why an order is not carried out, in a sentence; None when it is."""
    if now - order.asked_at > ORDER_GOOD:
        return f"asked at {order.asked_at:%H:%M} UTC, and it is {now:%H:%M} here: too late"
    if order.asked_at - now > ORDER_GOOD:
        return f"this site's clock says {now:%Y-%m-%d %H:%M} UTC: nobody knows how old the order is"
    if sum(abs(now - at) < HOUR for at in probed.values()) >= PROBES_PER_HOUR_MAX:
        return f"there were {PROBES_PER_HOUR_MAX} probes within the hour; that is the most"
    return None


def begun(draft: Draft, probe_id: str) -> None:
    """Note that an order is being carried out: whatever happens then, it is not begun again."""
    now = draft.now.wall
    for known in draft.probed:
        if known not in draft.probes and abs(now - draft.probed[known]) >= HOUR:
            draft.probed.drop(known)
    draft.probed.put(probe_id, now)


def ended(draft: Draft, probe_id: str, body: str) -> None:
    """Tell the controller what was seen, or why nothing was looked at."""
    if probe_id in draft.probes and probe_id not in draft.probed:
        begun(draft, probe_id)
    draft.say(ProbeResult(probe_id=probe_id, body=body))
