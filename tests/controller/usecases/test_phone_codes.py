"""A code by SMS proves a phone, and tells a stranger nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.ids import PlanId, RedemptionId
from controller.store.rows import PhoneCodeRow
from controller.usecases import messages
from controller.usecases.phone_codes import (
    ASKED_PER_PHONE_MAX,
    ASKED_WINDOW,
    CODE_LIFE,
    TRIES_MAX,
    join_by_phone,
    send_code,
)
from controller.usecases.plans import add_plan
from tests.support.builders import (
    MAC,
    OTHER_MAC,
    OTHER_PHONE,
    PHONE,
    SITE,
    World,
    a_plan,
    hex_id,
    limits,
)

if TYPE_CHECKING:
    from billing.msisdn import Msisdn
    from controller.usecases.redeem import RedeemStatus

PAIR = PlanId("pair")


async def bought(world: World) -> None:
    """A grant for two devices, paid by the usual phone."""
    await add_plan(world.deps, a_plan(PAIR, allows=limits(devices_max=2)), rank=9)
    await world.order(plan_id=PAIR)
    world.gateway.pay(world.last_provider_id, world.clock())
    await world.call_back()


async def sent(world: World) -> str:
    """The code that reached the usual phone, a moment later."""
    world.clock.advance(1)
    assert await send_code(world.deps, SITE, PHONE) is None
    await messages.send_due(world.deps)
    return world.sms.to(PHONE)[-1].split()[0]


async def joins(
    world: World,
    code: str,
    *,
    name: str = "join",
    mac: str = OTHER_MAC,
    msisdn: Msisdn = PHONE,
) -> RedeemStatus:
    return await join_by_phone(
        world.deps,
        SITE,
        redemption_id=RedemptionId(hex_id(name)),
        msisdn=msisdn,
        code=code,
        device_mac=mac,
    )


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_code_joins_a_device_to_what_the_phone_bought(world: World) -> None:
    await bought(world)
    answer = await joins(world, await sent(world))

    assert answer.refusal is None
    assert answer.grant_id is not None


async def test_same_redemption_again_gives_the_same_answer(world: World) -> None:
    await bought(world)
    code = await sent(world)

    assert await joins(world, code) == await joins(world, code)


async def test_code_is_good_once(world: World) -> None:
    await bought(world)
    code = await sent(world)
    await joins(world, code)

    assert (await joins(world, code, name="second", mac=MAC)).refusal == "code_wrong"


async def test_stranger_is_answered_like_everybody_and_gets_no_message(world: World) -> None:
    await bought(world)
    answers = [await send_code(world.deps, SITE, OTHER_PHONE) for _ in range(5)]
    known = [await send_code(world.deps, SITE, PHONE) for _ in range(5)]
    await messages.send_due(world.deps)

    assert answers == known == [*[None] * ASKED_PER_PHONE_MAX, "too_many_tries"]
    assert world.sms.to(OTHER_PHONE) == []


async def test_phone_may_ask_again_later(world: World) -> None:
    for _ in range(ASKED_PER_PHONE_MAX):
        await send_code(world.deps, SITE, PHONE)
    world.clock.advance(int(ASKED_WINDOW.total_seconds()))

    assert await send_code(world.deps, SITE, PHONE) is None


async def test_code_is_dead_after_five_wrong_tries(world: World) -> None:
    await bought(world)
    code = await sent(world)
    for n in range(TRIES_MAX):
        assert (await joins(world, wrong(code), name=f"guess {n}")).refusal == "code_wrong"

    assert (await joins(world, code, name="right", mac=MAC)).refusal == "code_wrong"


async def test_wrong_try_that_is_repeated_counts_once(world: World) -> None:
    await bought(world)
    code = await sent(world)
    for _ in range(TRIES_MAX + 1):
        await joins(world, wrong(code), name="guess")

    assert (await joins(world, code)).refusal is None


async def test_code_is_good_for_ten_minutes(world: World) -> None:
    await bought(world)
    code = await sent(world)
    world.clock.advance(int(CODE_LIFE.total_seconds()))

    assert (await joins(world, code)).refusal == "code_wrong"


async def test_code_of_one_phone_is_wrong_for_another(world: World) -> None:
    await bought(world)
    code = await sent(world)

    assert (await joins(world, code, msisdn=OTHER_PHONE)).refusal == "code_wrong"


async def test_code_joins_no_more_devices_than_were_paid_for(world: World) -> None:
    await bought(world)
    await joins(world, await sent(world))
    answer = await joins(world, await sent(world), name="third", mac="02:00:00:00:00:0c")

    assert answer.refusal == "devices_full"


async def test_code_is_kept_as_a_hash_only(world: World) -> None:
    await bought(world)
    code = await sent(world)
    async with world.deps.db.read() as tx:
        (row,) = list(await tx.scalars(select(PhoneCodeRow)))

    assert code not in row.code_hash
    assert len(row.code_hash) == 64
