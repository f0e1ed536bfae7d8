"""Money that is not where it should be: what stands on the page, and what its buttons do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.payments.seen import Road
from controller.rights import Role
from controller.store.code_rows import DoubleRedemptionRow
from controller.store.payment_rows import DifferenceRow
from controller.usecases import refunds
from tests.support.database import db_url
from tests.support.desk import ELSEWHERE, at_desk, told_after
from tests.support.incoming import applied, bought, came
from tests.support.office import NOON, Office, a_grant, a_plan, a_site, a_subscriber

if TYPE_CHECKING:
    from datetime import date

__all__ = ["db_url"]

PATH = "/noc/exceptions"
DIFFERENCE = "d" * 32


@pytest.fixture
async def estate(office: Office) -> Office:
    """A site, a plan, and Wanjiku."""
    whose = a_subscriber()
    whose.name = "Wanjiku Mwangi"
    await office.keep(a_site(), a_plan(), whose)
    return office


def a_difference(day: date) -> DifferenceRow:
    return DifferenceRow(
        id=DIFFERENCE, rail="mpesa", place="600111", day=day, kind="missing_here",
        receipt="SGHDIFFERS", told_minor=50_000, booked_minor=None, state="open", explanation="",
        found_at=NOON, closed_at=None,
    )  # fmt: skip


async def page(office: Office, branches: frozenset[str] | None = None) -> str:
    async with at_desk(office, Role.BILLING, branches) as client:
        answer = await client.get(PATH)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_an_empty_page_is_nice_about_it(estate: Office) -> None:
    assert "Nothing needs you." in await page(estate)


async def test_who_paid_waits_after_ten_seconds_and_not_before(estate: Office) -> None:
    order = await bought(estate)
    estate.clock.forward(seconds=9)
    soon = await page(estate)
    estate.clock.forward(seconds=2)
    late = await page(estate)

    assert (order in soon, order in late) == (False, True)
    assert "The site is heard and has not taken the access yet." in late
    assert "Nothing needs you." not in late


async def test_money_of_nobody_stands_with_its_likeliest_owner(estate: Office) -> None:
    typed = await came(estate, reference="0712345679", payer_name="WANJIKU")
    doubted = await came(estate, "DOUBTED1", 9_000, road=Road.CONFIRMATION)
    shown = await page(estate)

    for words in ("SGH7K2Q0XD", "Wanjiku Mwangi", typed.arrival_id, "DOUBTED1", "unconfirmed"):
        assert words in shown, words
    assert doubted.arrival_id in shown


async def test_what_was_paid_twice_and_taken_back_is_told(estate: Office) -> None:
    await bought(estate)
    estate.clock.forward(seconds=1)
    await applied(estate)
    async with at_desk(estate) as client:
        shown = (await client.get("/noc/payments")).text
    reference = ""
    async with estate.deps.db.read() as tx:
        from controller.store import payments

        order = next(part for part in shown.split('id="payment-')[1:])[:32]
        row = await payments.load(tx, order)
        assert row is not None
        reference = row.reference
    await came(estate, "AGAIN1", 10, reference=reference)
    await came(estate, "GONE1", 300, reference="254712345678")
    await refunds.returned(estate.deps, "mpesa", "GONE1", reason="reversed", at=estate.clock())
    shown = await page(estate)

    for words in ("AGAIN1", "paid a second time", "GONE1", "taken back by the provider"):
        assert words in shown, words


async def test_a_voucher_used_twice_is_told_with_its_loss(estate: Office) -> None:
    await estate.keep(
        a_grant("8" * 32, cause_id="second"),
        DoubleRedemptionRow(
            redemption_id="e" * 32, kind="voucher", code_name="x", plan_id="hours-2",
            first_grant_id="9" * 32, grant_id="8" * 32, site_id="estate-1", found_at=NOON,
            amount_minor=1_000, currency="KES",
        ),
    )  # fmt: skip
    shown = await page(estate)

    assert "a voucher was used twice" in shown
    assert "Nothing needs you." in shown


async def test_a_difference_is_explained_and_then_gone_from_the_page(estate: Office) -> None:
    await estate.keep(a_difference(NOON.date()))
    async with at_desk(estate, Role.BILLING) as client:
        before = (await client.get(PATH)).text
        path = f"/noc/differences/{DIFFERENCE}"
        other = await client.post(f"{path}/explain", data={"text": "x"}, headers=ELSEWHERE)
        untold = await told_after(client, await client.post(f"{path}/compare"))
        after = await told_after(
            client, await client.post(f"{path}/explain", data={"text": "the bank knows"})
        )

    assert "the statement has it, our books do not" in before
    assert other.status_code == 403
    assert "No statement tells of" in untold
    assert ("The explanation is kept." in after, "SGHDIFFERS" in after) == (True, False)


async def test_who_is_held_to_a_branch_sees_only_its_own(estate: Office) -> None:
    order = await bought(estate)
    await came(estate)
    await estate.keep(a_difference(NOON.date()))
    estate.clock.forward(seconds=30)
    here, elsewhere = (
        await page(estate, frozenset({"main"})),
        await page(estate, frozenset({"sea"})),
    )

    assert (order in here, order in elsewhere) == (True, False)
    for shown in (here, elsewhere):
        assert "SGH7K2Q0XD" not in shown
        assert "SGHDIFFERS" not in shown
    async with at_desk(estate, Role.BILLING, frozenset({"main"})) as client:
        answer = await client.post(f"/noc/differences/{DIFFERENCE}/explain", data={"text": "x"})
    assert answer.status_code == 403


async def test_a_cashier_is_refused(estate: Office) -> None:
    async with at_desk(estate, Role.CASHIER) as client:
        answer = await client.get(PATH)

    assert answer.status_code == 403
