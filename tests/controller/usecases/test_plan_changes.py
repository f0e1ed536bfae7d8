"""Changes of plan: what is quoted is what is booked, to the cent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.charge import Mode
from billing.errors import (
    InvalidField,
    SubscriptionEnded,
    SubscriptionPaused,
    SubscriptionSuspended,
)
from billing.money import Money
from controller.usecases.pauses import pause
from controller.usecases.plan_changes import (
    QuoteChanged,
    WalletTooLow,
    change_at_renewal,
    change_now,
    quote,
)
from controller.usecases.subscriptions import SubscriptionUnknown, end, suspend
from tests.support.contracts import (
    FASTER,
    FIBRE,
    GB,
    METERED,
    a_subscriber,
    at,
    credits_of,
    documents,
    grants_of,
    invoices,
    lines_of,
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
    from tests.support.builders import World


@pytest.mark.parametrize("mode", [Mode.PREPAID, Mode.ADVANCE])
@pytest.mark.parametrize("day", ["2027-09-01", "2027-09-12", "2027-09-30"])
async def test_change_now_books_what_was_quoted(shop: World, mode: Mode, day: str) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 9_000)
    line = await subscribed(shop, amina, mode)
    shop.clock.to(at(day, "17:23"))
    asked = await quote(shop.deps, line, FASTER)
    nothing_yet = await documents(shop, amina)
    before = await wallet(shop, amina)
    await change_now(shop.deps, line, FASTER, quoted=asked.change.to_pay)

    found = await documents(shop, amina)
    assert len(nothing_yet) == 2  # the receipt and the first invoice
    assert await credits_of(shop, amina) == [asked.change.credited.minor]
    assert [one for one in found if one.kind == "invoice"][-1].total_minor == (
        asked.change.charged.minor
    )
    assert before - await wallet(shop, amina) == asked.change.to_pay.minor
    assert (await the_grant(shop, line)).plan_id == FASTER
    assert [one.ended_reason for one in await grants_of(shop, amina)] == ["renewed", None]
    assert (await subscription(shop, line)).bill_at == at("2027-10-01")
    assert asked.change.next_price == Money(6_000_00)


async def test_change_in_the_middle_gives_back_the_old_rest_and_charges_the_new(
    shop: World,
) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 9_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    shop.clock.to(at("2027-09-16", "10:00"))
    await change_now(shop.deps, line, FASTER)
    await pays(shop, amina, 6_000)
    await run_at(shop, "2027-10-01")

    assert await credits_of(shop, amina) == [1_500_00]
    assert await invoices(shop, amina) == [
        ("09-01/10-01", 3_000),
        ("09-16/10-01", 3_000),
        ("10-01/11-01", 6_000),
    ]


async def test_two_changes_on_one_day_charge_the_day_once(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 20_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    await change_now(shop.deps, line, FASTER)
    shop.clock.to(at("2027-09-01", "13:00"))
    await change_now(shop.deps, line, FIBRE)

    assert await wallet(shop, amina) == 17_000_00


async def test_volume_of_the_first_day_is_charged_though_its_plan_is_left(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 20_000)
    line = await subscribed(shop, amina, Mode.PREPAID, plan_id=METERED)
    await used(shop, (await the_grant(shop, line)).id, 2 * GB)
    await change_now(shop.deps, line, FIBRE)
    await run_at(shop, "2027-10-01")

    assert [minor for kind, _, minor in await lines_of(shop, amina) if kind == "usage"] == [20_00]


async def test_prepaid_change_wants_the_difference_in_the_wallet(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 4_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    shop.clock.to(at("2027-09-16", "10:00"))
    asked = await quote(shop.deps, line, FASTER)

    assert asked.missing == Money(500_00)
    with pytest.raises(WalletTooLow) as refusal:
        await change_now(shop.deps, line, FASTER)
    assert refusal.value.missing == Money(500_00)
    assert (await subscription(shop, line)).plan_id == FIBRE


async def test_change_down_puts_the_difference_into_the_wallet(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 6_000)
    line = await subscribed(shop, amina, Mode.PREPAID, plan_id=FASTER)
    shop.clock.to(at("2027-09-16", "10:00"))
    await change_now(shop.deps, line, FIBRE)

    assert await wallet(shop, amina) == 1_500_00


async def test_change_in_arrears_bills_what_was_served_on_the_old_plan(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ARREARS)
    shop.clock.to(at("2027-09-11", "10:00"))
    asked = await quote(shop.deps, line, FASTER)
    await change_now(shop.deps, line, FASTER)
    await run_at(shop, "2027-10-01")

    assert asked.change.to_pay == Money(0)
    assert await invoices(shop, amina) == [("09-01/09-11", 1_000), ("09-11/10-01", 4_000)]
    assert await owes(shop, amina) == 5_000_00


async def test_change_at_renewal_waits_for_it_and_drops_the_bespoke_price(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 20_000)
    line = await subscribed(shop, amina, Mode.PREPAID, price=Money(2_000_00))
    await change_at_renewal(shop.deps, line, FASTER)
    noted = await subscription(shop, line)
    await run_at(shop, "2027-10-01")

    after = await subscription(shop, line)
    assert (noted.plan_id, noted.next_plan_id) == (FIBRE, FASTER)
    assert (after.plan_id, after.next_plan_id, after.price_minor) == (FASTER, None, None)
    assert (await the_grant(shop, line)).plan_id == FASTER
    assert await invoices(shop, amina) == [("09-01/10-01", 2_000), ("10-01/11-01", 6_000)]


async def test_change_at_renewal_in_arrears_bills_the_old_plan_first(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ARREARS)
    await change_at_renewal(shop.deps, line, FASTER)
    await run_at(shop, "2027-10-01")
    await pays(shop, amina, 3_000)
    await run_at(shop, "2027-11-01")

    assert await invoices(shop, amina) == [("09-01/10-01", 3_000), ("10-01/11-01", 6_000)]


async def test_noted_change_can_be_taken_back(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    await change_at_renewal(shop.deps, line, FASTER)
    await change_at_renewal(shop.deps, line, FIBRE)

    assert (await subscription(shop, line)).next_plan_id is None


async def test_bespoke_price_is_changed_like_a_plan(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    shop.clock.to(at("2027-09-16", "10:00"))
    await change_now(shop.deps, line, FIBRE, price=Money(1_000_00))

    assert await wallet(shop, amina) == 1_000_00
    assert (await subscription(shop, line)).price_minor == 1_000_00


async def test_what_waits_to_begin_changes_without_money(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE, begins_at=at("2027-09-10"))
    await change_now(shop.deps, line, FASTER)
    await run_at(shop, "2027-09-10")

    assert await invoices(shop, amina) == [("09-10/10-10", 6_000)]


async def test_change_that_costs_something_else_by_now_is_refused(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    asked = await quote(shop.deps, line, FASTER)
    shop.clock.to(at("2027-09-02"))

    with pytest.raises(QuoteChanged):
        await change_now(shop.deps, line, FASTER, quoted=asked.change.to_pay)
    assert await credits_of(shop, amina) == []


async def test_changes_that_cannot_be_are_refused(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    with pytest.raises(SubscriptionUnknown):
        await quote(shop.deps, "never", FASTER)
    with pytest.raises(InvalidField, match="already"):
        await quote(shop.deps, line, FIBRE)
    with pytest.raises(InvalidField, match="validity"):
        await quote(shop.deps, line, "hour")
    with pytest.raises(InvalidField, match="price"):
        await quote(shop.deps, line, METERED, price=Money(-1))
    await suspend(shop.deps, line)
    with pytest.raises(SubscriptionSuspended):
        await quote(shop.deps, line, METERED)
    other = await subscribed(shop, amina, Mode.ADVANCE, name="b")
    await pause(shop.deps, other)
    with pytest.raises(SubscriptionPaused):
        await change_now(shop.deps, other, METERED)
    await end(shop.deps, other)

    with pytest.raises(SubscriptionEnded):
        await change_at_renewal(shop.deps, other, METERED)
