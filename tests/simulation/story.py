"""What happens next, by the seed: what people do, and what befalls them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from billing.ids import GrantId, PlanId
from billing.metering import Volume
from controller.store.database import DatabaseBusy
from controller.store.rows import GrantRow
from controller.usecases import grants
from controller.usecases.tokens import issue
from controller.usecases.vouchers import create_vouchers
from shaping.plane import MacAddress
from tests.simulation import world as worlds
from tests.simulation.invariants import Broken, Watcher
from tests.simulation.network import Weather
from tests.simulation.virtual import START, VirtualLoop, seeded, virtual_loop

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Coroutine
    from ipaddress import IPv4Address

    from agent.gate import SiteGate
    from controller.payments.gateway import Push
    from tests.simulation.place import Place
    from tests.simulation.world import World

STEPS = 90
PAUSE_S = 15.0
QUIET_S = 1_200.0
"""After the last fault was mended; every order is decided and every record delivered by then."""

FRAMES = (60, 1_500, 20_000, 400_000)
WRONG_CLOCKS = (
    timedelta(0),
    timedelta(0),
    timedelta(days=-56 * 365),
    timedelta(days=56 * 365),
    timedelta(hours=-2),
)


@dataclass(slots=True)
class Story:
    """One seed's story as it is being lived."""

    world: World
    watcher: Watcher
    chance: random.Random

    async def live(self, steps: int) -> None:
        """All of it. Raises `tests.simulation.invariants.Broken`."""
        await self._sell_codes()
        for _ in range(steps):
            doing, weight = zip(*self._possible(), strict=True)
            await self.chance.choices(doing, weight)[0]()
            await self._pass(self.chance.random() ** 2 * PAUSE_S)
            self.watcher.after_each_step()
        await self._mend()
        await self._pass(QUIET_S)
        self.watcher.at_the_end()
        await self._serve()

    async def _serve(self) -> None:
        """Whoever has something good left comes to the portal, and is let in."""
        for place, mac, grant_id in self.watcher.owed():
            at = [address for address, known in place.devices.items() if known == mac]
            for address in at:
                said = await place.ask(_signing_in(address))
                if not self.world.use(place, address, Volume(1, 1)):
                    known = place.loop.state.grants.get(GrantId(grant_id))
                    raise Broken(f"{mac} is not let in ({said}) on {grant_id}: {known}")

    def _possible(self) -> list[tuple[Callable[[], Awaitable[None]], int]]:
        return [
            (self._traffic, 30),
            (self._sign_in, 8),
            (self._buy, 10),
            (self._redeem, 6),
            (self._bad_weather, 5),
            (self._cut, 4),
            (self._mend_link, 6),
            (self._kill_agent, 4),
            (self._power_cut, 2),
            (self._kill_office, 2),
            (self._clock_set, 4),
            (self._tamper, 1),
            (self._new_mac, 4),
            (self._move, 3),
            (self._staff, 3),
            (self._disk, 2),
            (self._disk_room, 3),
            (self._long_while, 1),
        ]

    async def _pass(self, seconds: float) -> None:
        """Time passes; whoever got a prompt answers it in his own time."""
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, 5.0))
            for push in self.world.new_pushes():
                virtual_loop().spawn("world", self._payer(push))

    async def _payer(self, push: Push) -> None:
        """A payer with a prompt: says yes, says no, or looks away; and M-PESA's word of it."""
        await asyncio.sleep(self.chance.choice((5.0, 10.0, 30.0, 60.0, 300.0)))
        gateway = self.world.office.gateway
        (provider_id,) = [k for k, asked in gateway.asked.items() if asked.push is push]
        if self.chance.random() < 0.75:
            gateway.pay(provider_id, START)
            self.world.tell(f"{push.order_id[:6]} was paid")
        else:
            gateway.refuse(provider_id)
            self.world.tell(f"{push.order_id[:6]} was refused")
        body = gateway.callback(provider_id)
        for _ in range(self.chance.choice((0, 1, 1, 2))):
            await asyncio.sleep(self.chance.choice((0.1, 1, 30, 300)))
            await self.world.office.callback(push.callback_url, body)

    async def _sell_codes(self) -> None:
        deps = self.world.office.deps
        for name in worlds.PLANS:
            _, codes = await create_vouchers(deps, PlanId(name), 2, None)
            self.world.codes |= dict.fromkeys(codes, name)
            for place in self.world.places:
                token = await issue(deps, place.site_id, PlanId(name))
                self.world.codes[token.code] = name
                self.world.tokens[token.code] = place

    async def _traffic(self) -> None:
        """Everybody uses what he has."""
        for _ in range(self.chance.randrange(1, 12)):
            for place, address, _ in self.world.devices():
                size = Volume(self.chance.choice(FRAMES), self.chance.choice(FRAMES) // 10)
                self.world.use(place, address, size)
            await asyncio.sleep(self.chance.random())

    async def _sign_in(self) -> None:
        place = self._place()
        if place.up:
            address = self.chance.choice(list(place.devices))
            place.ask(lambda gate: gate.sign_in(str(address)))

    async def _buy(self) -> None:
        place = self._place()
        if place.up:
            address = self.chance.choice(list(place.devices))
            plan_id = self.chance.choice(list(worlds.PLANS))
            phone = f"07123456{self.chance.randrange(worlds.PHONES):02d}"
            place.ask(lambda gate: gate.order(str(address), plan_id=plan_id, phone=phone))
            self.world.tell(f"{place.site_id}: {address} orders {plan_id} for {phone}")

    async def _redeem(self) -> None:
        place = self._place()
        if place.up:
            address = self.chance.choice(list(place.devices))
            receipts = [
                asked.receipt
                for asked in self.world.office.gateway.asked.values()
                if asked.code == "0"
            ]
            code = self.chance.choice([*self.world.codes, *receipts])
            virtual_loop().spawn("world", self._heard(self.world.redeem(place, address, code)))

    async def _heard(self, work: Coroutine[Any, Any, object]) -> None:
        with suppress(asyncio.CancelledError):  # the agent was killed: nobody answers
            await work

    async def _new_mac(self) -> None:
        """A phone makes up a new address for itself; its browser still has its badge."""
        place = self._place()
        if not place.up:
            return
        address = self.chance.choice(list(place.devices))
        badge = place.gate.badge(str(address))
        place.devices[address] = MacAddress("02:" + self.chance.randbytes(5).hex(":"))
        self.world.tell(f"{place.site_id}: {address} is {place.devices[address]} now")
        if badge is not None:
            place.ask(lambda gate: gate.come_back(str(address), badge=badge))

    async def _move(self) -> None:
        """Somebody puts another device of his package out for his own."""
        place = self._place()
        if not place.up:
            return
        address = self.chance.choice(list(place.devices))
        seen = place.gate.places(str(address))
        if seen is not None:
            ref = self.chance.choice(seen.places).device_ref
            place.ask(lambda gate: gate.move(str(address), device_ref=ref))
            self.world.tell(f"{place.site_id}: {address} moves in for {ref}")

    async def _staff(self) -> None:
        """Staff stop a grant, for now or for good, or let it go on."""
        deps = self.world.office.deps
        async with deps.db.read() as tx:
            ids = sorted(await tx.scalars(select(GrantRow.id)))
        if not ids:
            return
        what = self.chance.choice((grants.suspend, grants.resume, grants.resume, grants.revoke))
        chosen = GrantId(self.chance.choice(ids))
        with suppress(grants.GrantOver, DatabaseBusy):
            await what(deps, chosen)
            self.world.tell(f"staff {what.__name__} {chosen[:6]}")

    async def _disk(self) -> None:
        place = self._place()
        if place.up:
            place.fill_disk()
            self.world.tell(f"{place.site_id}: disk full")

    async def _disk_room(self) -> None:
        for place in self.world.places:
            if place.up:
                place.disk.full = False

    async def _bad_weather(self) -> None:
        link = self._place().link
        link.weather = Weather(
            lose=self.chance.choice((0, 0.1, 0.4)),
            double=self.chance.choice((0, 0.3)),
            delay_s=self.chance.choice((0.05, 1, 8)),
        )
        self.world.tell(f"weather: {link.weather}")

    async def _cut(self) -> None:
        place = self._place()
        place.link.cut()
        self.world.tell(f"{place.site_id}: link cut")

    async def _mend_link(self) -> None:
        for place in self.world.places:
            place.link.mend()
        self.world.tell("links mended")

    async def _kill_agent(self) -> None:
        place = self._place()
        if place.up:
            torn = self.chance.random() < 0.5
            await place.kill(torn=torn)
            self.world.tell(f"{place.site_id}: agent killed{', write torn' if torn else ''}")
            for _ in range(self.chance.choice((1, 1, 2, 8))):  # the kernel goes on alone
                await self._pass(self.chance.random() * 60)
                await self._traffic()
            place.start()

    async def _power_cut(self) -> None:
        place = self._place()
        if place.up:
            await place.lose_power(torn=self.chance.random() < 0.5)
            off_s, wrong = self.chance.uniform(1, 900), self.chance.choice(WRONG_CLOCKS)
            await self._pass(off_s)
            place.boot(wrong=wrong, off_s=off_s)
            self.world.tell(f"{place.site_id}: power was off {off_s:.0f} s, clock wrong by {wrong}")

    async def _clock_set(self) -> None:
        place = self._place()
        place.set_right()
        self.world.tell(f"{place.site_id}: clock set right")

    async def _kill_office(self) -> None:
        await self.world.office.kill()
        self.world.tell("controller killed and started again")

    async def _tamper(self) -> None:
        place = self._place()
        place.box.tamper(self.chance.choice(list(place.devices)))
        self.world.tell(f"{place.site_id}: somebody meddled with the box")

    async def _long_while(self) -> None:
        await self._pass(self.chance.uniform(300, 2_000))

    async def _mend(self) -> None:
        for place in self.world.places:
            place.link.mend()
            place.set_right()
            place.disk.full = False
        self.world.tell("everything mended")

    def _place(self) -> Place:
        return self.chance.choice(self.world.places)


def _signing_in(address: IPv4Address) -> Callable[[SiteGate], Awaitable[bool]]:
    return lambda gate: gate.sign_in(str(address))


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
