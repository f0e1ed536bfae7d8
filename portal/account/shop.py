"""What the page that sells tokens may ask of the controller: one Protocol and its values. PURE.

An order is known by its key: a name and a secret, made when the page is shown and posted with it,
so that a double tap orders once. The key is part of the order's own address. Whoever has only the
name, or guesses, sees nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.payment import OrderStage, Reason
    from portal.captive.gate import Offer, SiteFace


class SmsState(StrEnum):
    """Where the message with the token is."""

    WAITING = "waiting"
    SENT = "sent"
    UNSENT = "unsent"


class Refusal(StrEnum):
    """Why nothing was ordered. Values are keys of the text tables."""

    PHONE_INVALID = "refusal.phone_invalid"
    HOLDER_INVALID = "buy.holder_invalid"
    PLAN_UNKNOWN = "refusal.plan_unknown"
    WALLET_UNKNOWN = "refusal.wallet_unknown"
    KEY_USED = "buy.gone"  # this key ordered something else, or is none of ours
    TOO_MANY = "buy.busy"  # from this address


@dataclass(frozen=True, slots=True)
class SiteBehind:
    """A site that has not heard yet what it needs to take a code; when it was heard last.

    ``heard_at`` is None for one that never was, ``ago_s`` how long that is ago.
    """

    heard_at: datetime | None
    ago_s: int


@dataclass(frozen=True, slots=True)
class Sale:
    """One order as its payer may see it. ``token`` is shown in groups, "" until it is paid.

    ``holder_masked`` is the phone that the code is for: the payer's, or a friend's. ``behind`` is
    None unless the code is of no use at the site yet.
    """

    key: str
    offer: Offer
    msisdn_masked: str
    holder_masked: str
    stage: OrderStage
    reason: Reason | None
    age_s: int
    rail: str = ""
    token: str = ""
    sms: SmsState = SmsState.WAITING
    used: bool = False
    behind: SiteBehind | None = None


class ShopClosed(Exception):  # noqa: N818 - a state
    """The controller is too busy to answer just now; nothing was done."""


class Shop(Protocol):
    """The controller, as its public page sees it. Every method raises `ShopClosed`."""

    async def face(self, site_id: str) -> SiteFace | None:
        """How a site presents itself; None when there is no such site."""
        ...

    async def logo(self) -> bytes:
        """The operator's picture, a PNG; empty when there is none."""
        ...

    async def offers(self, site_id: str) -> Sequence[Offer]:
        """What is for sale as a token there, in the order to show."""
        ...

    def new_key(self) -> str:
        """The key of an order that may be placed: letters, digits and dashes."""
        ...

    async def order(
        self,
        site_id: str,
        *,
        key: str,
        plan_id: str,
        phone: str,
        holder: str,
        again: str,
        address: str,
        rail: str = "",
    ) -> Refusal | None:
        """Order a token; None once the order is noted. The same order again changes nothing.

        ``holder`` is the phone that the code is for, "" for the one that pays. An empty ``phone``
        means both of the order whose key is ``again``. ``rail`` is the wallet that the payer chose,
        "" to go by the number.
        """
        ...

    async def sale(self, site_id: str, key: str) -> Sale | None:
        """How an order stands; None for a key that ordered nothing here."""
        ...
