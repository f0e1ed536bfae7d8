"""Pauses: what is left is credited, what is served afterwards is billed, and nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from billing.charge import Mode
from billing.errors import InvalidField, SubscriptionSuspended
from billing.promo import Discount
from controller.usecases.billing_run import bill_due
from controller.usecases.pauses import pause, resume
from controller.usecases.promotions import create, take_up
from controller.usecases.subscriptions import suspend
from tests.support.contracts import (
    GB,
    a_subscriber,
    at,
    credits_of,
    grants_of,
    invoices,
    owes,
    pays,
    run_at,
    subscribed,
    subscription,
    the_grant,
    used,
    wallet,
)

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from controller.store.database import Database, Tx
    from tests.support.builders import World


async def test_paused_days_of_a_paid_period_go_back_to_the_wallet_and_are_charged_later(
    shop: World,
) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    shop.clock.to(at("2027-09-10", "15:00"))
    await pause(shop.deps, line)
    await pause(shop.deps, line)
    paused, off, held = (
        await subscription(shop, line),
        await the_grant(shop, line),
        await wallet(shop, amina),
    )
    shop.clock.to(at("2027-09-21", "15:00"))
    await resume(shop.deps, line)
    await resume(shop.deps, line)

    back = await subscription(shop, line)
    assert (paused.state, paused.bill_at, off.suspended_at is None) == ("paused", None, False)
    assert (held, await credits_of(shop, amina)) == (2_000_00, [2_000_00])
    assert (back.state, back.bill_at) == ("active", at("2027-10-01"))
    assert await invoices(shop, amina) == [("09-01/10-01", 3_000), ("09-21/10-01", 1_000)]
    assert await wallet(shop, amina) == 1_000_00
    assert len([one for one in await grants_of(shop, amina) if one.ended_at is None]) == 1


async def test_credit_of_an_unpaid_period_lowers_its_debt(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    shop.clock.to(at("2027-09-15", "10:00"))
    await pause(shop.deps, line)

    assert (await owes(shop, amina), await wallet(shop, amina)) == (1_500_00, 0)


async def test_paused_and_resumed_on_one_day_costs_nothing_more(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    await pause(shop.deps, line)
    await resume(shop.deps, line)
    await run_at(shop, "2027-09-02")

    assert await wallet(shop, amina) == 0
    assert await invoices(shop, amina) == [("09-01/10-01", 3_000), ("09-02/10-01", 2_900)]
    assert await credits_of(shop, amina) == [2_900_00]


async def test_pause_over_the_end_of_a_period_bills_only_what_is_served(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 9_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    shop.clock.to(at("2027-09-20", "10:00"))
    await pause(shop.deps, line, until=at("2027-11-16"))
    await run_at(shop, "2027-10-01")
    await run_at(shop, "2027-11-16")
    await run_at(shop, "2027-11-16", "00:01")

    assert await invoices(shop, amina) == [("09-01/10-01", 3_000), ("11-16/12-01", 1_500)]
    assert (await subscription(shop, line)).resume_at is None


async def test_paused_in_arrears_is_billed_for_what_was_served(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ARREARS)
    shop.clock.to(at("2027-09-10", "10:00"))
    await pause(shop.deps, line)
    await pays(shop, amina, 1_000)
    shop.clock.to(at("2027-09-21", "10:00"))
    await resume(shop.deps, line)
    await run_at(shop, "2027-10-01")

    assert await invoices(shop, amina) == [("09-01/09-11", 1_000), ("09-21/10-01", 1_000)]


async def test_time_between_a_pause_and_the_end_of_a_debt_is_not_billed(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ARREARS)
    shop.clock.to(at("2027-09-10", "10:00"))
    await pause(shop.deps, line)
    await run_at(shop, "2027-09-26")
    await resume(shop.deps, line)
    shop.clock.to(at("2027-09-28", "10:00"))
    await pays(shop, amina, 1_000)
    await run_at(shop, "2027-10-01")

    assert await invoices(shop, amina) == [("09-01/09-11", 1_000), ("09-28/10-01", 300)]


async def test_volume_that_was_used_is_not_credited(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 5_000)
    line = await subscribed(shop, amina, Mode.ADVANCE, plan_id="metered")
    await used(shop, (await the_grant(shop, line)).id, 3 * GB)
    await run_at(shop, "2027-10-01")
    shop.clock.to(at("2027-10-16", "10:00"))
    await pause(shop.deps, line)

    assert await credits_of(shop, amina) == [483_87]


async def test_who_owes_after_a_pause_is_suspended_for_that(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE, name="a")
    other = await subscribed(shop, amina, Mode.ADVANCE, name="b")
    shop.clock.to(at("2027-09-10"))
    await pause(shop.deps, line)
    await run_at(shop, "2027-09-20")
    await resume(shop.deps, line)
    owing = await subscription(shop, line)
    await pays(shop, amina, 6_000)

    assert (await subscription(shop, other)).state == "active"
    assert (owing.state, owing.hold) == ("suspended", "debt")
    assert (await subscription(shop, line)).state == "active"


async def test_money_that_a_pause_gives_back_renews_what_waits_for_it(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    line = await subscribed(shop, amina, Mode.PREPAID, name="a")
    small = await subscribed(shop, amina, Mode.PREPAID, plan_id="metered", name="b")
    await pause(shop.deps, line)

    assert (await subscription(shop, small)).state == "active"
    assert await wallet(shop, amina) == 1_900_00


async def test_what_is_suspended_cannot_be_paused_and_no_pause_ends_in_the_past(
    shop: World,
) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    with pytest.raises(InvalidField, match="until"):
        await pause(shop.deps, line, until=shop.deps.now())
    await suspend(shop.deps, line)

    with pytest.raises(SubscriptionSuspended):
        await pause(shop.deps, line)


async def test_part_that_is_billed_for_a_pause_uses_a_discount_up(shop: World) -> None:
    amina = await a_subscriber(shop)
    terms = Discount(basis_points=5_000, periods=1)
    await create(shop.deps, name="Half", terms=terms, promotion_id="half")
    await take_up(shop.deps, msisdn_or_id=amina, promotion_id="half")
    line = await subscribed(shop, amina, Mode.ARREARS)
    shop.clock.to(at("2027-09-10", "15:00"))
    await pause(shop.deps, line)
    shop.clock.to(at("2027-09-21", "09:00"))
    await resume(shop.deps, line)
    await run_at(shop, "2027-10-01")

    assert await invoices(shop, amina) == [("09-01/09-11", 500), ("09-21/10-01", 1_000)]


@dataclass
class _DiesAfter:
    """A database under which the process dies when it begins one transaction too many."""

    db: Database
    left: int

    def begin(self) -> AbstractAsyncContextManager[Tx]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.db.begin()

    def read(self) -> AbstractAsyncContextManager[Tx]:
        return self.db.read()


async def test_money_that_a_pause_gave_back_is_used_by_the_next_run_when_the_process_dies(
    shop: World,
) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    line = await subscribed(shop, amina, Mode.PREPAID, name="a")
    small = await subscribed(shop, amina, Mode.PREPAID, plan_id="metered", name="b")
    dying: Any = _DiesAfter(shop.deps.db, left=1)
    with pytest.raises(KeyboardInterrupt):
        await pause(replace(shop.deps, db=dying), line)
    before = await subscription(shop, small)
    await bill_due(shop.deps)

    assert (before.state, before.hold) == ("suspended", "unpaid")
    assert (await subscription(shop, small)).state == "active"
