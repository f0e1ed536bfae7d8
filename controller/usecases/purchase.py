"""An order becomes a payment, and a prompt on the payer's phone.

The order is written down first, with its price; asking is `asking`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.ids import GrantId, OrderId, PlanId, SiteId
from billing.payment import OrderStage, PaymentState, Reason, stage
from billing.plan import Audience
from controller.store import activation, grants, notices, payments, plans, subscribers
from controller.store.database import inserted
from controller.store.rows import PaymentRow
from controller.usecases.asking import (
    AGE_MAX_S,
    ask,
    gateway_of,
    new_token,
    reference_of,
    token_hash,
)
from controller.usecases.grants import give_in
from controller.usecases.token_keys import SlotsFull, slot_in, tell_full

if TYPE_CHECKING:
    from datetime import datetime

    from billing.msisdn import Msisdn
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import PlanRow


class Purpose(StrEnum):
    """What the money of an order buys."""

    GRANT = "grant"  # access for a device at the site, at once
    TOKEN = "token"  # noqa: S105 - 20 digits by SMS, which a device may bring to the site later
    ACCOUNT = "account"  # money for a subscriber's account


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A purchase as a site, or our own page, sends it. Price is not theirs to say.

    ``age_s`` is how long the customer has been waiting at the site. An order for a token names no
    device: its ``device_mac`` is empty. ``holder`` is the phone that a token is for, when a friend
    pays; ``rail`` the payer's choice, "" for the first.
    """

    order_id: OrderId
    plan_id: PlanId
    msisdn: Msisdn
    device_mac: str
    age_s: int
    purpose: Purpose = Purpose.GRANT
    rail: str = ""
    holder: Msisdn | None = None

    def __post_init__(self) -> None:
        assert self.purpose in {Purpose.GRANT, Purpose.TOKEN}
        assert (self.purpose is Purpose.TOKEN) == (not self.device_mac)
        assert self.holder is None or self.purpose is Purpose.TOKEN


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """Where an order stands, as a customer may be told; the grant once it is paid."""

    order_id: OrderId
    stage: OrderStage
    reason: Reason | None
    grant_id: GrantId | None


class OrderDiffers(Exception):  # noqa: N818 - a refusal, see style
    """This order id was used before for something else; nothing was changed."""

    def __init__(self, order_id: OrderId, field: str) -> None:
        super().__init__(f"order {order_id} was placed before with another {field}")
        self.order_id = order_id
        self.field = field


async def purchase(deps: Deps, site_id: SiteId, order: NewOrder) -> OrderStatus:
    """Ask for money for an order; for one that was sent before, where it stands.

    Idempotent by ``order_id``. Raises `OrderDiffers`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        status = await _noted(tx, deps, site_id, order)
    if status is not None:
        if status.grant_id is not None:
            deps.signals.wake(f"site:{site_id}")
        deps.signals.wake("live")
        return status
    await ask(deps, order.order_id, age_s=order.age_s)
    return await order_status(deps, order.order_id)


async def order_status(deps: Deps, order_id: OrderId) -> OrderStatus:
    """Where a payment stands. Its row must be there."""
    async with deps.db.read() as tx:
        payment = await payments.load(tx, order_id)
        assert payment is not None
        return await _status(tx, payment)


async def _noted(tx: Tx, deps: Deps, site_id: SiteId, order: NewOrder) -> OrderStatus | None:
    """Transaction 1. None when the order is waiting to be pushed."""
    now = deps.now()
    subscriber = await subscribers.locked(tx, order.holder or order.msisdn, now)
    payment = await payments.locked(tx, order.order_id)
    if payment is not None:
        return await _known(tx, payment, site_id, order, holder_id=subscriber.id)
    given = await grants.by_cause(tx, order.order_id)
    if given is not None:
        _same_grant(given.site_id, given.plan_id, given.devices, site_id, order)
        return OrderStatus(order.order_id, OrderStage.PAID, None, GrantId(given.id))
    plan = await plans.load(tx, order.plan_id)
    if plan is None or not _is_sold(plan, order.purpose):
        return _refused(order, Reason.PLAN_UNKNOWN)
    if plan.price_minor == 0:
        return await _free(tx, site_id, order, subscriber.id, now)
    if not await _can_collect(tx, deps, site_id, order, now):
        return _refused(order, Reason.OUR_SIDE)
    await _write_down(tx, deps, site_id, order, plan=plan, subscriber_id=subscriber.id)
    return None


def _is_sold(plan: PlanRow, purpose: Purpose) -> bool:
    """Free plans are not sold as tokens: anybody could have them sent to any phone."""
    if plan.withdrawn_at is not None or plan.audience != Audience.HOTSPOT:
        return False
    return plan.price_minor > 0 or purpose is Purpose.GRANT


async def _write_down(
    tx: Tx, deps: Deps, site_id: SiteId, order: NewOrder, *, plan: PlanRow, subscriber_id: str
) -> None:
    now = deps.now()
    gateway = gateway_of(deps, order.rail)
    new = await inserted(
        tx,
        PaymentRow,
        order_id=order.order_id,
        purpose=order.purpose,
        site_id=site_id,
        subscriber_id=subscriber_id,
        plan_id=order.plan_id,
        device_mac=order.device_mac,
        msisdn=order.msisdn,
        rail=gateway.rail,
        shortcode=gateway.place,
        amount_minor=plan.price_minor,
        currency=plan.currency,
        reference=reference_of(order.order_id),
        state=PaymentState.CREATED,
        callback_token_hash=token_hash(deps, new_token()),
        created_at=now,
        # Found by the scheduler when nobody ever comes back to push it.
        next_query_at=now + timedelta(seconds=AGE_MAX_S),
    )
    if not new:
        # The same order id came for another phone at the same moment.
        raise OrderDiffers(order.order_id, "phone")


async def _known(
    tx: Tx, payment: PaymentRow, site_id: SiteId, order: NewOrder, *, holder_id: str
) -> OrderStatus | None:
    # Odd money may have bought another plan than was ordered: that is no other order.
    plan_id = order.plan_id if payment.state == PaymentState.SETTLED else payment.plan_id
    for field, kept, told in (
        ("site", payment.site_id, site_id),
        ("purpose", payment.purpose, order.purpose),
        ("plan", plan_id, order.plan_id),
        ("phone", payment.msisdn, order.msisdn),
        ("rail", payment.rail, order.rail or payment.rail),
        ("holder", payment.subscriber_id, holder_id),
        ("device", payment.device_mac, order.device_mac),
    ):
        if kept != told:
            raise OrderDiffers(order.order_id, field)
    if payment.state == PaymentState.CREATED:
        return None
    return await _status(tx, payment)


def _same_grant(
    kept_site: str, kept_plan: str, kept_devices: str, site_id: SiteId, order: NewOrder
) -> None:
    if kept_site != site_id:
        raise OrderDiffers(order.order_id, "site")
    if kept_plan != order.plan_id:
        raise OrderDiffers(order.order_id, "plan")
    if order.device_mac not in kept_devices.split():
        raise OrderDiffers(order.order_id, "device")


async def _free(
    tx: Tx, site_id: SiteId, order: NewOrder, subscriber_id: str, now: datetime
) -> OrderStatus:
    """A plan without a price: the grant is given, and no money is spoken of."""
    grant_id = await give_in(
        tx,
        site_id=site_id,
        plan_id=order.plan_id,
        subscriber_id=subscriber_id,
        cause_id=order.order_id,
        devices=(order.device_mac,),
        now=now,
    )
    return OrderStatus(order.order_id, OrderStage.PAID, None, grant_id)


async def _can_collect(tx: Tx, deps: Deps, site_id: SiteId, order: NewOrder, now: datetime) -> bool:
    """Whether there is an account to pay into; and for a token a slot, kept before anybody pays."""
    if not _asks_phones(deps, order.rail):
        await notices.add(
            tx,
            now=now,
            code="nothing_collects",
            text=f"an order came, but no {order.rail or 'M-PESA'} account is configured",
            site_id=site_id,
            once=f"nothing_collects\n{site_id}\n{now:%Y-%m-%d}",
        )
        return False
    if order.purpose is Purpose.GRANT:
        return True
    try:
        await slot_in(tx, deps, site_id, order.plan_id, now=now)
    except SlotsFull as full:
        await tell_full(tx, site_id, full, now)
        return False
    return True


def _asks_phones(deps: Deps, rail: str) -> bool:
    """Whether somebody collects by a rail; the payer's choice is one of wallets only."""
    return gateway_of(deps, rail).place != "" and (not rail or rail in deps.wallets)


async def _status(tx: Tx, payment: PaymentRow) -> OrderStatus:
    state = PaymentState(payment.state)
    given = await grants.by_cause(tx, payment.order_id)
    issued = await activation.load(tx, payment.order_id)
    # Invariant: paid and granted, or paid and issued, are one fact.
    has_goods = given is not None if payment.purpose == Purpose.GRANT else issued is not None
    assert (state is PaymentState.SETTLED) == has_goods
    return OrderStatus(
        order_id=OrderId(payment.order_id),
        stage=stage(state),
        reason=None if payment.reason is None else Reason(payment.reason),
        grant_id=None if given is None else GrantId(given.id),
    )


def _refused(order: NewOrder, reason: Reason) -> OrderStatus:
    return OrderStatus(order.order_id, OrderStage.REFUSED, reason, None)
