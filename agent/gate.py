"""The portal's `Gate` over the loop: what a device sees of the site, and what it may ask for."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from agent import daytime, grants, orders, tries
from agent.codes import Codes
from agent.companions import Companions
from agent.devices import contested
from agent.loop import NotKept
from agent.model import Asked, Ordered, Sighted, Try, TryKind
from agent.phones import Phones
from agent.returning import Returning
from billing.errors import InvalidField
from billing.ids import OrderId, PlanId
from billing.msisdn import masked, parse_msisdn, wallet_of
from billing.voucher import ALPHABET
from portal.captive.gate import AccessView, DeviceView, OrderView, Refusal, SiteFace, Welcome
from portal.captive.screens import announced
from shaping.plane import MacAddress, Neighbour, SessionKey, Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor
    from ipaddress import IPv4Address

    from agent.loop import Loop
    from agent.model import GrantUse, Instant, OrderNote, Session
    from agent.uplink.seam import Uplink
    from billing.msisdn import Msisdn
    from portal.captive.gate import Offer, PlacesView, ScreenlessView

REF_LENGTH = 6
NOBODY = SiteFace(operator_name="Lango", site_name="", help_phone="", language="en")
"""How a site presents itself before the controller has ever told it."""


class SiteGate:
    """The site, as its portal sees it. ``resolve`` asks the box for the MAC behind an address.

    ``link_up`` tells whether the controller answers, ``cut_off`` whether it has not for long;
    ``slow`` is as `agent.codes.Codes` wants it.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        uplink: Uplink,
        resolve: Callable[[IPv4Address | IPv6Address], MacAddress | None],
        secret: str,
        link_up: Callable[[], bool] = lambda: True,
        cut_off: Callable[[], bool] = lambda: False,
        slow: Executor | None = None,
    ) -> None:
        self._loop = loop
        self._resolve = resolve
        self._key = secret.encode()
        self._link_up = link_up
        self._cut_off = cut_off
        self.returning = Returning(loop=loop, key=self._key, ref=self._ref)
        self._codes = Codes(
            loop=loop,
            uplink=uplink,
            secret=secret,
            link_up=link_up,
            returning=self.returning,
            slow=slow,
        )
        self._phones = Phones(
            loop=loop, uplink=uplink, link_up=link_up, key=self._key, codes=self._codes
        )
        self._companions = Companions(loop=loop, returning=self.returning, ref=self._ref)

    def face(self) -> SiteFace:
        """As `portal.captive.gate.Gate.face`."""
        state, now = self._loop.state, self._loop.now()
        knows_the_time = daytime.minute(now, state.asleep_since) is not None
        return replace(
            state.face or NOBODY,
            logo=state.logo.name,
            works=announced(state.works.works, now.wall) if knows_the_time else (),
            cut_off=self._cut_off(),
        )

    def logo(self) -> bytes:
        """As `portal.captive.gate.Gate.logo`."""
        return self._loop.state.logo.png

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
            suspended=any(use.suspended for use in self._uses(mac)),
            contested=self._contested(mac, now),
            put_out_by="" if access is not None else self.returning.put_out_by(mac),
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

    async def order(
        self, address: str, *, plan_id: str, phone: str, rail: str = ""
    ) -> str | Refusal:
        """As `portal.captive.gate.Gate.order`."""
        mac = self._mac(_parsed(address))
        if mac is None:
            return Refusal.DEVICE_UNKNOWN
        listing = self._loop.state.offers.get(PlanId(plan_id))
        if listing is None:
            return Refusal.PLAN_UNKNOWN
        last = orders.latest(self._loop.state.orders.values(), mac, self._loop.now())
        try:
            # "Send again" types no number: it stands for that of the device's last order.
            msisdn = parse_msisdn(phone or ("" if last is None else last.msisdn))
        except InvalidField:
            return Refusal.PHONE_INVALID
        before = last.rail if last is not None and last.msisdn == msisdn else ""
        try:
            asked = wallet_of(msisdn, among=self.face().rails, chosen=rail, before=before)
        except InvalidField:
            return Refusal.WALLET_UNKNOWN
        return await self._place(mac, listing.offer, msisdn, asked)

    async def _place(
        self, mac: MacAddress, offer: Offer, msisdn: Msisdn, rail: str
    ) -> str | Refusal:
        now = self._loop.now()
        before = orders.blocking(self._loop.state.orders.values(), mac, now)
        if before is None:
            attempt = Try(TryKind.ORDER, mac, msisdn, now.mono)
            if tries.too_many(self._loop.state.tries.values(), attempt):
                return Refusal.TOO_MANY_TRIES
            order_id = OrderId(secrets.token_hex(16))
            try:
                await self._loop.kept(Ordered(order_id, offer, msisdn, mac, rail))
            except NotKept:
                return Refusal.NOT_NOW
            if order_id in self._loop.state.orders:
                return order_id
            before = orders.blocking(self._loop.state.orders.values(), mac, now)
        if before is None:  # others were quicker, and together they were too many
            return Refusal.TOO_MANY_TRIES
        kept = (before.offer.plan_id, before.msisdn, before.rail)
        same = kept == (offer.plan_id, msisdn, rail)
        return before.order_id if same else Refusal.ORDER_OPEN

    async def redeem(self, address: str, *, code: str, phone: str = "") -> Refusal | None:
        """As `portal.captive.gate.Gate.redeem`."""
        asked = _parsed(address)
        mac = self._mac(asked)
        if mac is None:
            return Refusal.DEVICE_UNKNOWN
        if phone:
            return await self._phones.redeem(mac, str(asked), code=code, phone=phone)
        return await self._codes.redeem(mac, str(asked), code)

    async def send_code(self, address: str, *, phone: str) -> Refusal | None:
        """As `portal.captive.gate.Gate.send_code`."""
        mac = self._mac(_parsed(address))
        if mac is None:
            return Refusal.DEVICE_UNKNOWN
        return await self._phones.send(mac, phone)

    def link_up(self) -> bool:
        """As `portal.captive.gate.Gate.link_up`."""
        return self._link_up()

    def opened(self, address: str) -> None:
        """As `portal.captive.gate.Gate.opened`."""
        mac = self._mac(_parsed(address))
        if mac is not None:
            self._companions.opened(mac)

    def badge(self, address: str) -> str | None:
        """As `portal.captive.gate.Gate.badge`."""
        mac = self._mac(_parsed(address))
        return None if mac is None else self.returning.badge(mac)

    async def come_back(self, address: str, *, badge: str) -> Welcome:
        """As `portal.captive.gate.Gate.come_back`."""
        mac = self._mac(_parsed(address))
        return Welcome.STRANGER if mac is None else await self.returning.come_back(mac, badge)

    def places(self, address: str, *, badge: str = "") -> PlacesView | None:
        """As `portal.captive.gate.Gate.places`."""
        mac = self._mac(_parsed(address))
        return None if mac is None else self.returning.places(mac, badge)

    async def move(self, address: str, *, device_ref: str, badge: str = "") -> Refusal | None:
        """As `portal.captive.gate.Gate.move`."""
        mac = self._mac(_parsed(address))
        if mac is None:
            return Refusal.DEVICE_UNKNOWN
        return await self.returning.move(mac, device_ref, badge)

    def screenless(self, address: str) -> Sequence[ScreenlessView] | Refusal:
        """As `portal.captive.gate.Gate.screenless`."""
        mac = self._mac(_parsed(address))
        return Refusal.DEVICE_UNKNOWN if mac is None else self._companions.nearby(mac)

    async def connect(self, address: str, *, device_ref: str) -> Refusal | None:
        """As `portal.captive.gate.Gate.connect`."""
        mac = self._mac(_parsed(address))
        if mac is None:
            return Refusal.DEVICE_UNKNOWN
        return await self._companions.connect(mac, device_ref)

    async def release(self, address: str, *, device_ref: str) -> Refusal | None:
        """As `portal.captive.gate.Gate.release`."""
        mac = self._mac(_parsed(address))
        if mac is None:
            return Refusal.DEVICE_UNKNOWN
        return await self._companions.release(mac, device_ref)

    def _contested(self, mac: MacAddress, now: Instant) -> bool:
        device = self._loop.state.devices.get(mac)
        return device is not None and contested(device, now.mono)

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
        if session is None or SessionKey(session.id) in self._loop.unreached:
            return False
        return address == session.ipv4 or address in session.ipv6

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
        left = grants.unspent(use, siblings, now.mono)
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
        rail=note.rail,
    )


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
