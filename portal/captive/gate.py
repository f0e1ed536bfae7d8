"""What the captive portal may ask of the site it stands at: one Protocol and its values. PURE.

The portal page only *shows* the state of a device; what opens the gate is the payment (mission A2).
Therefore every method answers from the site's own state, and none waits for the controller.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.money import Money
    from billing.payment import OrderStage, Reason


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan as shown on the portal. Limits that a plan does not have are None.

    ``validity_s`` is the calendar clock (runs from the first access), ``uptime_s`` the clock of
    connected time, ``quota_bytes`` counts both directions.
    """

    plan_id: str
    name: str
    price: Money
    down_bps: int
    up_bps: int
    validity_s: int | None
    uptime_s: int | None
    quota_bytes: int | None
    devices_max: int


@dataclass(frozen=True, slots=True)
class SiteFace:
    """How the site presents itself: names, help line, default language (``en`` or ``sw``)."""

    operator_name: str
    site_name: str
    help_phone: str
    language: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order as the page shows it. ``reason`` is never a sentence: text tables have those."""

    order_id: str
    offer: Offer
    msisdn_masked: str
    stage: OrderStage
    reason: Reason | None
    placed_at: datetime
    age_s: int


@dataclass(frozen=True, slots=True)
class AccessView:
    """What a device that is online has left. None where the plan has no such limit."""

    plan_name: str
    seconds_left: int | None
    until: datetime | None
    bytes_left: int | None
    down_bytes: int
    up_bytes: int
    devices_used: int
    devices_max: int


@dataclass(frozen=True, slots=True)
class DeviceView:
    """All that the portal knows of the device it talks to.

    ``device_ref`` is a short code (6 characters) that a customer can read to the help line.
    ``device_known`` is False when the address has no neighbour entry: then nothing can be sold.
    """

    device_ref: str
    device_known: bool
    access: AccessView | None
    order: OrderView | None


class Refusal(StrEnum):
    """Why the site did not do what was asked. Values are keys of the text tables."""

    PHONE_INVALID = "phone_invalid"
    PLAN_UNKNOWN = "plan_unknown"
    VOUCHER_INVALID = "voucher_invalid"
    VOUCHER_USED = "voucher_used"
    TOO_MANY_TRIES = "too_many_tries"
    ORDER_OPEN = "order_open"  # an earlier order of this device is still undecided
    DEVICE_UNKNOWN = "device_unknown"
    OFFLINE = "offline"  # needs the controller, and the link is down
    DEVICES_FULL = "devices_full"
    NOT_NOW = "not_now"  # the site cannot write anything down, and takes no money without


class Gate(Protocol):
    """The site, as its portal sees it. Devices are named by the address they connect from."""

    def face(self) -> SiteFace:
        """The site's names and languages."""
        ...

    def offers(self) -> Sequence[Offer]:
        """What is for sale here, in the order to show."""
        ...

    def device(self, address: str) -> DeviceView:
        """The state of the device at ``address`` (an IP address in text)."""
        ...

    async def sign_in(self, address: str) -> bool:
        """Open the gate for a device whose grant is still good; True when it is now online.

        Returns once the kernel lets the device pass (or there was nothing to open).
        """
        ...

    async def order(self, address: str, *, plan_id: str, phone: str) -> str | Refusal:
        """Place an order: the order's id once it is durably noted at the site, or why not.

        An empty ``phone`` means the number of this device's last order, so that "send again" needs
        no typing; without one it is `Refusal.PHONE_INVALID`.
        A second call while an order of the same device is open answers that order's id when plan
        and phone are the same (a double tap), otherwise `Refusal.ORDER_OPEN`.
        """
        ...

    async def redeem(self, address: str, *, code: str) -> Refusal | None:
        """Redeem a voucher for this device; None when it was accepted (access follows)."""
        ...
