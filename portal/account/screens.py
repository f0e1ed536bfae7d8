"""Which screen an order for a token has, as plain values. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.payment import OrderStage
from portal.account.shop import SmsState
from portal.captive.screens import CHECKING_AFTER_S, PROMPT_S

if TYPE_CHECKING:
    from portal.account.shop import Refusal, Sale
    from portal.captive.gate import Offer, SiteFace

_POLLS = ((30, 3), (120, 5), (900, 20))
"""(order age below, seconds to the next look); older orders are not looked at by themselves."""

SMS_POLL_S = 5
SMS_POLL_BELOW_S = 900


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: whose phone pays, whose the code is for, if another's, and the wallet."""

    phone: str = ""
    holder: str = ""
    rail: str = ""


NOTHING_TYPED = Typed()


@dataclass(frozen=True, slots=True)
class Counter:
    """Offers and phone number on one page. ``key`` is that of the order to place.

    ``chosen`` is the plan whose card is marked; ``typed`` what was typed before ``problem`` arose.
    """

    face: SiteFace
    site_id: str
    key: str
    offers: tuple[Offer, ...]
    chosen: str = ""
    typed: Typed = NOTHING_TYPED
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order without a final answer. ``stage`` is what is shown: a prompt ages into CHECKING."""

    face: SiteFace
    site_id: str
    sale: Sale
    stage: OrderStage
    seconds_left: int
    refresh_s: int | None


@dataclass(frozen=True, slots=True)
class Failed:
    """An order that came to nothing. ``key`` is that of the order that may follow it."""

    face: SiteFace
    site_id: str
    sale: Sale
    key: str


@dataclass(frozen=True, slots=True)
class Sold:
    """A token, for the eyes of who paid for it."""

    face: SiteFace
    site_id: str
    sale: Sale
    refresh_s: int | None


Screen = Counter | Waiting | Failed | Sold


def sale_screen(
    face: SiteFace, site_id: str, sale: Sale, *, next_key: str
) -> Waiting | Failed | Sold:
    """How an order is shown."""
    if sale.stage is OrderStage.PAID:
        waits = sale.sms is SmsState.WAITING or sale.behind is not None
        looks = waits and not sale.used and sale.age_s < SMS_POLL_BELOW_S
        return Sold(face, site_id, sale, SMS_POLL_S if looks else None)
    if sale.stage in {OrderStage.REFUSED, OrderStage.EXPIRED}:
        return Failed(face, site_id, sale, next_key)
    aged = sale.age_s >= CHECKING_AFTER_S
    return Waiting(
        face,
        site_id,
        sale,
        stage=OrderStage.CHECKING if aged else sale.stage,
        seconds_left=max(0, PROMPT_S - sale.age_s),
        refresh_s=next((every for below, every in _POLLS if sale.age_s < below), None),
    )
