"""An operator with its sites, its people, and what really happened among them."""

from __future__ import annotations

import asyncio
import atexit
import shutil
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from billing.ids import PlanId, SiteId
from billing.metering import Volume
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
from tests.support.memory import memory

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from controller.payments.gateway import Push
    from shaping.plane import SessionKey

SITES = ("alpha", "beta")
DEVICES_PER_SITE = 4
PHONES = 9
PLANS: Mapping[str, Limits] = {
    "hour": Limits(4_000_000, 2_000_000, 400, None, None, 1),
    "data": Limits(4_000_000, 2_000_000, 86_400, None, 800_000, 2),
    "used": Limits(4_000_000, 2_000_000, None, 200, None, 1),
}
PRICE = Money(1_000)
VOUCHERS_PER_PLAN = 3

PUNCTUAL_S = 1.0
"""The kernel ends access on time; what the loop hands it may be this late at most."""

INTERVAL_S = 6.0
"""Bytes are known to the agent at most this much after they passed."""

MEANWHILE = 0.3
"""How often devices send something in the middle of a call to the kernel."""

SMALL = (60, 1_500, 20_000)
SOME = 0.4


@dataclass(slots=True)
class Passed:
    """Who passed under one session."""

    place: Place
    macs: set[MacAddress] = field(default_factory=set)


@dataclass(slots=True)
class Burst:
    """What passed of a grant within the last metering interval, and the most that ever did."""

    lately: deque[tuple[float, int]] = field(default_factory=deque)
    sum_bytes: int = 0
    most_bytes: int = 0

    def add(self, now: float, size: int) -> None:
        """So much passed."""
        self.lately.append((now, size))
        self.sum_bytes += size
        while self.lately[0][0] < now - INTERVAL_S:
            self.sum_bytes -= self.lately.popleft()[1]
        self.most_bytes = max(self.most_bytes, self.sum_bytes)


@dataclass(slots=True)
class World:
    """Everything. ``told`` is the story so far, a line an event.

    ``faults`` are what was seen to be wrong at the moment when it happened; ``awake`` whether
    people use what they have by themselves; ``staffed`` the grants that staff ever touched.
    """

    folder: Path
    chance: random.Random
    office: Office
    places: list[Place]
    told: list[str] = field(default_factory=list)
    passed: dict[SessionKey, Passed] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Place] = field(default_factory=dict)
    accepted: list[tuple[str, Place, MacAddress]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    bursts: dict[str, Burst] = field(default_factory=dict)
    staffed: set[str] = field(default_factory=set)
    awake: bool = True
    pushes_seen: int = 0

    def tell(self, text: str) -> None:
        """Note something of the story."""
        now = asyncio.get_running_loop().time() - 1_000
        self.told.append(f"{now:10.3f}  {text}")

    def devices(self) -> list[tuple[Place, IPv4Address, MacAddress]]:
        """Every device, where it is."""
        return [(place, a, m) for place in self.places for a, m in place.devices.items()]

    async def live(self) -> None:
        """People use what they have, a little and all the time."""
        while True:
            await asyncio.sleep(self.chance.uniform(0.5, 4))
            if self.awake:
                for place in self.places:
                    self.some_use(place)

    def meanwhile(self, place: Place) -> None:
        """Something may pass just now, in the middle of whatever the agent does."""
        if self.awake and self.chance.random() < MEANWHILE:
            self.some_use(place)

    def some_use(self, place: Place) -> None:
        """Some devices of a place use a little."""
        for address in place.devices:
            if self.chance.random() < SOME:
                self.use(place, address, Volume(self.chance.choice(SMALL), 60))

    def use(self, place: Place, address: IPv4Address, size: Volume) -> bool:
        """A device sends and receives, if it is let; whether it may is judged at once."""
        mac = place.devices[address]
        key = place.box.offer(address, mac, size)
        if key is None:
            return False
        self.passed.setdefault(key, Passed(place)).macs.add(mac)
        if key not in place.grants:
            place.look()
        if key not in place.grants:
            self.faults.append(f"8: {mac} passed under {key}, which no agent ever opened")
            return True
        self._judge(place, mac, key)
        now = asyncio.get_running_loop().time()
        self.bursts.setdefault(place.grants[key].id, Burst()).add(now, size.total_bytes)
        return True

    def _judge(self, place: Place, mac: MacAddress, key: SessionKey) -> None:
        """Invariant 8, and time: nothing passes outside the time that a grant gives."""
        grant = place.grants[key]
        if mac not in grant.devices:
            self.faults.append(f"8: {mac} passed on grant {grant.id} of {grant.devices}")
        if place.paused(key):
            self.faults.append(f"8: {mac} passed on grant {grant.id}, which was suspended")
        if grant.validity_s is not None:
            age_s = asyncio.get_running_loop().time() - grant.opened_s
            late_s = age_s - grant.validity_s - place.forgiven_s
            if late_s > PUNCTUAL_S:
                text = f"8: {mac} passed {late_s:.1f} s after the end of grant {grant.id}"
                self.faults.append(text)

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
    folder = _fresh_folder()
    shutil.copytree(_template(), folder / "office")
    office = Office(folder / "office", chance)
    for name, limits in PLANS.items():
        await add_plan(office.deps, Plan(PlanId(name), name, PRICE, limits))
    world = World(folder, chance, office, [])
    for number, name in enumerate(SITES):
        await add_site(office.deps, NewSite(SiteId(name), name, "Simba Net"))
        place = Place(
            folder / name,
            SiteId(name),
            office,
            chance=chance,
            faults=world.faults,
            meanwhile=world.meanwhile,
        )
        for n in range(DEVICES_PER_SITE):
            address = IPv4Address(f"10.{number}.0.{n + 10}")
            place.devices[address] = MacAddress(f"02:00:00:00:{number:02x}:{n + 10:02x}")
        place.start()
        world.places.append(place)
    virtual_loop().spawn("people", world.live())
    return world


async def end(world: World) -> None:
    """Stop everything and leave nothing behind."""
    await virtual_loop().end_life("people")
    for place in world.places:
        await place.stop()
    await world.office.close()
    await virtual_loop().end_life("network")
    shutil.rmtree(world.folder)


def _fresh_folder() -> Path:
    """A folder where files cost least; nothing in it is to survive this process."""
    folder = Path(mkdtemp(prefix="lango-simulation-", dir=memory()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _template() -> Path:
    """A migrated database and keys, made once."""
    folder = _fresh_folder()
    upgrade(f"sqlite+aiosqlite:///{folder / 'lango.db'}")
    open_vault(folder)
    open_authority(folder, START)
    return folder
