"""What a subscription is agreed on: its terms, and whether they can be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.charge import Mode, floored
from billing.errors import InvalidField
from billing.period import Unit
from billing.price import AMOUNT_MAX_MINOR
from controller.store import plans, sites
from controller.store.subscriptions import as_contract
from controller.usecases.grants import check_mac
from controller.usecases.settling import priced

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.money import Money
    from billing.period import Cycle
    from controller.store.billing_rows import SubscriptionRow
    from controller.store.database import Tx
    from controller.store.rows import PlanRow, SubscriberRow

BEGINS_MAX = timedelta(days=366)
"""As far ahead a subscription is agreed on."""

_ID = re.compile(r"[0-9a-f]{32}")

LONGEST_S = {
    Unit.MINUTE: 60,
    Unit.HOUR: 3_600,
    Unit.DAY: 86_400,
    Unit.WEEK: 7 * 86_400,
    Unit.MONTH: 31 * 86_400,
}
"""The longest that a unit of a cycle lasts."""


class SubscriptionDiffers(Exception):  # noqa: N818 - a refusal, see style
    """There is a subscription of this id, with other terms."""


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """What is agreed on. ``id`` is made by who asks: the same again changes nothing.

    ``begins_at`` is None for now. ``price`` is a bespoke one, for as long as the plan stays.
    """

    id: str
    subscriber: str
    plan_id: str
    site_id: str
    mode: Mode
    cycle: Cycle
    devices: tuple[str, ...] = ()
    begins_at: datetime | None = None
    price: Money | None = None


def check_same(known: SubscriptionRow, new: NewSubscription, subscriber: SubscriberRow) -> None:
    """Raise `SubscriptionDiffers` when another agreement has the id."""
    mine = (
        subscriber.id,
        new.site_id,
        new.mode,
        new.cycle,
        " ".join(new.devices),
    )
    cycle = as_contract(known).cycle
    if mine != (known.subscriber_id, known.site_id, known.mode, cycle, known.devices):
        raise SubscriptionDiffers(f"subscription {new.id} was agreed on with other terms")


async def check_new(tx: Tx, new: NewSubscription, subscriber: SubscriberRow, now: datetime) -> None:
    """Raise `InvalidField` for the first term that cannot be."""
    if not _ID.fullmatch(new.id):
        raise InvalidField("id", "want 32 hexadecimal digits")
    await check_place(tx, site_id=new.site_id, devices=new.devices)
    begins_at = new.begins_at or now
    if not floored(new.cycle, now) <= begins_at <= now + BEGINS_MAX:
        raise InvalidField("begins_at", f"want today, or within {BEGINS_MAX.days} days")
    if new.mode is not Mode.PREPAID and new.cycle.unit in {Unit.MINUTE, Unit.HOUR}:
        raise InvalidField("cycle.unit", "what is paid by invoice wants days or longer")
    if new.price is not None and not 0 <= new.price.minor <= AMOUNT_MAX_MINOR:
        raise InvalidField("price", f"want 0 to {AMOUNT_MAX_MINOR // 100:,}")
    _, _, terms_days = await priced(tx, subscriber, now)
    await fitting_plan(tx, new.plan_id, cycle=new.cycle, terms_days=terms_days)


async def check_place(tx: Tx, *, site_id: str | None, devices: Sequence[str]) -> None:
    """Raise `InvalidField` for a site that is not there, or what is no device's address."""
    if site_id is not None and await sites.load(tx, site_id) is None:
        raise InvalidField("site_id", f"there is no site {site_id[:40]}")
    for device in devices:
        check_mac(device, field="devices")


async def fitting_plan(tx: Tx, plan_id: str, *, cycle: Cycle, terms_days: int) -> PlanRow:
    """A plan that a subscription with this cycle can be on. Raises `InvalidField` (``plan_id``)."""
    plan = await plans.load(tx, plan_id)
    if plan is None:
        raise InvalidField("plan_id", f"there is no plan {plan_id[:40]}")
    if plan.withdrawn_at is not None:
        raise InvalidField("plan_id", f"plan {plan_id} is withdrawn")
    longest_s = LONGEST_S[cycle.unit] * cycle.count + terms_days * 86_400
    if plan.validity_s is not None and plan.validity_s < longest_s:
        raise InvalidField(
            "plan_id", f"its validity ends before the period and {terms_days} days to pay do"
        )
    return plan
