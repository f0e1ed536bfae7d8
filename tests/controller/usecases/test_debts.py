"""Debts: reminded of, charged for, suspended, promised, paid in parts, given up; each once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from billing.charge import Mode
from billing.dunning import Policy, Step, StepKind
from billing.errors import InvalidField
from billing.money import Money
from billing.period import Cycle, Unit, day_of
from controller.store import debts, dunning, received
from controller.store.billing_rows import DebtRow, DocumentRow, DunningStepRow, OperatorRow
from controller.store.database import Database
from controller.store.rows import SubscriberRow
from controller.store.site_rows import NoticeRow
from controller.usecases.billing_run import bill_due
from controller.usecases.debts import (
    DebtSettled,
    DebtUnknown,
    agree_instalments,
    dun_due,
    preview_dunning,
    promise,
    set_policy,
    write_off,
)
from controller.usecases.dunning import BATCH_MAX
from controller.usecases.messages import send_due
from controller.usecases.money_in import reverse
from controller.usecases.papers import address_of
from tests.support.books import assert_the_books_are_right, balances_now
from tests.support.builders import Killed, MortalDatabase, a_world, hex_id
from tests.support.charges import (
    ANNE,
    a_credit,
    a_gift_in,
    a_line,
    a_subscriber,
    an_invoice,
    paid_in,
)
from tests.support.contracts import subscribed, subscription, with_plans

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.builders import Moment, World

DAY = 86_400
PARALLEL = 6
STRICT = Policy(
    terms_days=7,
    steps=(
        Step(StepKind.REMIND, -3),
        Step(StepKind.FEE, 5, Money(10_000)),
        Step(StepKind.SUSPEND, 7),
        Step(StepKind.RECOVERY, 30),
    ),
)


@pytest.fixture
async def anne(world: World) -> World:
    """The world with one subscriber and an operator who says how to pay."""
    await a_subscriber(world.deps)
    async with world.deps.db.begin() as tx:
        await tx.execute(update(OperatorRow).values(name="Lango Net", pay_to="Tuma"))
    return world


def in_days(world: World, days: int) -> datetime:
    return world.deps.now() + timedelta(days=days)


async def steps(world: World) -> list[str]:
    async with world.deps.db.read() as tx:
        order = (DunningStepRow.at, DunningStepRow.step)
        return list(await tx.scalars(select(DunningStepRow.step).order_by(*order)))


async def debt_of(world: World, document_id: str) -> DebtRow:
    async with world.deps.db.read() as tx:
        return await tx.get_one(DebtRow, document_id)


async def messages(world: World) -> list[str]:
    """What was sent by SMS up to now."""
    await send_due(world.deps)
    return [text.text for text in world.sms.taken]


async def owed(world: World) -> int:
    async with world.deps.db.read() as tx:
        return await debts.owed_minor(tx, ANNE)


async def days_pass(world: World, days: int) -> None:
    """Days pass, with a look every six hours."""
    for _ in range(days * 4):
        world.clock.advance(DAY // 4)
        await dun_due(world.deps)


async def test_the_steps_of_the_policy_are_taken_one_after_the_other(anne: World) -> None:
    await an_invoice(anne.deps, due_at=in_days(anne, 7))
    await days_pass(anne, 40)

    assert await steps(anne) == [
        "remind-7",
        "remind-3",
        "remind+0",
        "remind+3",
        "suspend+7",
        "recovery+30",
    ]
    await assert_the_books_are_right(anne.deps.db)


async def test_three_days_down_are_caught_up_once(anne: World) -> None:
    await an_invoice(anne.deps, due_at=in_days(anne, 7))
    anne.clock.advance(15 * DAY)
    first, second = await dun_due(anne.deps), await dun_due(anne.deps)

    assert (first, second) == (2, 0)
    assert await steps(anne) == ["remind+3", "suspend+7"]
    assert len(await messages(anne)) == 1


async def test_two_schedulers_at_once_take_each_step_once(anne: World, db_url: str) -> None:
    await set_policy(anne.deps, "", STRICT)
    for n in range(PARALLEL):
        name = await a_subscriber(anne.deps, f"s{n}")
        await an_invoice(anne.deps, name, due_at=in_days(anne, 7))
    second = Database(db_url)
    other = anne.on(second)
    anne.clock.advance(15 * DAY)
    await asyncio.gather(*(dun_due(one.deps) for one in (anne, other) for _ in range(3)))
    await second.close()

    assert sorted(await steps(anne)) == sorted(["remind-3", "fee+5", "suspend+7"] * PARALLEL)
    assert len(await messages(anne)) == PARALLEL
    async with anne.deps.db.read() as tx:
        fees = list(
            await tx.scalars(select(DocumentRow.id).where(DocumentRow.cause.startswith("late-fee")))
        )
    assert len(fees) == PARALLEL
    await assert_the_books_are_right(anne.deps.db)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Lango Net: KES 1,500 of INV-main-000001 is due on 30/11/2026. Tuma"),
        (
            "sw",
            "Lango Net: KES 1,500 ya INV-main-000001 inatakiwa kulipwa kufikia 30/11/2026. Tuma",
        ),
    ],
)
async def test_a_reminder_leaves_as_a_text_in_the_subscriber_s_language(
    anne: World, language: str, said: str
) -> None:
    async with anne.deps.db.begin() as tx:
        await tx.execute(update(SubscriberRow).values(language=language))
    await an_invoice(anne.deps, due_at=in_days(anne, 7))
    await days_pass(anne, 4)

    assert await messages(anne) == [said]


async def test_an_invoice_is_sent_as_a_link_when_it_is_issued(anne: World) -> None:
    invoice = await an_invoice(anne.deps, due_at=in_days(anne, 7))
    await dun_due(anne.deps)
    (text,) = await messages(anne)
    link = address_of(anne.deps, invoice.id)

    assert text == f"Lango Net: KES 1,500 of INV-main-000001 is due on 30/11/2026. {link}"


@pytest.mark.parametrize(
    ("looked_at", "sent"),
    [("04:59:59", []), ("05:00:00", [1]), ("16:59:59", [1]), ("17:00:00", [])],
)
async def test_reminders_wake_nobody(anne: World, looked_at: str, sent: list[int]) -> None:
    await an_invoice(anne.deps, due_at=in_days(anne, 4))
    anne.clock.to(datetime.fromisoformat(f"2026-11-25T{looked_at}+00:00"))
    await dun_due(anne.deps)
    at_once = len(await messages(anne))
    for _ in range(13):
        anne.clock.advance(3_600)
        await send_due(anne.deps)

    assert at_once == len(sent)
    assert len(await messages(anne)) == 1


async def test_a_late_fee_is_an_invoice_of_its_own(anne: World) -> None:
    await set_policy(anne.deps, "residential", STRICT)
    invoice = await an_invoice(anne.deps)
    await days_pass(anne, 6)
    async with anne.deps.db.read() as tx:
        fee = (await tx.scalars(select(DocumentRow).where(DocumentRow.number == 2))).one()

    assert (fee.cause, fee.total_minor) == (f"late-fee:{invoice.id}:fee+5", 10_000)
    assert await owed(anne) == 160_000
    assert (await balances_now(anne.deps.db))["income:main:late-fee"] == -10_000
    await assert_the_books_are_right(anne.deps.db)


async def test_a_late_fee_that_is_not_paid_costs_no_further_fee(anne: World) -> None:
    await set_policy(anne.deps, "", STRICT)
    await an_invoice(anne.deps)
    await days_pass(anne, 60)

    assert await owed(anne) == 160_000


@pytest.mark.parametrize(("minor", "taken"), [(99, 0), (100, 3)])
async def test_nobody_is_reminded_or_suspended_for_less_than_a_shilling(
    anne: World, minor: int, taken: int
) -> None:
    await an_invoice(anne.deps)
    await paid_in(anne.deps, minor=150_000 - minor)
    await days_pass(anne, 31)

    assert len(await steps(anne)) == taken + (taken > 0)
    assert await owed(anne) == minor


async def test_a_full_payment_ends_dunning(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await days_pass(anne, 4)
    await paid_in(anne.deps)
    await days_pass(anne, 40)
    debt = await debt_of(anne, invoice.id)

    assert (debt.open_minor, debt.step_at) == (0, None)
    assert "suspend+7" not in await steps(anne)


async def test_nobody_is_pressed_for_what_the_wallet_holds(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    async with anne.deps.db.begin() as tx:
        # As it is while a reward has come in and its follow-up has not.
        await a_gift_in(tx, ANNE, 150_000, anne.deps.now())
    await days_pass(anne, 10)

    assert (await debt_of(anne, invoice.id)).open_minor == 0
    assert await steps(anne) == []
    await assert_the_books_are_right(anne.deps.db)


async def test_a_promise_holds_every_step_and_a_broken_one_makes_all_missed_steps_due(
    anne: World,
) -> None:
    invoice = await an_invoice(anne.deps)
    await days_pass(anne, 1)
    until = await promise(anne.deps, invoice.id, day=day_of(in_days(anne, 20)))
    await days_pass(anne, 19)

    assert await steps(anne) == ["remind+0"]
    await days_pass(anne, 3)
    assert anne.deps.now() > until
    assert await steps(anne) == ["remind+0", "remind+3", "suspend+7"]


async def test_a_promise_resumes_service_and_a_broken_one_suspends_it_again(anne: World) -> None:
    await with_plans(anne)
    line = await subscribed(anne, ANNE, Mode.ADVANCE)
    await bill_due(anne.deps)
    await days_pass(anne, 15)
    suspended = await subscription(anne, line)
    async with anne.deps.db.read() as tx:
        (document_id,) = await tx.scalars(select(DebtRow.document_id))
    await promise(anne.deps, document_id, day=day_of(in_days(anne, 2)))
    resumed = await subscription(anne, line)
    await days_pass(anne, 4)
    broken = await subscription(anne, line)

    assert (suspended.state, suspended.hold) == ("suspended", "debt")
    assert (resumed.state, resumed.hold) == ("active", None)
    assert (broken.state, broken.hold) == ("suspended", "debt")
    assert [step.partition("@")[0] for step in await steps(anne)].count("suspend+7") == 2
    await assert_the_books_are_right(anne.deps.db)


async def test_payment_resumes_service_and_its_reversal_suspends_it_again(anne: World) -> None:
    await with_plans(anne)
    line = await subscribed(anne, ANNE, Mode.ADVANCE)
    await bill_due(anne.deps)
    await days_pass(anne, 15)
    money = await paid_in(anne.deps, 3_000)
    paid = await subscription(anne, line)
    await reverse(anne.deps, money.id, reason="mistake")
    await dun_due(anne.deps)
    reversed_ = await subscription(anne, line)

    assert (paid.state, paid.hold) == ("active", None)
    assert (reversed_.state, reversed_.hold) == ("suspended", "debt")
    await assert_the_books_are_right(anne.deps.db)


async def test_nobody_is_suspended_for_a_cent(anne: World) -> None:
    await with_plans(anne)
    line = await subscribed(anne, ANNE, Mode.ADVANCE)
    await bill_due(anne.deps)
    await paid_in(anne.deps, minor=299_999)
    await days_pass(anne, 20)

    assert (await subscription(anne, line)).state == "active"
    assert await owed(anne) == 1


async def test_instalments_are_due_one_by_one(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    first = in_days(anne, 10)
    parts = await agree_instalments(
        anne.deps, invoice.id, count=3, first_due=first, cycle=Cycle(Unit.DAY, 10)
    )
    await days_pass(anne, 8)
    due = [(await debt_of(anne, invoice.id)).due_at]
    await paid_in(anne.deps, 500, name="one")
    due.append((await debt_of(anne, invoice.id)).due_at)
    await days_pass(anne, 10)
    await paid_in(anne.deps, 1_000, name="two")

    assert [part.amount.minor for part in parts] == [50_000] * 3
    assert due == [first, first + timedelta(days=10)]
    assert [step.partition("@")[0] for step in await steps(anne)] == [
        "remind-7",
        "remind-3",
        "remind-7",
        "remind-3",
    ]
    assert await owed(anne) == 0
    await assert_the_books_are_right(anne.deps.db)


async def test_a_missed_instalment_suspends_and_money_for_it_is_enough(anne: World) -> None:
    await with_plans(anne)
    line = await subscribed(anne, ANNE, Mode.ADVANCE)
    await bill_due(anne.deps)
    async with anne.deps.db.read() as tx:
        (document_id,) = await tx.scalars(select(DebtRow.document_id))
    await agree_instalments(
        anne.deps, document_id, count=2, first_due=in_days(anne, 1), cycle=Cycle(Unit.DAY, 20)
    )
    await days_pass(anne, 9)
    suspended = await subscription(anne, line)
    await paid_in(anne.deps, 1_500)
    paid = await subscription(anne, line)

    assert (suspended.state, suspended.hold) == ("suspended", "debt")
    assert (paid.state, paid.hold) == ("active", None)
    await assert_the_books_are_right(anne.deps.db)


async def test_an_agreement_ends_when_earlier_money_is_taken_back(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    money = await paid_in(anne.deps, 500)
    await agree_instalments(
        anne.deps, invoice.id, count=2, first_due=in_days(anne, 10), cycle=Cycle(Unit.WEEK)
    )
    await reverse(anne.deps, money.id, reason="mistake")
    debt = await debt_of(anne, invoice.id)
    async with anne.deps.db.read() as tx:
        parts = await dunning.parts_of(tx, invoice.id)

    assert (debt.open_minor, debt.due_at, parts) == (150_000, invoice.due_at, ())
    await assert_the_books_are_right(anne.deps.db)


async def test_what_cannot_be_agreed_is_refused(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    now = anne.deps.now()
    for count, first_due in ((1, in_days(anne, 1)), (2, now), (2, in_days(anne, 63))):
        with pytest.raises(InvalidField):
            await agree_instalments(
                anne.deps, invoice.id, count=count, first_due=first_due, cycle=Cycle(Unit.WEEK)
            )
    for day in (day_of(now) - timedelta(days=1), day_of(now) + timedelta(days=32)):
        with pytest.raises(InvalidField, match="day"):
            await promise(anne.deps, invoice.id, day=day)
    with pytest.raises(DebtUnknown):
        await promise(anne.deps, "0" * 32, day=day_of(now))
    await paid_in(anne.deps)
    with pytest.raises(DebtSettled):
        await promise(anne.deps, invoice.id, day=day_of(now))
    with pytest.raises(DebtSettled):
        await write_off(anne.deps, invoice.id, reason="moved away", idempotent=hex_id("loss"))
    with pytest.raises(InvalidField, match="idempotent"):
        await write_off(anne.deps, invoice.id, reason="moved away", idempotent="loss")


async def test_what_is_agreed_again_stays_as_it_is(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    day, first = day_of(in_days(anne, 3)), in_days(anne, 10)
    promised = [await promise(anne.deps, invoice.id, day=day) for _ in range(2)]
    agreed = [
        await agree_instalments(
            anne.deps, invoice.id, count=2, first_due=first, cycle=Cycle(Unit.WEEK)
        )
        for _ in range(2)
    ]

    assert promised[0] == promised[1]
    assert agreed[0] == agreed[1]


async def test_without_a_site_a_reminder_is_told_to_staff(db: Database, tmp_path: Path) -> None:
    world = a_world(db, tmp_path)
    await a_subscriber(world.deps)
    await an_invoice(world.deps, due_at=in_days(world, 1))
    await dun_due(world.deps)
    async with db.read() as tx:
        told = list(await tx.scalars(select(NoticeRow.code)))

    assert told == ["reminder_not_sent"]


async def test_a_debt_is_written_off_once(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await paid_in(anne.deps, 500)
    lost = [
        await write_off(anne.deps, invoice.id, reason="moved away", idempotent=hex_id("loss"))
        for _ in range(2)
    ]

    assert lost == [Money(100_000)] * 2
    assert (await balances_now(anne.deps.db))["expense:main:bad-debt"] == 100_000
    assert await owed(anne) == 0
    await assert_the_books_are_right(anne.deps.db)


async def test_a_credit_of_what_was_written_off_is_nobody_s_money(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await paid_in(anne.deps, 500)
    await write_off(anne.deps, invoice.id, reason="moved away", idempotent=hex_id("loss"))
    await a_credit(anne.deps, invoice, a_line())
    async with anne.deps.db.read() as tx:
        held = await received.wallet_minor(tx, ANNE)

    assert held == 50_000
    assert "expense:main:bad-debt" not in await balances_now(anne.deps.db)
    await assert_the_books_are_right(anne.deps.db)


async def test_the_recovery_list_holds_what_is_given_to_people(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await days_pass(anne, 31)
    async with anne.deps.db.read() as tx:
        listed = [document.id for _, document, _ in await dunning.in_recovery(tx)]
        told = list(await tx.scalars(select(NoticeRow.code)))
    await paid_in(anne.deps)
    async with anne.deps.db.read() as tx:
        after = await dunning.in_recovery(tx)

    assert (listed, told, after) == ([invoice.id], ["debt_to_recover"], [])


async def test_a_preview_says_what_is_then_done_and_writes_nothing(anne: World) -> None:
    await set_policy(anne.deps, "", STRICT)
    await an_invoice(anne.deps, due_at=in_days(anne, 7))
    upto = in_days(anne, 15)
    async with anne.deps.db.read() as tx:
        seen = await preview_dunning(tx, anne.deps, upto)
    before = await steps(anne)
    anne.clock.to(upto)
    await dun_due(anne.deps)

    assert before == []
    assert sorted(step.step for step in seen) == sorted(await steps(anne))
    assert [step.fee for step in seen if step.kind is StepKind.FEE] == [Money(10_000)]


async def test_a_preview_knows_instalments(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await agree_instalments(
        anne.deps, invoice.id, count=2, first_due=in_days(anne, 10), cycle=Cycle(Unit.DAY, 30)
    )
    await set_policy(anne.deps, "", STRICT)
    async with anne.deps.db.read() as tx:
        early = await preview_dunning(tx, anne.deps, in_days(anne, 6))
        late = await preview_dunning(tx, anne.deps, in_days(anne, 8))

    assert ([step.step for step in early], [step.step for step in late]) == ([], ["remind-3"])


async def test_a_policy_that_changes_repeats_no_step(anne: World) -> None:
    await an_invoice(anne.deps, due_at=in_days(anne, 7))
    await days_pass(anne, 5)
    await set_policy(anne.deps, "residential", STRICT)
    await days_pass(anne, 10)

    assert await steps(anne) == ["remind-7", "remind-3", "fee+5", "suspend+7"]


async def test_a_segment_without_a_policy_follows_that_of_all_others(anne: World) -> None:
    await set_policy(anne.deps, "", STRICT)
    async with anne.deps.db.read() as tx:
        found = await dunning.policy_for(tx, "business")
    with pytest.raises(InvalidField, match="segment"):
        await set_policy(anne.deps, "rich", STRICT)

    assert found == STRICT


async def test_a_round_takes_all_that_is_due_however_much_it_is(anne: World) -> None:
    for n in range(BATCH_MAX + 1):
        name = await a_subscriber(anne.deps, f"s{n}")
        await an_invoice(anne.deps, name)
    anne.clock.advance(8 * DAY)

    assert await dun_due(anne.deps) == 2 * (BATCH_MAX + 1)


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
async def test_a_scheduler_that_dies_leaves_no_step_half_done(
    anne: World, db_url: str, moment: Moment
) -> None:
    await set_policy(anne.deps, "", STRICT)
    await an_invoice(anne.deps, due_at=in_days(anne, 7))
    anne.clock.advance(15 * DAY)
    mortal = MortalDatabase(db_url, nth=1, moment=moment)
    with pytest.raises(ExceptionGroup) as died:
        await dun_due(anne.on(mortal).deps)
    await mortal.close()
    await dun_due(anne.deps)

    assert died.group_contains(Killed)
    assert await steps(anne) == ["fee+5", "remind-3", "suspend+7"]
    assert len(await messages(anne)) == 1
    assert await owed(anne) == 160_000
    await assert_the_books_are_right(anne.deps.db)
