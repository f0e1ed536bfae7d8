"""How a seed's story is lived: one thing after another, then all is mended and reckoned up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.ids import GrantId
from billing.metering import Volume
from tests.simulation import deeds, mishaps
from tests.simulation import world as worlds
from tests.simulation.invariants import Broken, Unsettled, Watcher
from tests.simulation.virtual import VirtualLoop, seeded, virtual_loop

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable
    from ipaddress import IPv4Address

    from tests.simulation.place import Place
    from tests.simulation.world import World

STEPS = 70
PAUSE_S = 10.0
QUIET_S = 200.0
PATIENCE_S = 1_000.0
"""After the last fault was mended; by then every record is delivered, and every order decided."""

MONEY_PATIENCE_S = 4_000.0
"""A payment of which M-PESA said nothing is asked about again only after an hour."""

LET_IN_TRIES = 3
LET_IN_EVERY_S = 5.0

POSSIBLE: tuple[tuple[Callable[[Story], Awaitable[None]], int], ...] = (
    (deeds.use_much, 12),
    (deeds.sign_in, 8),
    (deeds.buy, 12),
    (deeds.redeem, 12),
    (deeds.same_code_twice, 2),
    (deeds.old_code, 2),
    (deeds.roam, 5),
    (deeds.new_mac, 4),
    (deeds.move, 3),
    (deeds.staff, 5),
    (deeds.night, 1),
    (deeds.dark_night, 2),
    (mishaps.bad_weather, 5),
    (mishaps.cut, 3),
    (mishaps.mend_links, 9),
    (mishaps.kill_agent, 6),
    (mishaps.power_cut, 5),
    (mishaps.set_clocks, 6),
    (mishaps.kill_office, 3),
    (mishaps.mpesa_hides, 2),
    (mishaps.tamper, 1),
    (mishaps.kernel_refuses, 3),
    (mishaps.fill_disk, 2),
    (mishaps.make_room, 5),
    (mishaps.long_while, 1),
)
"""What may happen next, and how often."""


@dataclass(slots=True)
class Story:
    """One seed's story as it is being lived."""

    world: World
    watcher: Watcher
    chance: random.Random

    async def live(self, steps: int) -> None:
        """All of it. Raises `tests.simulation.invariants.Broken`."""
        await deeds.sell_codes(self.world)
        doing, weights = zip(*POSSIBLE, strict=True)
        for _ in range(steps):
            await self.chance.choices(doing, weights)[0](self)
            await self.passes(self.chance.random() ** 2 * PAUSE_S)
            self.watcher.after_each_step()
        self._mend()
        await self._until_quiet()
        await self.insist(end=True)
        self.watcher.after_each_step()

    async def _until_quiet(self) -> None:
        """Until all payers have done and books and world agree; in the end they must."""
        began = asyncio.get_running_loop().time()
        while True:
            await self.passes(QUIET_S)
            self.watcher.after_each_step()
            waited_s = asyncio.get_running_loop().time() - began
            try:
                self.watcher.at_the_end()
            except Unsettled:
                if waited_s > MONEY_PATIENCE_S:
                    raise
            except Broken:
                if waited_s > PATIENCE_S:
                    raise
            else:
                if not virtual_loop().living("payers"):
                    return

    async def insist(self, *, end: bool = False) -> None:
        """Whoever has something good left comes to the portal, and is let in."""
        for place, mac, grant_id in self.watcher.owed(end=end):
            at = [address for address, known in place.devices.items() if known == mac]
            for address in at:
                await self._let_in(place, address, grant_id)

    async def _let_in(self, place: Place, address: IPv4Address, grant_id: str) -> None:
        mac = place.devices[address]
        for _ in range(LET_IN_TRIES):
            await place.ask(deeds.signing_in(address))
            if self.world.use(place, address, Volume(1, 1)):
                return
            await self.passes(LET_IN_EVERY_S)
        known = place.loop.state.grants.get(GrantId(grant_id))
        raise Broken(f"owed: {mac} is not let in on {grant_id}: {known}")

    async def passes(self, seconds: float) -> None:
        """Time passes; whoever got a prompt answers it in his own time."""
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, 5.0))
            for push in self.world.new_pushes():
                virtual_loop().spawn("payers", deeds.pay(self, push))

    def somebody(self) -> tuple[Place, IPv4Address]:
        """A device somewhere."""
        place = self.place()
        return place, self.chance.choice(list(place.devices))

    def place(self) -> Place:
        """One of the sites."""
        return self.chance.choice(self.world.places)

    def receipts(self) -> list[str]:
        """The codes in the messages of all who paid."""
        asked = self.world.office.gateway.asked.values()
        return [one.receipt for one in asked if one.code == "0"]

    def in_use(self) -> set[str]:
        """Grants with an open session somewhere."""
        return {
            session.grant_id
            for place in self.world.places
            if place.up
            for session in place.loop.state.sessions.values()
        }

    def _mend(self) -> None:
        for place in self.world.places:
            place.link.mend()
            place.set_right()
            place.disk.full = False
            place.obey()
        self.world.awake, self.world.office.gateway.reachable = False, True
        self.world.tell("everything mended")


def told(seed: int, *, steps: int = STEPS) -> list[str]:
    """Live the story of a seed; what happened. Raises `Broken`, with the story in its notes."""
    with seeded(seed) as chance, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_lived(chance, steps))


async def _lived(chance: random.Random, steps: int) -> list[str]:
    world = await worlds.a_world(chance)
    try:
        await Story(world, Watcher(world), chance).live(steps)
    except BaseException as broken:
        broken.__notes__ = world.told[-60:]
        raise
    finally:
        await worlds.end(world)
    return world.told
