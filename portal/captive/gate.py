"""What the captive portal may ask of the site it stands at: one Protocol and its values. PURE.

The portal page only *shows* the state of a device; what opens the gate is the payment (mission A2).
Therefore every method answers from the site's own state, and none waits for the controller, except
`Gate.redeem`, for a few seconds.
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
class Work:
    """Work on the network that customers are told of, in both languages; ``on``: it is going on."""

    from_at: datetime
    until_at: datetime
    text_en: str
    text_sw: str
    on: bool = False


@dataclass(frozen=True, slots=True)
class SiteFace:
    """How the site presents itself: names, help line, default language (``en`` or ``sw``).

    ``rails`` are the wallets that collect, as `billing.msisdn.WALLETS` names them, in the order to
    show; of none or one there is nothing to choose. ``colour`` is the operator's (``#0b6e4f``), ""
    for the portal's own; ``logo`` the name by which its picture is asked for, "" for none.
    ``languages`` are those that can be chosen. ``works`` are announced; ``cut_off`` says that the
    site has no line to the controller, ``down_since`` that the controller knows it to be silent.
    """

    operator_name: str
    site_name: str
    help_phone: str
    language: str
    rails: tuple[str, ...] = ()
    colour: str = ""
    languages: tuple[str, ...] = ("en", "sw")
    logo: str = ""
    works: tuple[Work, ...] = ()
    cut_off: bool = False
    down_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order as the page shows it. ``reason`` is never a sentence: text tables have those.

    ``rail`` is the wallet that is asked; "" for the only one, or the first.
    """

    order_id: str
    offer: Offer
    msisdn_masked: str
    stage: OrderStage
    reason: Reason | None
    placed_at: datetime
    age_s: int
    rail: str = ""


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
    ``suspended``: what it may use stands, but the operator has stopped it for now. ``contested``:
    another device seems to use the same network address. ``put_out_by`` is the short code of the
    device that lately took this one's place; "" when none did.
    """

    device_ref: str
    device_known: bool
    access: AccessView | None
    order: OrderView | None
    suspended: bool = False
    contested: bool = False
    put_out_by: str = ""


@dataclass(frozen=True, slots=True)
class PlaceView:
    """One device that a package is in use on. Never a MAC.

    ``quiet_s`` is how long it has been silent, None when it is not connected now. ``companion``: a
    device without a browser, which another one connected and may take off again.
    """

    device_ref: str
    mine: bool
    companion: bool
    quiet_s: int | None


@dataclass(frozen=True, slots=True)
class PlacesView:
    """The devices of the package that the asking device uses, or has proved its right to."""

    plan_name: str
    devices_max: int
    places: tuple[PlaceView, ...]

    @property
    def inside(self) -> bool:
        """Whether the asking device is one of them."""
        return any(place.mine for place in self.places)

    @property
    def full(self) -> bool:
        """Whether no place is free."""
        return len(self.places) >= self.devices_max


@dataclass(frozen=True, slots=True)
class ScreenlessView:
    """A device nearby that is captive and has never opened the portal: a television perhaps.

    ``address_end`` is the last four characters of its network address. What it calls itself is not
    shown: anybody may call his device anything, and nothing here reads it.
    """

    device_ref: str
    address_end: str


class Welcome(StrEnum):
    """What became of a device that showed its badge."""

    IN = "in"  # it has its place again; access follows
    FULL = "full"  # its right is proved, and every place is in use
    STRANGER = "stranger"  # the badge is worth nothing


class Refusal(StrEnum):
    """Why the site did not do what was asked. Values are keys of the text tables."""

    PHONE_INVALID = "phone_invalid"
    PLAN_UNKNOWN = "plan_unknown"
    WALLET_UNKNOWN = "wallet_unknown"  # it does not collect here, or no longer
    VOUCHER_INVALID = "voucher_invalid"
    VOUCHER_USED = "voucher_used"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a key of the text tables
    TOKEN_USED = "token_used"  # noqa: S105 - a key of the text tables
    CODE_WRONG = "code_wrong"  # the one that was sent to a phone
    TOO_MANY_TRIES = "too_many_tries"
    ORDER_OPEN = "order_open"  # an earlier order of this device is still undecided
    DEVICE_UNKNOWN = "device_unknown"
    OFFLINE = "offline"  # needs the controller, and the link is down
    DEVICES_FULL = "devices_full"
    SUSPENDED = "suspended"
    MOVED_OFTEN = "moved_often"
    DEVICE_GONE = "device_gone"  # the device that was meant is not there (any more)
    NOT_PROVED = "not_proved"  # who asks has not shown that it may use the package
    NOT_NOW = "not_now"  # the site cannot write anything down, and takes no money without


class Gate(Protocol):
    """The site, as its portal sees it. Devices are named by the address they connect from."""

    def face(self) -> SiteFace:
        """The site's names and languages."""
        ...

    def logo(self) -> bytes:
        """The operator's picture, a PNG; empty when there is none."""
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

    async def order(
        self, address: str, *, plan_id: str, phone: str, rail: str = ""
    ) -> str | Refusal:
        """Place an order: the order's id once it is durably noted at the site, or why not.

        An empty ``phone`` means the number of this device's last order, so that "send again" needs
        no typing; without one it is `Refusal.PHONE_INVALID`. ``rail`` is the wallet that its payer
        chose; "" means the one by which this device's last order asked the same number, else what
        the number looks like.
        A second call while an order of the same device is open answers that order's id when plan,
        phone and wallet are the same (a double tap), otherwise `Refusal.ORDER_OPEN`.
        """
        ...

    async def redeem(self, address: str, *, code: str, phone: str = "") -> Refusal | None:
        """Redeem a code for this device; None when it was accepted (access follows).

        Without ``phone`` that is an activation token, a voucher or an M-PESA receipt, also within
        its whole message; with it, the short code that `send_code` sent there.
        `Refusal.DEVICES_FULL` leaves the right proved: `places` shows who is in, `move` moves.
        With the link down the site itself takes what it knows to be good; what nobody can check
        then is `Refusal.OFFLINE`.
        """
        ...

    async def send_code(self, address: str, *, phone: str) -> Refusal | None:
        """Send a short code to the phone that paid; None also when that number bought nothing."""
        ...

    def link_up(self) -> bool:
        """Whether the controller can be asked now, as far as the site knows."""
        ...

    def opened(self, address: str) -> None:
        """The device looks at a page of the portal: it has a browser."""
        ...

    def badge(self, address: str) -> str | None:
        """What the browser of a device that is online should keep, to be known by it later.

        It names the grant and the device, and nobody but the site can make one.
        """
        ...

    async def come_back(self, address: str, *, badge: str) -> Welcome:
        """Let a device that shows a badge take its place again, whatever address it has now."""
        ...

    def places(self, address: str, *, badge: str = "") -> PlacesView | None:
        """Who uses the package of this device; None when it has proved no right to any."""
        ...

    async def move(self, address: str, *, device_ref: str, badge: str = "") -> Refusal | None:
        """Give this device the place of another; None when done (access follows)."""
        ...

    def screenless(self, address: str) -> Sequence[ScreenlessView] | Refusal:
        """Devices nearby that the asking device, which is online, may connect; at most ten."""
        ...

    async def connect(self, address: str, *, device_ref: str) -> Refusal | None:
        """Connect a device without a browser to the package of the asking one.

        When no place is free, the asking device gives its own.
        """
        ...

    async def release(self, address: str, *, device_ref: str) -> Refusal | None:
        """Take a companion off the package of the asking device again."""
        ...
