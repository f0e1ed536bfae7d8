"""What people do: customers, payers and staff."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from billing.ids import GrantId, PlanId
from billing.metering import Volume
from controller.payments.memory import Scripted
from controller.store.database import DatabaseBusy
from controller.store.rows import GrantRow
from controller.usecases import grants
from controller.usecases.tokens import issue
from controller.usecases.vouchers import create_vouchers
from shaping.plane import MacAddress
from tests.simulation import world as worlds
from tests.simulation.virtual import START, virtual_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from ipaddress import IPv4Address

    from controller.payments.gateway import Push
    from tests.simulation.place import Place
    from tests.simulation.story import Story
    from tests.simulation.world import World

FRAMES = (60, 1_500, 20_000, 200_000)
ANSWERS = (
    *(8 * (Scripted.ACCEPT,)),
    Scripted.PAY_FIRST,
    Scripted.LOSE,
    Scripted.BUSY,
    Scripted.DROP,
)
"""How M-PESA takes the next prompt."""

WAITS_S = (5.0, 10.0, 30.0, 60.0, 150.0, 300.0)
"""How long a payer looks at a prompt; the controller gives up hope after 120 s."""

NIGHT_S = (620, 900)
"""A session without bytes is over after 600 s."""


async def sell_codes(world: World) -> None:
    """Vouchers that are good everywhere, and a token for each site and plan."""
    deps = world.office.deps
    for name in worlds.PLANS:
        _, codes = await create_vouchers(deps, PlanId(name), worlds.VOUCHERS_PER_PLAN, None)
        world.codes |= dict.fromkeys(codes, name)
        for place in world.places:
            token = await issue(deps, place.site_id, PlanId(name))
            world.codes[token.code] = name
            world.tokens[token.code] = place


async def use_much(story: Story) -> None:
    """Everybody uses what he has."""
    for _ in range(story.chance.randrange(1, 8)):
        for place, address, _ in story.world.devices():
            size = Volume(story.chance.choice(FRAMES), story.chance.choice(FRAMES) // 10)
            story.world.use(place, address, size)
        await asyncio.sleep(story.chance.random())


async def sign_in(story: Story) -> None:
    """A device asks for what it has."""
    place, address = story.somebody()
    if place.up:
        place.ask(lambda gate: gate.sign_in(str(address)))


async def buy(story: Story) -> None:
    """A device orders, and perhaps taps twice."""
    place, address = story.somebody()
    if not place.up:
        return
    plan_id = story.chance.choice(list(worlds.PLANS))
    phone = f"07123456{story.chance.randrange(worlds.PHONES):02d}"
    story.world.office.gateway.script(story.chance.choice(ANSWERS))
    for _ in range(story.chance.choice((1, 1, 2))):
        place.ask(lambda gate: gate.order(str(address), plan_id=plan_id, phone=phone))
    story.world.tell(f"{place.site_id}: {address} orders {plan_id} for {phone}")


async def pay(story: Story, push: Push) -> None:
    """A payer with a prompt: says yes, says no, or looks away; and M-PESA's word of it."""
    chance, office = story.chance, story.world.office
    await asyncio.sleep(chance.choice(WAITS_S))
    known = [asked for asked in office.gateway.asked.values() if asked.push is push]
    if not known:
        return  # the prompt never came
    provider_id = known[0].provider_id
    if known[0].code is None and chance.random() < 0.8:
        office.gateway.pay(provider_id, START)
    elif known[0].code is None:
        office.gateway.refuse(provider_id)
    told = office.gateway.asked[provider_id].code == "0"
    story.world.tell(f"{push.order_id[:6]} was {'paid' if told else 'refused'}")
    body = office.gateway.callback(provider_id)
    heard = False
    for _ in range(chance.choice((0, 1, 1, 2))):
        await asyncio.sleep(chance.choice((0.1, 1, 30, 300)))
        heard |= await office.callback(push.callback_url, body)
    while not heard and not story.watcher.knows(provider_id):  # else nobody could ever know
        await asyncio.sleep(chance.choice((30, 300)))
        heard = await office.callback(push.callback_url, body)


async def redeem(story: Story) -> None:
    """A device types a code: one that nobody used, one that was used, or that of a message."""
    place, address = story.somebody()
    if place.up:
        used = [code for code, _, _ in story.world.accepted]
        kinds = [list(story.world.codes), used, [*used, *story.receipts()]]
        code = story.chance.choice(story.chance.choice([one for one in kinds if one]))
        type_in(story, place, address, code)


def type_in(story: Story, place: Place, address: IPv4Address, code: str) -> None:
    """A device types this code."""
    virtual_loop().spawn("world", _heard(story.world.redeem(place, address, code)))


async def _heard(work: Coroutine[Any, Any, object]) -> None:
    with suppress(asyncio.CancelledError):  # the agent was killed: nobody answers
        await work


async def same_code_twice(story: Story) -> None:
    """Somebody gave his voucher to a friend at the other site, and both sites are cut off."""
    if not all(place.up for place in story.world.places):
        return
    used = {code for code, _, _ in story.world.accepted} | set(story.world.tokens)
    fresh = [code for code in story.world.codes if code not in used]
    if not fresh:
        return
    code = story.chance.choice(fresh)
    for place in story.world.places:
        place.link.cut()
        type_in(story, place, story.chance.choice(list(place.devices)), code)
    story.world.tell(f"links cut; {code} at both sites")


async def old_code(story: Story) -> None:
    """After a restart with no link somebody else tries a code that was used here."""
    tried = [(code, place) for code, place, _ in story.world.accepted if place.up]
    if tried:
        code, place = story.chance.choice(tried)
        place.link.cut()
        await place.kill(torn=False)
        place.start()
        story.world.tell(f"{place.site_id}: link cut, agent killed, and {code} again")
        await story.passes(5)
        for address in list(place.devices):
            type_in(story, place, address, code)


async def night(story: Story) -> None:
    """Nobody uses anything for long; in the morning whoever has something left is let in."""
    story.world.awake = False
    story.world.tell("night")
    await story.passes(story.chance.uniform(*NIGHT_S))
    story.world.awake = True
    await story.insist()


async def dark_night(story: Story) -> None:
    """A code is typed at a site that is cut off, and still is in the morning."""
    place, address = story.somebody()
    if place.up:
        place.link.cut()
        fresh = sorted(story.world.codes.keys() - {code for code, _, _ in story.world.accepted})
        if fresh:
            type_in(story, place, address, story.chance.choice(fresh))
            story.world.tell(f"{place.site_id}: link cut, {address} has a code")
        await story.passes(20)
    await night(story)


async def roam(story: Story) -> None:
    """Somebody takes his phone, or his code, to the other site, and types the code there."""
    gone = [one for one in story.world.accepted if one[0] not in story.world.tokens]
    if not gone:
        return
    code, home, mac = story.chance.choice(gone)
    there = story.chance.choice([place for place in story.world.places if place is not home])
    if not there.up:
        return
    address = story.chance.choice(list(there.devices))
    at = [one for one, known in home.devices.items() if known == mac]
    if at and story.chance.random() < 0.5:
        home.devices[at[0]] = _made_up(story)
        there.devices[address] = mac
    story.world.tell(f"{there.site_id}: {address} comes from {home.site_id}")
    type_in(story, there, address, code)


async def new_mac(story: Story) -> None:
    """A phone makes up a new address for itself; its browser still has its badge."""
    place, address = story.somebody()
    if not place.up:
        return
    badge = place.gate.badge(str(address))
    place.devices[address] = _made_up(story)
    story.world.tell(f"{place.site_id}: {address} is {place.devices[address]} now")
    if badge is not None:
        place.ask(lambda gate: gate.come_back(str(address), badge=badge))


async def move(story: Story) -> None:
    """Somebody puts another device of his package out for his own."""
    place, address = story.somebody()
    seen = place.gate.places(str(address)) if place.up else None
    if seen is not None:
        ref = story.chance.choice(seen.places).device_ref
        place.ask(lambda gate: gate.move(str(address), device_ref=ref))
        story.world.tell(f"{place.site_id}: {address} moves in for {ref}")


async def staff(story: Story) -> None:
    """Staff stop a grant, for now or for good, or let it go on; mostly one that is in use."""
    deps = story.world.office.deps
    async with deps.db.read() as tx:
        ids = sorted(await tx.scalars(select(GrantRow.id).where(GrantRow.ended_at.is_(None))))
    in_use = [one for one in ids if one in story.in_use()]
    if not ids:
        return
    what = story.chance.choice((grants.suspend, grants.suspend, grants.resume, grants.revoke))
    chosen = GrantId(story.chance.choice(in_use or ids))
    story.world.staffed.add(chosen)
    with suppress(grants.GrantOver, DatabaseBusy):
        await what(deps, chosen)
        story.world.tell(f"staff {what.__name__} {chosen[:6]}")


def signing_in(address: IPv4Address) -> Callable[[Any], Any]:
    """What a device at this address asks."""
    return lambda gate: gate.sign_in(str(address))


def _made_up(story: Story) -> MacAddress:
    return MacAddress("02:" + story.chance.randbytes(5).hex(":"))
