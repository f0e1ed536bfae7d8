"""Reconnecting by the phone that paid: a short code by SMS. The controller alone can do this."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from agent.seldom import Seldom
from agent.uplink.seam import UplinkError
from billing.errors import InvalidField
from billing.ids import RedemptionId
from billing.msisdn import parse_msisdn, parse_phone_code
from portal.captive.gate import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.codes import Codes
    from agent.loop import Loop
    from agent.uplink.seam import Uplink
    from billing.msisdn import Msisdn, PhoneCode
    from shaping.plane import MacAddress

WINDOW_MS = 15 * 60_000
CODES_PER_DEVICE_MAX = 3
"""Codes that one device has sent in the window: each costs an SMS, and rings somebody."""

CODES_PER_SITE_MAX = 60


class Phones:
    """Codes sent to phones, and taken from those who typed them."""

    def __init__(
        self,
        *,
        loop: Loop,
        uplink: Uplink,
        link_up: Callable[[], bool],
        key: bytes,
        codes: Codes,
    ) -> None:
        self._loop = loop
        self._uplink = uplink
        self._link_up = link_up
        self._key = key
        self._codes = codes
        self._of_device = Seldom(CODES_PER_DEVICE_MAX, WINDOW_MS)
        self._of_site = Seldom(CODES_PER_SITE_MAX, WINDOW_MS)

    async def send(self, mac: MacAddress, phone: str) -> Refusal | None:
        """As `portal.captive.gate.Gate.send_code`, for a device that is known."""
        try:
            msisdn = parse_msisdn(phone)
        except InvalidField:
            return Refusal.PHONE_INVALID
        if not self._link_up():
            return Refusal.OFFLINE
        mono = self._loop.now().mono
        if self._of_site.spent("site", mono) or not self._of_device.taken(mac, mono):
            return Refusal.TOO_MANY_TRIES
        self._of_site.note("site", mono)
        try:
            return await self._uplink.send_code(msisdn, mac)
        except UplinkError:
            return Refusal.OFFLINE

    async def redeem(
        self, mac: MacAddress, address: str, *, code: str, phone: str
    ) -> Refusal | None:
        """As `portal.captive.gate.Gate.redeem` with a phone, for a device that is known."""
        try:
            msisdn = parse_msisdn(phone)
        except InvalidField:
            return Refusal.PHONE_INVALID
        try:
            digits = parse_phone_code(code)
        except InvalidField:
            return Refusal.CODE_WRONG
        # Invariant: the same device, number and code make the same redemption, however often sent.
        said = f"redeem {mac} {msisdn} {digits}".encode()
        redemption_id = RedemptionId(blake2b(said, key=self._key, digest_size=16).hexdigest())
        ask = partial(self._ask, redemption_id, digits, mac, msisdn)
        return await self._codes.counted(mac, address, ask)

    async def _ask(
        self, redemption_id: RedemptionId, digits: PhoneCode, mac: MacAddress, msisdn: Msisdn
    ) -> Refusal | None:
        try:
            answer = await self._uplink.redeem(redemption_id, digits, mac, msisdn)
        except UplinkError:
            return Refusal.OFFLINE
        return await self._codes.settled(mac, answer)
