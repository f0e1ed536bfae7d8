"""A gate without a site: for ``--dry-run`` demonstrations and tests.

It keeps every promise of `gate.Gate` in memory; what the controller and the kernel would bring
about is told to it by name (`moved_to`, `went_online`, `granted`, `voucher`, `shared`, `nearby`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import uuid4

from billing.errors import InvalidField
from billing.msisdn import masked, parse_msisdn, wallet_of
from billing.payment import OrderStage
from billing.receipt import parse_receipt
from billing.token import CODE_LENGTH as TOKEN_LENGTH
from billing.token import parse_token
from billing.voucher import parse_code
from portal.captive.gate import (
    AccessView,
    DeviceView,
    OrderView,
    PlacesView,
    PlaceView,
    Refusal,
    ScreenlessView,
    Welcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from billing.payment import Reason
    from portal.captive.gate import Offer, SiteFace

MOVES_MAX = 3
"""Moves of one package; nothing here forgets them."""

GHOST_S = 60
"""A member that is silent for this long gives way."""

OWN_GHOST_S = 15
"""The same when it is the very device that asks, under its address of before."""

SENT_CODE = "246810"
"""What every phone is sent."""

OPEN_STAGES = frozenset({OrderStage.QUEUED, OrderStage.PROMPTED, OrderStage.CHECKING})


@dataclass(slots=True)
class _Device:
    """What is known of one address."""

    order: OrderView | None = None
    msisdn: str = ""
    access: AccessView | None = None
    grant: AccessView | None = None
    share: _Share | None = None
    suspended: bool = False
    contested: bool = False
    put_out_by: str = ""


@dataclass(slots=True)
class _Share:
    """A package in use on some addresses, which newcomers may join or move to.

    ``formerly`` says where a member is now that was given its badge at another address.
    """

    name: str
    access: AccessView
    members: list[str]
    quiet_s: dict[str, int]
    companions: set[str] = field(default_factory=set)
    formerly: dict[str, str] = field(default_factory=dict)
    moves: int = 0


@dataclass(slots=True)
class MemoryGate:
    """`gate.Gate` in memory. ``clock`` gives aware instants; ages are measured by it.

    ``stage_when_placed`` is what a new order shows until it is told more; ``strangers`` are
    addresses without a neighbour entry.
    """

    site_face: SiteFace
    for_sale: Sequence[Offer]
    clock: Callable[[], datetime]
    stage_when_placed: OrderStage = OrderStage.PROMPTED
    strangers: set[str] = field(default_factory=set)
    new_id: Callable[[], str] = lambda: uuid4().hex
    _devices: dict[str, _Device] = field(default_factory=dict)
    link: bool = True
    picture: bytes = b""
    _vouchers: dict[str, AccessView | Refusal] = field(default_factory=dict)
    _shares: dict[str, _Share] = field(default_factory=dict)
    _screenless: dict[str, None] = field(default_factory=dict)
    _codes_sent: set[str] = field(default_factory=set)

    def face(self) -> SiteFace:
        """The names it was given."""
        return self.site_face

    def logo(self) -> bytes:
        """The picture it was given."""
        return self.picture

    def offers(self) -> Sequence[Offer]:
        """The offers it was given."""
        return self.for_sale

    def device(self, address: str) -> DeviceView:
        """What it was told of the address, with the order's age of now."""
        known = self._devices.get(address, _Device())
        order = known.order
        if order is not None:
            age = self.clock() - order.placed_at
            order = replace(order, age_s=age.days * 86_400 + age.seconds)
        return DeviceView(
            _ref(address),
            address not in self.strangers,
            known.access,
            order,
            suspended=known.suspended,
            contested=known.contested,
            put_out_by=known.put_out_by,
        )

    async def sign_in(self, address: str) -> bool:
        """Give the access that `granted` promised, if any."""
        device = self._device(address)
        if device.access is None and device.grant is not None:
            device.access, device.grant = device.grant, None
        return device.access is not None

    async def order(
        self, address: str, *, plan_id: str, phone: str, rail: str = ""
    ) -> str | Refusal:
        """Note the order; nobody is charged."""
        if address in self.strangers:
            return Refusal.DEVICE_UNKNOWN
        device = self._device(address)
        offer = next((o for o in self.for_sale if o.plan_id == plan_id), None)
        if offer is None:
            return Refusal.PLAN_UNKNOWN
        try:
            msisdn = parse_msisdn(phone or device.msisdn)
        except InvalidField:
            return Refusal.PHONE_INVALID
        before = device.order.rail if device.order and device.msisdn == msisdn else ""
        try:
            asked = wallet_of(msisdn, among=self.site_face.rails, chosen=rail, before=before)
        except InvalidField:
            return Refusal.WALLET_UNKNOWN
        if device.order is not None and device.order.stage in OPEN_STAGES:
            kept = (device.order.offer.plan_id, device.msisdn, device.order.rail)
            same = kept == (plan_id, msisdn, asked)
            return device.order.order_id if same else Refusal.ORDER_OPEN
        device.msisdn = msisdn
        device.order = OrderView(
            order_id=self.new_id(),
            offer=offer,
            msisdn_masked=masked(msisdn),
            stage=self.stage_when_placed,
            reason=None,
            placed_at=self.clock(),
            age_s=0,
            rail=asked,
        )
        return device.order.order_id

    async def redeem(self, address: str, *, code: str, phone: str = "") -> Refusal | None:
        """Redeem one of the codes that `voucher` or `shared` made known."""
        if address in self.strangers:
            return Refusal.DEVICE_UNKNOWN
        if phone:
            return self._by_phone(address, code, phone)
        wanted = _normal(code)
        share = self._shares.get(wanted)
        if share is not None:
            return self._admitted(address, share)
        token = len(wanted) == TOKEN_LENGTH
        unknown = Refusal.TOKEN_INVALID if token else Refusal.VOUCHER_INVALID
        found = self._vouchers.get(wanted, unknown)
        if isinstance(found, Refusal):
            return found
        self._vouchers[wanted] = Refusal.VOUCHER_USED
        self._device(address).grant = found
        return None

    async def send_code(self, address: str, *, phone: str) -> Refusal | None:
        """Note that the number was sent `SENT_CODE`."""
        if address in self.strangers:
            return Refusal.DEVICE_UNKNOWN
        try:
            msisdn = parse_msisdn(phone)
        except InvalidField:
            return Refusal.PHONE_INVALID
        if not self.link:
            return Refusal.OFFLINE
        self._codes_sent.add(msisdn)
        return None

    def link_up(self) -> bool:
        """As it was set."""
        return self.link

    def opened(self, address: str) -> None:
        """Whoever opens the portal has a browser."""
        self._screenless.pop(address, None)

    def badge(self, address: str) -> str | None:
        """A badge that says the package and the address; only this gate's own are believed."""
        device = self._device(address)
        if device.share is None or address not in device.share.members:
            return None
        return f"{device.share.name}.{address.replace('.', '-')}"

    async def come_back(self, address: str, *, badge: str) -> Welcome:
        """Give the address the place of the one that the badge names, if that is silent."""
        share, old = self._badged(badge)
        old = share.formerly.get(old, old) if share is not None else old
        if share is None or address in self.strangers:
            return Welcome.STRANGER
        if old != address and share.quiet_s.get(old, 0) >= OWN_GHOST_S and old in share.members:
            self._leave(share, old)
        if self._admitted(address, share) is not None:
            return Welcome.FULL
        return Welcome.IN

    def places(self, address: str, *, badge: str = "") -> PlacesView | None:
        """The members of the package that the address uses or has proved its right to."""
        share = self._device(address).share or self._badged(badge)[0]
        if share is None:
            return None
        places = tuple(
            PlaceView(_ref(one), one == address, one in share.companions, share.quiet_s.get(one, 0))
            for one in share.members
        )
        return PlacesView(share.access.plan_name, share.access.devices_max, places)

    async def move(self, address: str, *, device_ref: str, badge: str = "") -> Refusal | None:
        """Put one member out and the address in."""
        share = self._device(address).share or self._badged(badge)[0]
        if share is None:
            return Refusal.NOT_PROVED
        old = next((one for one in share.members if _ref(one) == device_ref), None)
        if old is None or address in share.members:
            return Refusal.DEVICE_GONE
        if share.moves >= MOVES_MAX:
            return Refusal.MOVED_OFTEN
        share.moves += 1
        self._leave(share, old)
        self._device(old).put_out_by = _ref(address)
        return self._admitted(address, share)

    def screenless(self, address: str) -> Sequence[ScreenlessView] | Refusal:
        """What `nearby` told of, and nobody has opened the portal from since."""
        device = self._device(address)
        if device.share is None or address not in device.share.members:
            return Refusal.NOT_PROVED
        return [
            ScreenlessView(_ref(one), f"{index:02X}:{index:02X}")
            for index, one in enumerate(self._screenless, 0xA1)
            if one not in device.share.members
        ]

    async def connect(self, address: str, *, device_ref: str) -> Refusal | None:
        """Let a device that `nearby` told of in."""
        share = self._device(address).share
        if share is None or address not in share.members:
            return Refusal.NOT_PROVED
        found = next((one for one in self._screenless if _ref(one) == device_ref), None)
        if found is None:
            return Refusal.DEVICE_GONE
        if len(share.members) >= share.access.devices_max:
            self._leave(share, address)
        share.companions.add(found)
        refusal = self._admitted(found, share)
        await self.sign_in(found)
        return refusal

    async def release(self, address: str, *, device_ref: str) -> Refusal | None:
        """Put a companion out."""
        share = self._device(address).share
        if share is None or address not in share.members:
            return Refusal.NOT_PROVED
        found = next((one for one in share.companions if _ref(one) == device_ref), None)
        if found is None:
            return Refusal.DEVICE_GONE
        share.companions.discard(found)
        self._leave(share, found)
        return None

    def moved_to(self, address: str, stage: OrderStage, reason: Reason | None = None) -> None:
        """The controller said where the order of ``address`` stands."""
        device = self._device(address)
        assert device.order is not None
        device.order = replace(device.order, stage=stage, reason=reason)

    def went_online(self, address: str, access: AccessView | None) -> None:
        """The kernel lets ``address`` pass, or with None no longer."""
        self._device(address).access = access

    def granted(self, address: str, access: AccessView) -> None:
        """``address`` has a grant that is still good, but is not online."""
        self._device(address).grant = access

    def voucher(self, code: str, answer: AccessView | Refusal) -> None:
        """What ``code`` gives, or why it is refused."""
        self._vouchers[_normal(code)] = answer

    def shared(self, code: str, access: AccessView, *members: str, payer: str = "") -> None:
        """``code``, or the phone that paid, proves the right to a package in use on ``members``."""
        share = _Share(_normal(code).lower(), access, [], {})
        self._shares[_normal(code)] = share
        if payer:
            self._shares[parse_msisdn(payer)] = share
        for one in members:
            self._admitted(one, share)
            self._device(one).access, self._device(one).grant = access, None

    def fell_silent(self, code: str, seconds: int, *, but: Sequence[str] = ()) -> None:
        """Nothing was heard for so long of the members of a package, other than these."""
        share = self._shares[_normal(code)]
        share.quiet_s = {one: 0 if one in but else seconds for one in share.members}

    def changed_address(self, old: str, new: str) -> None:
        """What the site knew as ``old`` is now at ``new``, and ``old`` is a stranger's."""
        device = self._devices.pop(old)
        self._devices[new] = device
        if device.share is not None:
            device.share.members[device.share.members.index(old)] = new
            device.share.formerly[old] = new

    def ended(self, code: str) -> None:
        """The package is over."""
        share = self._shares.pop(_normal(code))
        self._shares = {key: one for key, one in self._shares.items() if one is not share}
        for one in tuple(share.members):
            self._leave(share, one)

    def nearby(self, address: str) -> None:
        """A captive device without a browser is on the LAN."""
        self._screenless[address] = None

    def suspended(self, address: str) -> None:
        """Staff have stopped what the address may use."""
        self._device(address).suspended = True

    def contested(self, address: str) -> None:
        """Another device uses the same network address."""
        self._device(address).contested = True

    def _by_phone(self, address: str, code: str, phone: str) -> Refusal | None:
        try:
            msisdn = parse_msisdn(phone)
        except InvalidField:
            return Refusal.PHONE_INVALID
        if not self.link:
            return Refusal.OFFLINE
        share = self._shares.get(msisdn)
        if share is None or code != SENT_CODE or msisdn not in self._codes_sent:
            return Refusal.CODE_WRONG
        return self._admitted(address, share)

    def _admitted(self, address: str, share: _Share) -> Refusal | None:
        device = self._device(address)
        device.share = share
        if address in share.members:
            return None
        if len(share.members) >= share.access.devices_max:
            ghost = next(
                (one for one in share.members if share.quiet_s.get(one, 0) >= GHOST_S), None
            )
            if ghost is None:
                return Refusal.DEVICES_FULL
            self._leave(share, ghost)
        share.members.append(address)
        device.grant, device.put_out_by = share.access, ""
        return None

    def _leave(self, share: _Share, address: str) -> None:
        share.members.remove(address)
        device = self._device(address)
        device.access = device.grant = device.share = None

    def _badged(self, badge: str) -> tuple[_Share | None, str]:
        name, _, old = badge.partition(".")
        share = next((one for one in self._shares.values() if one.name == name), None)
        return share, old.replace("-", ".")

    def _device(self, address: str) -> _Device:
        return self._devices.setdefault(address, _Device())


def _normal(code: str) -> str:
    """The code in its normal form; "" for what is none."""
    for parse in (parse_token, parse_code, parse_receipt):
        try:
            return parse(code)
        except InvalidField:
            continue
    return ""


def _ref(address: str) -> str:
    """Six characters that stand for the address, the same every time."""
    letters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
    number = sum(ord(c) * 131**i for i, c in enumerate(address))
    return "".join(letters[number // 31**i % 31] for i in range(6))
