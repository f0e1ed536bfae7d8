"""The portal's `Gate` over the loop: what a device sees of the site, and what it may ask for."""

from __future__ import annotations

import secrets
from collections import deque
from datetime import timedelta
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from agent import grants, orders
from agent.loop import NotKept
from agent.model import Asked, Ordered, Sighted
from agent.uplink.seam import UplinkError
from billing.errors import InvalidField
from billing.ids import OrderId, PlanId, RedemptionId
from billing.msisdn import masked, parse_msisdn
from billing.receipt import parse_receipt
from billing.voucher import ALPHABET, parse_code
from portal.captive.gate import AccessView, DeviceView, OrderView, Refusal, SiteFace
from shaping.plane import MacAddress, Neighbour, Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ipaddress import IPv4Address

    from agent.loop import Loop
    from agent.model import GrantUse, Instant, OrderNote, Session
    from agent.uplink.seam import Uplink
    from billing.msisdn import Msisdn
    from billing.receipt import Receipt
    from billing.voucher import VoucherCode
    from portal.captive.gate import Offer
    from shaping.plane import MonotonicMs

WINDOW_MS = 15 * 60_000
"""Tries are counted over this long."""

VOUCHER_TRIES_MAX = 5
"""Wrong voucher codes of one device in the window."""

SITE_VOUCHER_TRIES_MAX = 60
"""Wrong voucher codes of the whole site in the window: MAC addresses cost a guesser nothing."""

ORDERS_MAX = 10
"""Orders of one device in the window: each rings somebody's phone."""

TRIERS_KEPT_MAX = 10_000
REF_LENGTH = 6
NOBODY = SiteFace(operator_name="Lango", site_name="", help_phone="", language="en")
"""How a site presents itself before the controller has ever told it."""

SITE = MacAddress("")
"""Stands for the whole site where tries are counted by device."""


class Tries:
    """How often each device tried something within the last 15 minutes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[MacAddress, deque[int]] = {}

    def spent(self, mac: MacAddress, mono: MonotonicMs) -> bool:
        """Whether no further try is allowed now."""
        times = self._seen.get(mac)
        while times and mono - times[0] >= WINDOW_MS:
            times.popleft()
        return times is not None and len(times) >= self._most

    def note(self, mac: MacAddress, mono: MonotonicMs) -> None:
        """Count one try. Beyond the bound of devices remembered, the oldest are forgotten."""
        if mac not in self._seen and len(self._seen) >= TRIERS_KEPT_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen.setdefault(mac, deque(maxlen=self._most)).append(mono)


class SiteGate:
    """The site, as its portal sees it. ``resolve`` asks the box for the MAC behind an address."""

    def __init__(
        self,
        *,
        loop: Loop,
        uplink: Uplink,
        resolve: Callable[[IPv4Address | IPv6Address], MacAddress | None],
        secret: str,
    ) -> None:
        self._loop = loop
        self._uplink = uplink
        self._resolve = resolve
        self._key = secret.encode()
        self._voucher_tries = Tries(VOUCHER_TRIES_MAX)
        self._site_tries = Tries(SITE_VOUCHER_TRIES_MAX)
        self._order_tries = Tries(ORDERS_MAX)

    def face(self) -> SiteFace:
        """As `portal.captive.gate.Gate.face`."""
        return self._loop.state.face or NOBODY

    def offers(self) -> Sequence[Offer]:
        """As `portal.captive.gate.Gate.offers`."""
        listings = self._loop.state.offers.values()
        ordered = sorted(listings, key=lambda one: (one.rank, one.offer.price.minor))
        return [listing.offer for listing in ordered]

    def device(self, address: str) -> DeviceView:
        """As `portal.captive.gate.Gate.device`."""
        mac = self._mac(_parsed(address))
        if mac is None:
            return DeviceView(device_ref="", device_known=False, access=None, order=None)
        now = self._loop.now()
        session = self._session(mac)
        access = None if session is None else self._access(session, now)
        note = orders.latest(self._loop.state.orders.values(), mac, now)
        return DeviceView(
            device_ref=self._ref(mac),
            device_known=True,
            access=access,
            order=None if note is None else _order_view(note, now),
        )

    async def sign_in(self, address: str) -> bool:
        """As `portal.captive.gate.Gate.sign_in`."""
        asked = _parsed(address)
        mac = self._mac(asked)
        if mac is None or asked is None:
            return False
        if self._online(mac, asked):
            return True
        if mac not in self._loop.state.index.entitled:
            return False
        await self._loop.tell(Sighted(Neighbour(Sight.SEEN, mac, asked)))
        return await self._loop.done(Asked(mac, asked)) and self._online(mac, asked)

    async def order(self, address: str, *, plan_id: str, phone: str) -> str | Refusal:
        """As `portal.captive.gate.Gate.order`."""
        mac = self._mac(_parsed(address))
        if mac is None:
            return Refusal.DEVICE_UNKNOWN
        listing = self._loop.state.offers.get(PlanId(plan_id))
        if listing is None:
            return Refusal.PLAN_UNKNOWN
        try:
            msisdn = parse_msisdn(phone or self._last_number(mac))
        except InvalidField:
            return Refusal.PHONE_INVALID
        return await self._place(mac, listing.offer, msisdn)

    def _last_number(self, mac: MacAddress) -> str:
        """The number of the device's last order, which "send again" stands for; or nothing."""
        note = orders.latest(self._loop.state.orders.values(), mac, self._loop.now())
        return "" if note is None else note.msisdn

    async def _place(self, mac: MacAddress, offer: Offer, msisdn: Msisdn) -> str | Refusal:
        now = self._loop.now()
        before = orders.blocking(self._loop.state.orders.values(), mac, now)
        if before is None:
            if self._order_tries.spent(mac, now.mono):
                return Refusal.TOO_MANY_TRIES
            self._order_tries.note(mac, now.mono)
            order_id = OrderId(secrets.token_hex(16))
            try:
                await self._loop.kept(Ordered(order_id, offer, msisdn, mac))
            except NotKept:
                return Refusal.NOT_NOW
            if order_id in self._loop.state.orders:
                return order_id
            before = orders.blocking(self._loop.state.orders.values(), mac, now)
        if before is not None and (before.offer.plan_id, before.msisdn) == (offer.plan_id, msisdn):
            return before.order_id
        return Refusal.ORDER_OPEN

    async def redeem(self, address: str, *, code: str) -> Refusal | None:
        """As `portal.captive.gate.Gate.redeem`."""
        mac = self._mac(_parsed(address))
        if mac is None:
            return Refusal.DEVICE_UNKNOWN
        mono = self._loop.now().mono
        if self._voucher_tries.spent(mac, mono) or self._site_tries.spent(SITE, mono):
            return Refusal.TOO_MANY_TRIES
        refusal = await self._redeem(mac, code)
        if refusal in {Refusal.VOUCHER_INVALID, Refusal.VOUCHER_USED}:
            self._voucher_tries.note(mac, mono)
            self._site_tries.note(SITE, mono)
        return refusal

    async def _redeem(self, mac: MacAddress, text: str) -> Refusal | None:
        code = _code(text)
        if code is None:
            return Refusal.VOUCHER_INVALID
        # Invariant: the same device and code make the same redemption, also after a crash between
        # sending and hearing; so nothing needs to be journalled before it is sent.
        redemption_id = RedemptionId(self._hash(f"redeem {mac} {code}", 16).hex())
        if self._used_up(mac, redemption_id):
            return Refusal.VOUCHER_USED
        try:
            return await self._uplink.redeem(redemption_id, code, mac)
        except UplinkError:
            return Refusal.OFFLINE

    def _used_up(self, mac: MacAddress, cause_id: str) -> bool:
        mono = self._loop.now().mono
        return any(
            use.cause_id == cause_id and grants.ended(use, self._siblings(use), mono) is not None
            for use in self._uses(mac)
        )

    def _mac(self, address: IPv4Address | IPv6Address | None) -> MacAddress | None:
        if address is None:
            return None
        state = self._loop.state
        owner = state.index.owners.get(address)
        if owner is not None:
            return state.sessions[owner].mac
        mac = state.index.holders.get(address)
        if mac is None:
            mac = self._resolve(address)
            if mac is not None:
                self._loop.hint(Sighted(Neighbour(Sight.SEEN, mac, address)))
        return mac

    def _session(self, mac: MacAddress) -> Session | None:
        state = self._loop.state
        key = state.index.by_mac.get(mac)
        session = None if key is None else state.sessions[key]
        return None if session is None or session.closed is not None else session

    def _online(self, mac: MacAddress, address: IPv4Address | IPv6Address) -> bool:
        session = self._session(mac)
        return session is not None and (address == session.ipv4 or address in session.ipv6)

    def _uses(self, mac: MacAddress) -> list[GrantUse]:
        state = self._loop.state
        return [state.grants[key] for key in state.index.entitled.get(mac, ())]

    def _siblings(self, use: GrantUse) -> list[Session]:
        state = self._loop.state
        return [state.sessions[key] for key in state.index.by_grant.get(use.grant.id, ())]

    def _access(self, session: Session, now: Instant) -> AccessView | None:
        use = self._loop.state.grants[session.grant_id]
        siblings = self._siblings(use)
        if grants.ended(use, siblings, now.mono) is not None:
            return None
        left = grants.remaining(use, siblings, now.mono)
        volume = sum((one.meter.usage for one in siblings), start=use.past)
        until = None
        if use.grant.limits.validity_s is not None and left.seconds is not None:
            until = now.wall + timedelta(seconds=left.seconds)
        return AccessView(
            plan_name=use.grant.plan_name,
            seconds_left=left.seconds,
            until=until,
            bytes_left=left.bytes,
            down_bytes=volume.down_bytes,
            up_bytes=volume.up_bytes,
            devices_used=len(siblings),
            devices_max=use.grant.limits.devices_max,
        )

    def _ref(self, mac: MacAddress) -> str:
        number = int.from_bytes(self._hash(f"device {mac}", 8))
        letters = []
        for _ in range(REF_LENGTH):
            number, letter = divmod(number, len(ALPHABET))
            letters.append(ALPHABET[letter])
        return "".join(letters)

    def _hash(self, text: str, size: int) -> bytes:
        return blake2b(text.encode(), key=self._key, digest_size=size).digest()


def _order_view(note: OrderNote, now: Instant) -> OrderView:
    return OrderView(
        order_id=note.order_id,
        offer=note.offer,
        msisdn_masked=masked(note.msisdn),
        stage=note.stage,
        reason=note.reason,
        placed_at=note.placed_at.wall,
        age_s=orders.age_ms(note, now) // 1000,
    )


def _code(text: str) -> VoucherCode | Receipt | None:
    """The voucher or the receipt in what a customer typed or pasted."""
    for parse in (parse_code, parse_receipt):
        try:
            return parse(text)
        except InvalidField:
            pass
    return None


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
