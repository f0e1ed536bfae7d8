"""Every `Gate` there is, with a world around it that a test plays by the same few words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Protocol

from agent.courier import Courier
from agent.gate import SiteGate
from agent.journal import Journal
from agent.loop import Loop
from agent.model import Sighted
from agent.uplink.memory import MemoryController, MemoryUplink, grant_item, plan_item, site_item
from billing.ids import GrantId, OrderId
from billing.msisdn import parse_msisdn
from billing.payment import OrderStage
from billing.plan import Limits
from billing.receipt import parse_receipt
from billing.voucher import parse_code
from portal.captive.memory_gate import MemoryGate
from shaping.memory import MemoryPlane
from shaping.plane import MacAddress, Neighbour, Sight
from tests.support.portal import LADDER, SetClock, a_face, an_access
from tests.support.steered import AtOnce, SteeredClock, settle

if TYPE_CHECKING:
    from pathlib import Path

    from billing.payment import Reason
    from portal.captive.gate import Gate, SiteFace

STRANGER = "10.77.0.99"
CODE = "7KQM-2XWD-9FTR"
RECEIPT = "SGH7K2Q0XD"
PAYER = "0712345678"


class World(Protocol):
    """A gate and what happens around it. Packages are for an hour."""

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...

    async def refused(self, address: str, reason: Reason) -> None:
        """The payer of the address's order said no."""
        ...

    async def granted(self, address: str) -> None:
        """The address has a grant that it does not use yet."""
        ...

    async def shared(self, *addresses: str, devices_max: int) -> None:
        """The addresses use one grant, which RECEIPT or PAYER's phone proves the right to."""
        ...

    async def quiet(self, seconds: int, *, but: tuple[str, ...] = ()) -> None:
        """Time passes, and nothing is heard but of these."""
        ...

    async def ended(self) -> None:
        """The shared grant is over."""
        ...

    async def nearby(self, address: str) -> None:
        """A device without a browser is on the LAN."""
        ...

    async def cut(self) -> None:
        """The link to the controller is down."""
        ...

    async def elapse(self) -> None:
        """What was begun comes to its end."""
        ...


@dataclass
class MemoryWorld:
    """Around the shipped fake."""

    face: SiteFace = field(default_factory=a_face)
    gate: MemoryGate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = MemoryGate(self.face, LADDER, SetClock(), strangers={STRANGER})
        self.gate.voucher(CODE, an_access())

    async def refused(self, address: str, reason: Reason) -> None:
        self.gate.moved_to(address, OrderStage.REFUSED, reason)

    async def granted(self, address: str) -> None:
        self.gate.granted(address, an_access())

    async def shared(self, *addresses: str, devices_max: int) -> None:
        self.gate.shared(RECEIPT, an_access(devices_max=devices_max), *addresses, payer=PAYER)

    async def quiet(self, seconds: int, *, but: tuple[str, ...] = ()) -> None:
        self.gate.fell_silent(RECEIPT, seconds, but=but)

    async def ended(self) -> None:
        self.gate.ended(RECEIPT)

    async def nearby(self, address: str) -> None:
        self.gate.nearby(address)

    async def cut(self) -> None:
        self.gate.link = False

    async def elapse(self) -> None:
        """Nothing takes time here."""


class SiteWorld:
    """Around a whole agent on the memory plane and the memory uplink, with steered time."""

    def __init__(
        self, folder: Path, *, journal: str = "journal.db", face: SiteFace | None = None
    ) -> None:
        self.clock = SteeredClock()
        self.controller = MemoryController()
        self.controller.put_item(*site_item(face or a_face()))
        for rank, offer in enumerate(LADDER):
            self.controller.put_item(*plan_item(offer, rank=rank))
        self.controller.vouchers[parse_code(CODE)] = None
        self.controller.gives[parse_code(CODE)] = an_hour(1)
        self.plane = MemoryPlane(now=lambda: self.clock.now().mono)
        self.uplink = MemoryUplink(self.controller)
        self.path = folder / journal
        self.moved: dict[str, int] = {}

    async def start(self) -> None:
        """Start, also after `stop`: from what the journal holds."""
        self.journal = Journal(self.path)
        self.loop = Loop(journal=self.journal, plane=self.plane, clock=self.clock, disk=AtOnce())
        self.courier = Courier(
            loop=self.loop, journal=self.journal, uplink=self.uplink, clock=self.clock
        )
        self.gate = SiteGate(
            loop=self.loop,
            uplink=self.uplink,
            resolve=mac_of,
            secret=self.journal.id,
            link_up=lambda: self.courier.link_up,
        )
        self.tasks = [
            asyncio.create_task(self.loop.run()),
            asyncio.create_task(self.courier.run()),
        ]
        await settle()
        await self.clock.advance(1)

    async def stop(self) -> None:
        """Stop; the plane stays as it is."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.journal.close()

    async def refused(self, address: str, reason: Reason) -> None:
        order = self.gate.device(address).order
        assert order is not None
        await self.clock.advance(3)
        self.controller.refuse(OrderId(order.order_id), reason)
        await self.clock.advance(5)

    async def granted(self, address: str) -> None:
        self.controller.put_item(
            *grant_item("granted", limits=an_hour(1), devices=[str(mac_of(ip_address(address)))])
        )
        await self.clock.advance(1)

    async def shared(self, *addresses: str, devices_max: int) -> None:
        for one in addresses:
            await self.seen(one)
        macs = [str(mac_of(ip_address(one))) for one in addresses]
        self.controller.bought |= {
            parse_receipt(RECEIPT): GrantId("shared"),
            parse_msisdn(PAYER): GrantId("shared"),
        }
        self.controller.put_item(
            *grant_item("shared", limits=an_hour(devices_max), devices=macs, plan_name="Day")
        )
        await self.clock.advance(1)

    async def quiet(self, seconds: int, *, but: tuple[str, ...] = ()) -> None:
        await self.clock.advance(seconds - 3)
        for one in but:
            self.passes(one)
        await self.clock.advance(3)

    async def ended(self) -> None:
        self.controller.drop_item("grant/shared")
        await self.clock.advance(2)

    async def nearby(self, address: str) -> None:
        await self.seen(address)

    async def cut(self) -> None:
        self.uplink.cut()
        await self.clock.advance(15)

    async def elapse(self) -> None:
        await self.clock.advance(1, step_ms=100)

    async def seen(self, address: str) -> None:
        """The LAN shows the device at the address."""
        mac = mac_of(ip_address(address))
        assert mac is not None
        await self.loop.kept(Sighted(Neighbour(Sight.SEEN, mac, ip_address(address))))

    def passes(self, address: str) -> bool:
        """Whether the plane lets a packet of the device pass, each way."""
        mac = mac_of(ip_address(address))
        assert mac is not None
        return self.plane.pass_bytes(ip_address(address), mac, down=1_000, up=100)


def mac_of(address: IPv4Address | IPv6Address) -> MacAddress | None:
    """Which device has an address: as on `agent.lan.LoopbackLan`, but for the stranger."""
    if isinstance(address, IPv6Address) or str(address) == STRANGER:
        return None
    return MacAddress(f"00:1a:{address.packed.hex(':')}")


def an_hour(devices_max: int) -> Limits:
    """What a shared grant allows."""
    return Limits(5_000_000, 2_000_000, 3_600, None, None, devices_max)
