"""Who is on the LAN, as the box sees it: told to the loop, and remembered for the portal."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential

from agent import log
from agent.model import Sighted
from shaping.plane import MacAddress, PlaneError, Sight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from ipaddress import IPv6Address

    from agent.clock import Clock
    from agent.loop import Loop
    from shaping.plane import Neighbour

KNOWN_MAX = 65_536
"""Addresses remembered; beyond it the one known longest is forgotten."""

FOLLOW_RETRY_MAX_S = 10
LOOPBACK = IPv4Network("127.0.0.0/24")


class Lan:
    """The LAN of a real box. ``follow`` gives every neighbour now and later.

    ``missed`` is called when somebody is asked for whom nobody knows.
    """

    def __init__(
        self,
        follow: Callable[[], AsyncIterator[Neighbour]],
        clock: Clock,
        *,
        missed: Callable[[], None] = lambda: None,
    ) -> None:
        self._follow = follow
        self._missed = missed
        self._clock = clock
        self._macs: dict[IPv4Address | IPv6Address, MacAddress] = {}

    def resolve(self, address: IPv4Address | IPv6Address) -> MacAddress | None:
        """Which device has the address."""
        found = self._macs.get(address)
        if found is None:
            self._missed()
        return found

    async def watch(self, loop: Loop) -> None:
        """Tell the loop every sighting, for ever; an interface that is not there is waited for."""
        async for attempt in AsyncRetrying(
            wait=wait_exponential(max=FOLLOW_RETRY_MAX_S),
            retry=retry_if_exception_type(PlaneError),
            sleep=self._clock.sleep,
        ):
            with attempt:
                try:
                    async for neighbour in self._follow():
                        self._remember(neighbour)
                        await loop.tell(Sighted(neighbour))
                except PlaneError as error:
                    if attempt.retry_state.attempt_number == 1:
                        log.error("trouble", part="neighbours", error=str(error))
                    raise

    def _remember(self, neighbour: Neighbour) -> None:
        if neighbour.address is None:
            return
        known = self._macs.pop(neighbour.address, None)
        if neighbour.sight is not Sight.GONE:
            self._macs[neighbour.address] = neighbour.mac
        elif known not in {None, neighbour.mac}:
            self._macs[neighbour.address] = MacAddress(known or "")
        if len(self._macs) > KNOWN_MAX:
            del self._macs[next(iter(self._macs))]


class LoopbackLan:
    """A pretended LAN for the memory plane: 127.0.0.x is the device 02:00:7f:00:00:xx."""

    def resolve(self, address: IPv4Address | IPv6Address) -> MacAddress | None:
        """Which pretended device has the address; None for addresses off 127.0.0.0/24."""
        if not isinstance(address, IPv4Address) or address not in LOOPBACK:
            return None
        return MacAddress(f"02:00:{address.packed.hex(':')}")

    async def watch(self, loop: Loop) -> None:
        """Nobody is seen before asking at the portal."""
