"""Subscriptions live: served, billed, held back, served again, ended; each mode in its way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from billing.charge import Mode
from billing.errors import InvalidField
from billing.money import Money
from billing.period import Cycle, Unit
from billing.subscription import Hold
from controller.usecases.agreements import NewSubscription, SubscriptionDiffers
from controller.usecases.subscriptions import SubscriptionUnknown, end, resume, start, suspend
from tests.support.builders import MAC, SITE, hex_id
from tests.support.contracts import (
    FIBRE,
    GB,
    METERED,
    MONTH,
    a_subscriber,
    at,
    credits_of,
    grants_of,
    invoices,
    is_told,
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


async def test_prepaid_is_renewed_lapses_and_begins_anew_with_money(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 7_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    await run_at(shop, "2027-10-01")
    await run_at(shop, "2027-11-01")
    lapsed, held = await subscription(shop, line), await the_grant(shop, line)
    shop.clock.to(at("2027-11-05", "15:00"))
    await pays(shop, amina, 1_999)
    too_little = await subscription(shop, line)
    await pays(shop, amina, 1)

    renewed = await subscription(shop, line)
    assert (lapsed.state, lapsed.hold, lapsed.bill_at) == ("suspended", "unpaid", None)
    assert held.suspended_at is not None
    assert (too_little.state, too_little.hold, too_little.bill_at) == ("suspended", "unpaid", None)
    assert (renewed.state, renewed.hold, renewed.bill_at) == ("active", None, at("2027-12-05"))
    assert await invoices(shop, amina) == [
        ("09-01/10-01", 3_000),
        ("10-01/11-01", 3_000),
        ("11-05/12-05", 3_000),
    ]
    assert await wallet(shop, amina) == await owes(shop, amina) == 0
    assert [grant.ended_reason for grant in await grants_of(shop, amina)] == [
        "renewed",
        "renewed",
        None,
    ]


async def test_prepaid_without_money_waits_for_it(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.PREPAID)

    assert (await subscription(shop, line)).hold == Hold.UNPAID
    assert (await invoices(shop, amina), await grants_of(shop, amina)) == ([], [])


async def test_advance_is_billed_before_and_suspended_for_debt_and_resumed(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    await run_at(shop, "2027-09-15")
    held, off = await subscription(shop, line), await the_grant(shop, line)
    await run_at(shop, "2027-10-03")
    shop.clock.to(at("2027-10-11", "18:00"))
    await pays(shop, amina, 3_000)

    back, on = await subscription(shop, line), await the_grant(shop, line)
    assert (held.state, held.hold, held.bill_at) == ("suspended", "debt", None)
    assert off.suspended_at is not None
    assert (back.state, back.hold, back.bill_at) == ("active", None, at("2027-11-01"))
    assert on.suspended_at is None
    assert on.id != off.id
    assert await invoices(shop, amina) == [("09-01/10-01", 3_000), ("10-11/11-01", 2_032)]


async def test_who_pays_the_debt_within_the_period_goes_on_with_it(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    grant = await the_grant(shop, line)
    await run_at(shop, "2027-09-15")
    await pays(shop, amina, 3_000)

    back, same = await subscription(shop, line), await the_grant(shop, line)
    assert (back.state, back.bill_at) == ("active", at("2027-10-01"))
    assert (same.id, same.suspended_at) == (grant.id, None)
    assert await invoices(shop, amina) == [("09-01/10-01", 3_000)]


async def test_part_of_the_debt_resumes_nothing(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    await run_at(shop, "2027-09-15")
    await pays(shop, amina, 2_998)
    still = await subscription(shop, line)
    await pays(shop, amina, 2)

    assert still.hold == Hold.DEBT
    assert (await subscription(shop, line)).state == "active"


async def test_debt_that_has_not_come_to_its_suspension_keeps_nobody_suspended(
    shop: World,
) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE, name="a")
    await subscribed(shop, amina, Mode.ADVANCE, name="b", begins_at=at("2027-09-05"))
    await run_at(shop, "2027-09-05")
    await run_at(shop, "2027-09-15")
    held = await subscription(shop, line)
    await pays(shop, amina, 3_000)
    back = await subscription(shop, line)
    await run_at(shop, "2027-09-19")

    assert (held.hold, back.state) == (Hold.DEBT, "active")
    assert (await subscription(shop, line)).hold == Hold.DEBT


async def test_arrears_is_served_first_and_billed_at_the_end_with_its_volume(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ARREARS, plan_id=METERED)
    at_first = await invoices(shop, amina)
    await used(shop, (await the_grant(shop, line)).id, 12 * GB)
    await run_at(shop, "2027-10-01")

    assert at_first == []
    assert await invoices(shop, amina) == [("09-01/10-01", 1_120)]
    assert await lines_of(shop, amina) == [
        ("plan", "Metered, 2027-09-01 to 2027-09-30", 1_000_00),
        ("usage", "Metered: 12,000 MB", 120_00),
    ]
    assert (await subscription(shop, line)).bill_at == at("2027-11-01")


async def test_arrears_held_for_debt_is_billed_for_what_was_served(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ARREARS)
    await run_at(shop, "2027-10-01")
    await run_at(shop, "2027-10-15")
    held = await subscription(shop, line)
    shop.clock.to(at("2027-10-22", "12:00"))
    await pays(shop, amina, 3_000)
    resumed = await invoices(shop, amina)
    await run_at(shop, "2027-11-01")

    assert held.hold == Hold.DEBT
    assert resumed == [("09-01/10-01", 3_000), ("10-01/10-15", 1_354)]
    assert await invoices(shop, amina) == [*resumed, ("10-22/11-01", 967)]


async def test_late_use_is_charged_on_the_next_invoice_and_changes_none(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 10_000)
    line = await subscribed(shop, amina, Mode.ADVANCE, plan_id=METERED)
    september = (await the_grant(shop, line)).id
    await used(shop, september, 3 * GB)
    await run_at(shop, "2027-10-01")
    before = await lines_of(shop, amina)
    await used(shop, september, 5 * GB)
    await used(shop, (await the_grant(shop, line)).id, GB)
    await run_at(shop, "2027-11-01")
    await run_at(shop, "2027-12-01")

    found = await lines_of(shop, amina)
    assert found[: len(before)] == before
    assert sorted(minor for kind, _, minor in found if kind == "usage") == [1000, 2000, 3000]


async def test_hybrid_of_all_modes_stands_on_one_invoice(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 4_000)
    prepaid = await subscribed(shop, amina, Mode.PREPAID, name="a")
    await subscribed(shop, amina, Mode.ADVANCE, plan_id=METERED, name="b")
    await subscribed(shop, amina, Mode.ARREARS, plan_id=METERED, name="c")
    await pays(shop, amina, 3_500)
    await run_at(shop, "2027-10-01")

    assert (await subscription(shop, prepaid)).state == "active"
    assert await invoices(shop, amina) == [
        ("09-01/10-01", 3_000),
        ("09-01/10-01", 1_000),
        ("10-01/11-01", 4_000),
        ("09-01/10-01", 1_000),
    ]
    assert (await owes(shop, amina), await wallet(shop, amina)) == (1_500_00, 0)


async def test_second_subscription_for_a_period_that_is_invoiced_gets_its_own(shop: World) -> None:
    amina = await a_subscriber(shop)
    await subscribed(shop, amina, Mode.ADVANCE, name="a")
    await subscribed(shop, amina, Mode.ADVANCE, name="b")
    await run_at(shop, "2027-10-01")

    assert await invoices(shop, amina) == [
        ("09-01/10-01", 3_000),
        ("09-01/10-01", 3_000),
        ("10-01/11-01", 6_000),
    ]


async def test_fixed_day_cuts_the_first_period_short(shop: World) -> None:
    amina = await a_subscriber(shop)
    cycle = Cycle(Unit.MONTH, anchor_day=16)
    await subscribed(shop, amina, Mode.ADVANCE, cycle=cycle)
    await run_at(shop, "2027-09-16")

    assert await invoices(shop, amina) == [("09-01/09-16", 1_451), ("09-16/10-16", 3_000)]


async def test_subscription_that_begins_later_is_served_then(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ARREARS, begins_at=at("2027-09-10"))
    waiting = await subscription(shop, line)
    await run_at(shop, "2027-09-10", "08:00")
    begun = await subscription(shop, line)
    await run_at(shop, "2027-10-10")

    assert (waiting.state, waiting.grant_id) == ("pending", None)
    assert (begun.state, begun.bill_at) == ("active", at("2027-10-10"))
    assert await invoices(shop, amina) == [("09-10/10-10", 3_000)]


async def test_bespoke_price_goes_before_all_others(shop: World) -> None:
    amina = await a_subscriber(shop)
    await subscribed(shop, amina, Mode.ADVANCE, price=Money(2_500_00))

    assert await invoices(shop, amina) == [("09-01/10-01", 2_500)]


async def test_staff_suspend_and_resume_without_billing_anew(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    await suspend(shop.deps, line)
    await suspend(shop.deps, line)
    held, off = await subscription(shop, line), await the_grant(shop, line)
    shop.clock.to(at("2027-09-05"))
    await resume(shop.deps, line)
    await resume(shop.deps, line)

    back, on = await subscription(shop, line), await the_grant(shop, line)
    assert (held.hold, held.bill_at) == ("staff", None)
    assert (off.suspended_at is None, on.suspended_at) == (False, None)
    assert (back.state, back.bill_at) == ("active", at("2027-10-01"))
    assert len(await invoices(shop, amina)) == 1


async def test_who_is_in_debt_stays_suspended_when_staff_lift_their_own_hold(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    await run_at(shop, "2027-09-15")
    await suspend(shop.deps, line)
    await resume(shop.deps, line)
    owing = await subscription(shop, line)
    await resume(shop.deps, line)

    assert owing.hold == Hold.DEBT
    assert (await subscription(shop, line)).state == "active"


async def test_prepaid_service_goes_on_while_another_is_held_for_debt(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    prepaid = await subscribed(shop, amina, Mode.PREPAID, name="a")
    advance = await subscribed(shop, amina, Mode.ADVANCE, name="b")
    await run_at(shop, "2027-09-15")

    assert (await subscription(shop, prepaid)).state == "active"
    assert (await subscription(shop, advance)).hold == Hold.DEBT


async def test_ended_subscription_is_revoked_and_its_rest_credited(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    shop.clock.to(at("2027-09-15", "10:00"))
    await end(shop.deps, line)
    await end(shop.deps, line)
    await run_at(shop, "2027-12-01")

    over = await subscription(shop, line)
    assert (over.state, over.bill_at) == ("ended", None)
    assert (await the_grant(shop, line)).ended_reason == "revoked"
    assert await credits_of(shop, amina) == [1_500_00]
    assert await wallet(shop, amina) == 1_500_00
    assert len(await invoices(shop, amina)) == 1


async def test_ended_without_credit_keeps_the_money(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    await end(shop.deps, line, credit_rest=False)

    assert await credits_of(shop, amina) == []


async def test_ended_in_arrears_is_billed_for_what_was_served(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ARREARS)
    shop.clock.to(at("2027-09-15", "10:00"))
    await end(shop.deps, line)

    assert await invoices(shop, amina) == [("09-01/09-16", 1_500)]


@pytest.mark.parametrize("mode", Mode)
async def test_volume_is_charged_when_it_ends(shop: World, mode: Mode) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 1_000)
    line = await subscribed(shop, amina, mode, plan_id=METERED)
    await used(shop, (await the_grant(shop, line)).id, 7 * GB)
    await end(shop.deps, line, credit_rest=False)

    assert [minor for kind, _, minor in await lines_of(shop, amina) if kind == "usage"] == [70_00]


async def test_site_is_told_of_the_new_period_and_forgets_the_old(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 6_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    old = (await the_grant(shop, line)).id
    await run_at(shop, "2027-10-01")
    new = (await the_grant(shop, line)).id

    assert (await is_told(shop, old), await is_told(shop, new)) == (False, True)


async def test_starting_again_changes_nothing_and_other_terms_are_refused(shop: World) -> None:
    amina = await a_subscriber(shop)
    new = NewSubscription(
        id=hex_id("one"),
        subscriber=amina,
        plan_id=FIBRE,
        site_id=SITE,
        mode=Mode.ADVANCE,
        cycle=MONTH,
        devices=(MAC,),
    )
    await start(shop.deps, new)
    await start(shop.deps, new)

    with pytest.raises(SubscriptionDiffers):
        await start(shop.deps, replace(new, mode=Mode.PREPAID))
    assert len(await invoices(shop, amina)) == 1


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("id", {"id": "short"}),
        ("plan_id", {"plan_id": "never"}),
        ("plan_id", {"plan_id": "hour"}),
        ("site_id", {"site_id": "nowhere"}),
        ("price", {"price": Money(-1)}),
        ("begins_at", {"begins_at": at("2027-08-31", "23:59")}),
        ("devices", {"devices": ("nonsense",)}),
    ],
)
async def test_terms_that_cannot_be_are_refused_by_field(
    shop: World, field: str, change: dict[str, Any]
) -> None:
    amina = await a_subscriber(shop)
    new = NewSubscription(
        id=hex_id("one"),
        subscriber=amina,
        plan_id=FIBRE,
        site_id=SITE,
        mode=Mode.ADVANCE,
        cycle=MONTH,
    )

    with pytest.raises(InvalidField) as refusal:
        await start(shop.deps, replace(new, **change))
    assert refusal.value.field == field


async def test_unknown_subscription_is_refused(shop: World) -> None:
    with pytest.raises(SubscriptionUnknown):
        await suspend(shop.deps, "never")
