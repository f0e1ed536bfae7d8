"""What is to be paid so that service goes on: to the cent, and no cent less will do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.charge import Mode
from billing.money import Money
from billing.period import Cycle, Unit
from controller.noc.accounts import subscription_rows
from controller.usecases.debts import agree_instalments
from controller.usecases.standing import to_go_on
from controller.usecases.subscriptions import suspend
from tests.support.contracts import (
    FASTER,
    METERED,
    a_subscriber,
    at,
    documents,
    pays,
    run_at,
    subscribed,
    subscription,
)

if TYPE_CHECKING:
    from tests.support.builders import World


async def wanted(world: World, subscriber: str) -> Money | None:
    async with world.deps.db.read() as tx:
        held = await subscription_rows(tx, subscriber)
        return await to_go_on(tx, subscriber, held, world.deps.now())


async def test_nothing_is_wanted_of_who_is_served_or_held_by_staff(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    served = await wanted(shop, amina)
    await suspend(shop.deps, line)

    assert served is None
    assert await wanted(shop, amina) is None


async def test_renewals_want_their_price_less_what_the_wallet_holds(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.PREPAID)
    other = await subscribed(shop, amina, Mode.PREPAID, plan_id=FASTER, name="other")
    await pays(shop, amina, 400)
    first = await wanted(shop, amina)
    await pays(shop, amina, 8_600)

    states = [(await subscription(shop, name)).state for name in (line, other)]
    assert first == Money(8_600_00)
    assert await wanted(shop, amina) is None
    assert states == ["active", "active"]


async def test_what_is_open_is_wanted_before_a_renewal(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.PREPAID)
    await subscribed(shop, amina, Mode.ADVANCE, plan_id=METERED, name="invoiced")
    first = await wanted(shop, amina)
    await pays(shop, amina, 3_999)
    still = (await subscription(shop, line)).state
    await pays(shop, amina, 1)

    assert (first, still) == (Money(4_000_00), "suspended")
    assert (await subscription(shop, line)).state == "active"


async def test_a_debt_wants_what_is_overdue(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    await run_at(shop, "2027-09-15")
    held = (await subscription(shop, line)).hold
    await pays(shop, amina, 1_000)
    left = await wanted(shop, amina)
    await pays(shop, amina, 2_000)

    assert (held, left) == ("debt", Money(2_000_00))
    assert await wanted(shop, amina) is None
    assert (await subscription(shop, line)).state == "active"


async def test_a_debt_in_parts_wants_the_parts_that_are_due(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    (invoice,) = await documents(shop, amina)
    await agree_instalments(
        shop.deps, invoice.id, count=3, first_due=at("2027-09-20"), cycle=Cycle(Unit.MONTH)
    )
    await run_at(shop, "2027-09-30")
    held, part = (await subscription(shop, line)).hold, await wanted(shop, amina)
    await pays(shop, amina, 1_000)

    assert (held, part) == ("debt", Money(1_000_00))
    assert (await subscription(shop, line)).state == "active"
