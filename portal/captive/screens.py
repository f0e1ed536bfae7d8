"""Which screen a device sees, as plain values. PURE.

The same values always make the same bytes, so that `pages.Pages` may remember what it rendered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from billing.payment import OrderStage, Reason
from portal.captive import codes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from portal.captive.gate import (
        AccessView,
        DeviceView,
        Offer,
        OrderView,
        PlacesView,
        Refusal,
        ScreenlessView,
        SiteFace,
        Work,
    )

PROMPT_S = 60
"""How long an M-PESA prompt stays on the payer's phone."""

CHECKING_AFTER_S = 90
"""From here on an order without an answer is shown as still being checked."""

REFUSED_SHOWN_S = 900
"""A refused order is the first thing a device sees for so long; then packages again."""

PAID_SHOWN_S = 120
"""A paid order whose access does not show is "connecting" for so long; then packages again."""

JOIN_TRIES_MAX = 20
"""Looks for the access of an accepted voucher, `JOIN_WAIT_S` apart, before help is offered."""

JOIN_WAIT_S = 2
STATUS_REFRESH_S = 30
FULL_REFRESH_S = 10
"""How often a device that showed its badge is looked at again while every place is taken."""

ACTIVE_S = 60
"""A device that was heard within this long is said to be active now."""

CARDS_SHOWN = 4
"""Cards shown at once on a small screen; the others wait behind one tap."""

SLOW_AFTER_S = 8
"""An order that has not reached M-PESA by then is said to be slow."""

ANNOUNCED_BEFORE = timedelta(days=3)
ANNOUNCED_MAX = 2
"""Works shown at once: more would hide what is for sale."""

_POLLS = ((30, 2), (120, 4), (900, 20))
"""(order age below, seconds to the next look); older orders are not looked at by themselves."""

_RETRY_AFTER_S = {Reason.LINE_BUSY: 60, Reason.PROVIDER_SLOW: 30}


@dataclass(frozen=True, slots=True)
class Shop:
    """Packages and phone number on one page.

    ``chosen`` is the plan whose card is marked, ``known`` the masked number that an empty phone
    field stands for, ``typed`` and ``rail`` what was typed and which wallet was chosen before
    ``problem`` arose. ``ended`` when a package of this device has just run out; ``put_out_by``
    names the device that took its place.
    """

    face: SiteFace
    offers: tuple[Offer, ...]
    chosen: str
    known: str = ""
    typed: str = ""
    rail: str = ""
    problem: Refusal | None = None
    online: bool = False
    ended: bool = False
    put_out_by: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order without a final answer, or paid and about to open the gate.

    ``stage`` is what is *shown*: a prompt without an answer becomes CHECKING by age.
    ``adding`` when the device was online already and is buying more.
    """

    face: SiteFace
    order: OrderView
    stage: OrderStage
    seconds_left: int
    refresh_s: int | None
    slow: bool = False
    adding: bool = False
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An order that came to nothing, and the one thing to do about it.

    ``action`` is a key of the text tables; ``wait_s`` is how long "again" must wait.
    """

    face: SiteFace
    order: OrderView
    action: str
    wait_s: int


@dataclass(frozen=True, slots=True)
class Online:
    """What a device that is online has left; ``open_order`` links a payment under way."""

    face: SiteFace
    access: AccessView
    fresh: bool
    open_order: str = ""


@dataclass(frozen=True, slots=True)
class Voucher:
    """The one field for every kind of code.

    ``problem`` is a key of the text tables; ``digits`` fills the blank that one of them has.
    """

    face: SiteFace
    typed: str = ""
    problem: str = ""
    digits: int = 0


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """The field for the number that paid. With the link down, the ways that need none instead."""

    face: SiteFace
    link_up: bool
    typed: str = ""
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True)
class PhoneCode:
    """The field for the short code that was sent to ``phone``."""

    face: SiteFace
    phone: str
    masked: str
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Which devices use a package, and what may be done about each.

    ``again`` when the page looks again by itself: a place that falls silent is taken then.
    """

    face: SiteFace
    view: PlacesView
    device_ref: str
    online: bool
    put_out_by: str = ""
    again: bool = False
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Screenless:
    """Devices nearby without a browser; ``full`` when this phone would give its own place."""

    face: SiteFace
    found: tuple[ScreenlessView, ...]
    full: bool
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Suspended:
    """Staff have stopped the package for now: why, and whom to call."""

    face: SiteFace
    device_ref: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A voucher was accepted and access is on its way; ``tries`` counts the looks so far."""

    face: SiteFace
    tries: int


@dataclass(frozen=True, slots=True)
class Help:
    """Everything a customer reads out to the help line."""

    face: SiteFace
    device_ref: str
    order: OrderView | None
    online: bool
    contested: bool = False


Screen = (
    Shop
    | Waiting
    | Failed
    | Online
    | Voucher
    | PhoneNumber
    | PhoneCode
    | Places
    | Screenless
    | Suspended
    | Joined
    | Help
)


def voucher(face: SiteFace, typed: str, refusal: Refusal | None = None) -> Voucher:
    """The code field again, with what is wrong with this very kind of code."""
    kind = codes.reading(typed)
    if isinstance(kind, codes.Fault):
        return Voucher(face, typed, kind.value, digits=sum(c.isdigit() for c in typed))
    return Voucher(face, typed, codes.explained(refusal, kind) if refusal else "")


def under_way(order: OrderView) -> bool:
    """Whether money may still come of the order without the customer doing anything more."""
    return order.stage in {OrderStage.QUEUED, OrderStage.PROMPTED, OrderStage.CHECKING}


def first_look(order: OrderView) -> bool:
    """Whether the order is what its device should see first."""
    match order.stage:
        case OrderStage.QUEUED | OrderStage.PROMPTED | OrderStage.CHECKING:
            return True
        case OrderStage.REFUSED | OrderStage.EXPIRED:
            return order.age_s <= REFUSED_SHOWN_S
        case OrderStage.PAID:
            return order.age_s <= PAID_SHOWN_S
        case _:
            assert_never(order.stage)


def order_screen(
    face: SiteFace, order: OrderView, *, adding: bool = False, problem: Refusal | None = None
) -> Waiting | Failed:
    """How an order is shown."""
    if order.stage in {OrderStage.REFUSED, OrderStage.EXPIRED}:
        action, wait_s = _way_out(order)
        return Failed(face, order, action, wait_s)
    stage = order.stage
    if stage is OrderStage.PROMPTED and order.age_s >= CHECKING_AFTER_S:
        stage = OrderStage.CHECKING
    return Waiting(
        face,
        order,
        stage,
        seconds_left=max(0, PROMPT_S - order.age_s),
        refresh_s=_next_look_s(order),
        slow=order.age_s >= SLOW_AFTER_S,
        adding=adding,
        problem=problem,
    )


def announced(works: Iterable[Work], now: datetime) -> tuple[Work, ...]:
    """The works that customers are told of now: those under way, and those of the next days."""
    told = sorted(
        (one for one in works if one.from_at - ANNOUNCED_BEFORE <= now < one.until_at),
        key=lambda one: one.from_at,
    )
    return tuple(replace(one, on=one.from_at <= now) for one in told[:ANNOUNCED_MAX])


def shop(
    face: SiteFace,
    offers: tuple[Offer, ...],
    view: DeviceView,
    *,
    chosen: str = "",
    typed: str = "",
    rail: str = "",
    problem: Refusal | None = None,
    ended: bool = False,
) -> Shop:
    """The packages, with what this device last chose still chosen."""
    known = view.order.msisdn_masked if view.order else ""
    last = view.order.offer.plan_id if view.order else ""
    sold = [o.plan_id for o in offers]
    marked = next((p for p in (chosen, last, *sold) if p in sold), "")
    online = view.access is not None
    return Shop(
        face,
        offers,
        marked,
        known,
        typed,
        rail,
        problem,
        online=online,
        ended=ended and not online,
        put_out_by=view.put_out_by,
    )


def _next_look_s(order: OrderView) -> int | None:
    if order.stage is OrderStage.PAID:
        return 2
    return next((every for below, every in _POLLS if order.age_s < below), None)


def _way_out(order: OrderView) -> tuple[str, int]:
    """The one button for an order that came to nothing, and how long it must wait."""
    reason = order.reason
    if reason is None:
        return "action.again", 0
    wait_s = max(0, _RETRY_AFTER_S.get(reason, 0) - order.age_s)
    match reason:
        case Reason.NO_BALANCE | Reason.LIMIT:
            return "action.smaller", 0
        case Reason.ACCOUNT | Reason.TOO_OFTEN:
            return "action.number", 0
        case Reason.PLAN_UNKNOWN:
            return "action.choose", 0
        case Reason.OUR_SIDE:
            return "action.help", 0
        case (
            Reason.CANCELLED
            | Reason.NO_REPLY
            | Reason.WRONG_PIN
            | Reason.LINE_BUSY
            | Reason.PROVIDER_SLOW
            | Reason.TOO_LATE
        ):
            return "action.again", wait_s
        case _:
            assert_never(reason)
