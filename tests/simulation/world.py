"""An operator with its sites, its people, and what really happened among them."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from billing.ids import PlanId, SiteId
from billing.money import Money
from billing.plan import Limits, Plan
from controller.edge.authority import open_authority
from controller.store.migrations import upgrade
from controller.usecases.plans import add_plan
from controller.usecases.sites import NewSite, add_site
from controller.vault import open_vault
from portal.captive.gate import Refusal
from shaping.plane import MacAddress
from tests.simulation.office import Office
from tests.simulation.place import Place
from tests.simulation.virtual import START, virtual_loop

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from billing.metering import Volume
    from controller.payments.gateway import Push
    from shaping.plane import SessionKey

SITES = ("alpha", "beta")
DEVICES_PER_SITE = 4
PHONES = 9
PLANS: Mapping[str, Limits] = {
    "hour": Limits(4_000_000, 2_000_000, 500, None, None, 1),
    "data": Limits(4_000_000, 2_000_000, 86_400, None, 800_000, 2),
    "used": Limits(4_000_000, 2_000_000, None, 300, None, 1),
}
PRICE = Money(1_000)


@dataclass(slots=True)
class Passed:
    """Who passed under one session, when last, and how much when (true seconds).

    ``paused``: something passed while the agent knew that the grant was suspended.
    """

    place: Place
    macs: set[MacAddress]
    last_s: float
    log: list[tuple[float, int]] = field(default_factory=list)
    paused: bool = False


@dataclass(slots=True)
class World:
    """Everything. ``told`` is the story so far, a line an event."""

    folder: Path
    chance: random.Random
    office: Office
    places: list[Place]
    told: list[str] = field(default_factory=list)
    passed: dict[SessionKey, Passed] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Place] = field(default_factory=dict)
    accepted: list[tuple[str, Place, MacAddress]] = field(default_factory=list)
    pushes_seen: int = 0

    def tell(self, text: str) -> None:
        """Note something of the story."""
        now = asyncio.get_running_loop().time() - 1_000
        self.told.append(f"{now:10.3f}  {text}")

    def devices(self) -> list[tuple[Place, IPv4Address, MacAddress]]:
        """Every device, where it is."""
        return [(place, a, m) for place in self.places for a, m in place.devices.items()]

    def use(self, place: Place, address: IPv4Address, size: Volume) -> bool:
        """A device sends and receives, if it is let."""
        mac = place.devices[address]
        key = place.box.offer(address, mac, size)
        if key is None:
            return False
        now = asyncio.get_running_loop().time()
        known = self.passed.setdefault(key, Passed(place, set(), now))
        known.macs.add(mac)
        known.last_s = now
        known.log.append((now, size.total_bytes))
        known.paused |= place.paused(key)
        return True

    def new_pushes(self) -> list[Push]:
        """Prompts that no payer has looked at yet."""
        fresh = self.office.gateway.pushes[self.pushes_seen :]
        self.pushes_seen += len(fresh)
        return fresh

    async def redeem(self, place: Place, address: IPv4Address, code: str) -> None:
        """Somebody types a code; what the portal says to it may never be heard."""
        said = await place.ask(lambda gate: gate.redeem(str(address), code=code))
        if not isinstance(said, Refusal):
            self.accepted.append((code, place, place.devices[address]))
        self.tell(f"{place.site_id}: {address} redeemed {code}: {said or 'accepted'}")


async def a_world(chance: random.Random) -> World:
    """Two sites that are up, four devices at each, three plans on sale."""
    folder = Path(mkdtemp(prefix="lango-simulation-", dir=_memory_disk()))
    shutil.copytree(_template(), folder / "office")
    office = Office(folder / "office", chance)
    for name, limits in PLANS.items():
        await add_plan(office.deps, Plan(PlanId(name), name, PRICE, limits))
    places = []
    for number, name in enumerate(SITES):
        await add_site(office.deps, NewSite(SiteId(name), name, "Simba Net"))
        place = Place(folder / name, SiteId(name), office, chance)
        for n in range(DEVICES_PER_SITE):
            address = IPv4Address(f"10.{number}.0.{n + 10}")
            place.devices[address] = MacAddress(f"02:00:00:00:{number:02x}:{n + 10:02x}")
        place.start()
        places.append(place)
    return World(folder, chance, office, places)


async def end(world: World) -> None:
    """Stop everything and leave nothing behind."""
    for place in world.places:
        await place.stop()
    await world.office.close()
    await virtual_loop().end_life("network")
    shutil.rmtree(world.folder)


def _memory_disk() -> str | None:
    """Where files cost least: nothing here is to survive."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a fresh folder below it


@cache
def _template() -> Path:
    """A migrated database and keys, made once."""
    folder = Path(mkdtemp(prefix="lango-template-", dir=_memory_disk()))
    upgrade(f"sqlite+aiosqlite:///{folder / 'lango.db'}")
    open_vault(folder)
    open_authority(folder, START)
    return folder
