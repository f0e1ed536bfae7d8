"""Money that comes in: booked once, paying the oldest first, never to the wrong cent."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.accounts import adjustment
from billing.errors import InvalidField
from billing.invoice import DocumentKind
from billing.money import Money
from controller.store import debts, documents, payers, received
from controller.store.billing_rows import DebtRow, DocumentRow, ReceivedRow
from controller.store.database import Database
from controller.store.site_rows import NoticeRow
from controller.usecases.allocation import take_back_in
from controller.usecases.crediting import credit
from controller.usecases.money_in import WITHHELD, ReceiptUsed, ReceivedUnknown, receive, reverse
from controller.usecases.payers import SubscriberUnknown
from controller.usecases.wallets import IdUsed, WalletTooLow, adjust, transfer
from tests.support.books import assert_the_books_are_right, balances_now
from tests.support.builders import Killed, MortalDatabase, hex_id
from tests.support.charges import ANNE, BEN, a_line, a_subscriber, an_invoice, paid_in

if TYPE_CHECKING:
    from tests.support.builders import Moment, World

PARALLEL = 8


@pytest.fixture
async def anne(world: World) -> World:
    """The world with two subscribers, Anne and Ben."""
    await a_subscriber(world.deps)
    await a_subscriber(world.deps, "ben")
    return world


async def wallet(world: World, subscriber_id: str = ANNE) -> int:
    async with world.deps.db.read() as tx:
        return await received.wallet_minor(tx, subscriber_id)


async def owed(world: World, subscriber_id: str = ANNE) -> int:
    async with world.deps.db.read() as tx:
        return await debts.owed_minor(tx, subscriber_id)


async def open_of(world: World, document_id: str) -> int:
    async with world.deps.db.read() as tx:
        return (await tx.get_one(DebtRow, document_id)).open_minor


async def receipts(world: World) -> list[DocumentRow]:
    query = select(DocumentRow).where(DocumentRow.kind == DocumentKind.RECEIPT)
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(query.order_by(DocumentRow.number)))


async def test_money_pays_what_is_open_and_what_is_left_stays_in_the_wallet(anne: World) -> None:
    await an_invoice(anne.deps)
    await paid_in(anne.deps, 2_000)

    assert (await owed(anne), await wallet(anne)) == (0, 50_000)
    await assert_the_books_are_right(anne.deps.db)


async def test_the_oldest_debt_is_paid_first_and_the_next_in_part(anne: World) -> None:
    now = anne.deps.now()
    late = await an_invoice(anne.deps, cause="b", due_at=now + timedelta(days=9))
    early = await an_invoice(anne.deps, cause="a", due_at=now + timedelta(days=2))
    await paid_in(anne.deps, 2_000)

    assert (await open_of(anne, early.id), await open_of(anne, late.id)) == (0, 100_000)
    await assert_the_books_are_right(anne.deps.db)


async def test_many_small_payments_leave_exactly_nothing(anne: World) -> None:
    invoice = await an_invoice(anne.deps, ANNE, a_line(minor=100_001))
    for n, minor in enumerate((33_333, 33_333, 33_335)):
        await paid_in(anne.deps, name=f"part-{n}", minor=minor)

    assert (await open_of(anne, invoice.id), await wallet(anne)) == (0, 0)
    await assert_the_books_are_right(anne.deps.db)


async def test_each_money_has_a_receipt_that_says_what_it_paid(anne: World) -> None:
    await an_invoice(anne.deps)
    await paid_in(anne.deps, 2_000)
    (receipt,) = await receipts(anne)
    frozen = json.loads(receipt.frozen)

    assert (receipt.total_minor, receipt.series, receipt.number) == (200_000, "RCT-main", 1)
    assert frozen["paid"] == [{"number": "INV-main-000001", "amount_minor": 150_000}]
    assert frozen["wallet_minor"] == 50_000
    assert frozen["received"]["receipt"] == "R-money"


async def test_the_same_money_told_again_is_booked_once(anne: World) -> None:
    first = await paid_in(anne.deps)
    again = await paid_in(anne.deps)
    by_other_id = await paid_in(anne.deps, name="other", receipt="R-money")
    in_other_case = await paid_in(anne.deps, name="third", receipt="r-MONEY")

    assert first.id == again.id == by_other_id.id == in_other_case.id
    assert await wallet(anne) == 150_000
    assert len(await receipts(anne)) == 1
    await assert_the_books_are_right(anne.deps.db)


async def test_the_same_receipt_in_parallel_credits_once(anne: World, db_url: str) -> None:
    second = Database(db_url)
    other = anne.on(second)
    found = await asyncio.gather(
        *(
            paid_in(one.deps, name=f"try-{n}", receipt="SAME")
            for one in (anne, other)
            for n in range(PARALLEL)
        )
    )
    await second.close()

    assert len({one.id for one in found}) == 1
    assert await wallet(anne) == 150_000
    await assert_the_books_are_right(anne.deps.db)


async def test_a_receipt_that_brought_other_money_in_is_refused(anne: World) -> None:
    await paid_in(anne.deps)
    for spoilt in (
        paid_in(anne.deps, 1_000, name="other", receipt="R-money"),
        paid_in(anne.deps, 1_500, BEN, name="other", receipt="R-money"),
        paid_in(anne.deps, 1_500, receipt="R-other"),
    ):
        with pytest.raises(ReceiptUsed):
            await spoilt

    assert await wallet(anne) == 150_000
    await assert_the_books_are_right(anne.deps.db)


async def test_a_receipt_that_paid_for_a_hotspot_order_credits_nothing_more(anne: World) -> None:
    await anne.order()
    receipt = anne.gateway.pay(anne.last_provider_id, anne.clock())
    await anne.call_back()
    with pytest.raises(ReceiptUsed):
        await paid_in(anne.deps, 20, rail=anne.gateway.rail, receipt=receipt)

    assert await wallet(anne) == 0


async def test_a_receipt_that_was_entered_by_hand_credits_no_hotspot_order(anne: World) -> None:
    await anne.order()
    receipt = anne.gateway.pay(anne.last_provider_id, anne.clock())
    await paid_in(anne.deps, 20, rail=anne.gateway.rail, receipt=receipt)
    verdict = await anne.call_back()

    assert (verdict.text, verdict.settled) == ("receipt_used", False)
    await assert_the_books_are_right(anne.deps.db)


async def test_cash_without_a_number_lands_in_the_branch_s_till(anne: World) -> None:
    for name in ("one", "two"):
        await receive(
            anne.deps,
            msisdn_or_id=ANNE,
            amount=Money(5_000),
            rail="cash",
            receipt="",
            idempotent=hex_id(name),
        )

    assert (await balances_now(anne.deps.db))["asset:cash:main"] == 10_000


async def test_withheld_vat_settles_the_invoice_and_is_a_tax_credit(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await paid_in(anne.deps, minor=147_414)
    await receive(
        anne.deps,
        msisdn_or_id=ANNE,
        amount=Money(2_586),
        rail=WITHHELD,
        receipt="KRA-WHT-1",
        idempotent=hex_id("certificate"),
    )

    assert await open_of(anne, invoice.id) == 0
    assert (await balances_now(anne.deps.db))["asset:tax:withheld-vat"] == 2_586
    await assert_the_books_are_right(anne.deps.db)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", Money(0)),
        ("amount", Money(-5)),
        ("amount", Money(5, "USD")),
        ("rail", "M PESA"),
        ("receipt", "two words"),
        ("place", "a:b"),
        ("place", "another-branch"),
        ("note", "n" * 201),
        ("idempotent", "short"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    anne: World, field: str, value: object
) -> None:
    told = {
        "msisdn_or_id": ANNE,
        "amount": Money(100),
        "rail": "mpesa",
        "receipt": "R1",
        "idempotent": hex_id("money"),
        field: value,
    }
    with pytest.raises(InvalidField) as refused:
        await receive(anne.deps, **told)  # type: ignore[arg-type]

    assert refused.value.field == field


async def test_money_of_the_future_and_of_strangers_is_refused(anne: World) -> None:
    with pytest.raises(InvalidField, match="has come"):
        await receive(
            anne.deps,
            msisdn_or_id=ANNE,
            amount=Money(100),
            rail="cash",
            receipt="",
            idempotent=hex_id("money"),
            at=anne.deps.now() + timedelta(seconds=1),
        )
    with pytest.raises(SubscriberUnknown):
        await paid_in(anne.deps, subscriber_id="254700000000")


async def test_a_reversal_leads_back_to_the_same_balances(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    before = await balances_now(anne.deps.db)
    money = await paid_in(anne.deps, 2_000)
    await reverse(anne.deps, money.id, reason="sent by mistake")

    assert await balances_now(anne.deps.db) == before
    assert await open_of(anne, invoice.id) == 150_000
    await assert_the_books_are_right(anne.deps.db)


async def test_a_reversal_is_booked_once_and_told_to_staff_once(anne: World) -> None:
    await an_invoice(anne.deps)
    money = await paid_in(anne.deps)
    await asyncio.gather(*(reverse(anne.deps, money.id, reason="mistake") for _ in range(PARALLEL)))
    async with anne.deps.db.read() as tx:
        told = list(await tx.scalars(select(NoticeRow.code)))

    assert await owed(anne) == 150_000
    assert told == ["payment_reversed"]
    await assert_the_books_are_right(anne.deps.db)


async def test_a_reversal_opens_what_was_paid_last(anne: World) -> None:
    first = await an_invoice(anne.deps, cause="first")
    await paid_in(anne.deps, name="one")
    anne.clock.advance(60)
    second = await an_invoice(anne.deps, cause="second")
    money = await paid_in(anne.deps, name="two")
    await reverse(anne.deps, money.id, reason="mistake")

    assert (await open_of(anne, first.id), await open_of(anne, second.id)) == (0, 150_000)


async def test_of_what_was_paid_at_once_the_newest_are_open_again(anne: World) -> None:
    due = anne.deps.now()
    found = [
        await an_invoice(
            anne.deps, ANNE, a_line(100), cause=f"sale:{n}", due_at=due + timedelta(days=n)
        )
        for n in range(6)
    ]
    await paid_in(anne.deps, 600)
    async with anne.deps.db.begin() as tx:
        subscriber = (await payers.locked(tx, ANNE))[ANNE]
        await take_back_in(tx, subscriber, 300_00, anne.deps.now())

    async with anne.deps.db.read() as tx:
        rows = [await tx.get_one(DebtRow, one.id) for one in found]
    assert [row.open_minor for row in rows] == [0, 0, 0, 100_00, 100_00, 100_00]


async def test_reversed_money_that_went_to_a_friend_is_owed(anne: World) -> None:
    money = await paid_in(anne.deps, 1_000)
    await transfer(
        anne.deps, source=ANNE, target=BEN, amount=Money(70_000), idempotent=hex_id("gift")
    )
    await reverse(anne.deps, money.id, reason="mistake")

    assert (await owed(anne), await wallet(anne)) == (70_000, 0)
    assert await wallet(anne, BEN) == 70_000
    await assert_the_books_are_right(anne.deps.db)
    await paid_in(anne.deps, 700, name="again")
    assert (await owed(anne), await wallet(anne)) == (0, 0)
    await assert_the_books_are_right(anne.deps.db)


@pytest.mark.parametrize("shillings", [0, 700])
async def test_what_is_owed_for_reversed_money_can_be_forgiven(anne: World, shillings: int) -> None:
    """Its invoice filled the wallet up: a credit that emptied it again would give nothing."""
    money = await paid_in(anne.deps, 1_000)
    await transfer(
        anne.deps, source=ANNE, target=BEN, amount=Money(70_000), idempotent=hex_id("gift")
    )
    await reverse(anne.deps, money.id, reason="mistake")
    if shillings:
        await paid_in(anne.deps, shillings, name="again")
    async with anne.deps.db.read() as tx:
        cause = f"reversed:{money.id}"
        invoice = await documents.by_cause(tx, ANNE, DocumentKind.INVOICE, cause)
    assert invoice is not None
    await credit(anne.deps, invoice.id, amount=None, reason="old friend", idempotent=hex_id("c"))

    assert (await owed(anne), await wallet(anne)) == (0, shillings * 100)
    assert (await balances_now(anne.deps.db))[adjustment("main")] == 70_000
    await assert_the_books_are_right(anne.deps.db)


async def test_only_money_that_came_in_is_reversed_and_with_a_reason(anne: World) -> None:
    with pytest.raises(ReceivedUnknown):
        await reverse(anne.deps, "0" * 32, reason="mistake")
    with pytest.raises(InvalidField, match="reason"):
        await reverse(anne.deps, "0" * 32, reason=" ")


async def put(world: World, minor: int, *, name: str) -> None:
    """Staff put money into Anne's wallet, or take it out."""
    await adjust(
        world.deps,
        msisdn_or_id=ANNE,
        amount=Money(minor),
        reason="outage",
        idempotent=hex_id(name),
    )


async def test_staff_put_money_into_a_wallet_and_take_it_out_with_a_reason(anne: World) -> None:
    await an_invoice(anne.deps, ANNE, a_line(100))
    for _ in range(2):
        await put(anne, 15_000, name="up")
    for _ in range(2):
        await put(anne, -4_000, name="down")

    assert (await owed(anne), await wallet(anne)) == (0, 1_000)
    assert (await balances_now(anne.deps.db))["expense:main:adjustment"] == 11_000
    await assert_the_books_are_right(anne.deps.db)


async def test_an_id_stands_for_one_movement(anne: World) -> None:
    await put(anne, 15_000, name="up")
    with pytest.raises(IdUsed):
        await put(anne, 16_000, name="up")

    assert await wallet(anne) == 15_000


async def test_a_wallet_gives_no_more_than_it_holds(anne: World) -> None:
    await paid_in(anne.deps, 100)
    with pytest.raises(WalletTooLow, match="holds KES 100"):
        await transfer(
            anne.deps, source=ANNE, target=BEN, amount=Money(10_001), idempotent=hex_id("gift")
        )
    with pytest.raises(WalletTooLow, match="holds KES 100"):
        await put(anne, -10_001, name="down")

    assert (await wallet(anne), await wallet(anne, BEN)) == (10_000, 0)
    await assert_the_books_are_right(anne.deps.db)


async def test_a_gift_is_given_once_and_to_somebody_else(anne: World) -> None:
    await paid_in(anne.deps, 100)

    async def gift(source: str, target: str, *, minor: int = 4_000, name: str = "") -> None:
        await transfer(
            anne.deps,
            source=source,
            target=target,
            amount=Money(minor),
            idempotent=name or hex_id("gift"),
            note="for Ben",
        )

    await gift(ANNE, BEN)
    await gift(ANNE, BEN)
    for field, spoilt in (
        ("idempotent", gift(ANNE, BEN, minor=5_000)),
        ("idempotent", gift(ANNE, BEN, name="short")),
        ("amount", gift(ANNE, BEN, minor=0)),
        ("target", gift(ANNE, ANNE, name=hex_id("self"))),
        ("source", gift("nobody", ANNE)),
        ("target", gift(ANNE, "nobody")),
    ):
        with pytest.raises((InvalidField, IdUsed, SubscriberUnknown)) as refused:
            await spoilt
        assert getattr(refused.value, "field", "") == field

    assert (await wallet(anne), await wallet(anne, BEN)) == (6_000, 4_000)
    await assert_the_books_are_right(anne.deps.db)


async def test_a_gift_pays_what_the_friend_owes(anne: World) -> None:
    invoice = await an_invoice(anne.deps, BEN)
    await paid_in(anne.deps, 2_000)
    left = await transfer(
        anne.deps, source=ANNE, target=BEN, amount=Money(150_000), idempotent=hex_id("gift")
    )

    assert left == Money(50_000)
    assert await open_of(anne, invoice.id) == 0
    await assert_the_books_are_right(anne.deps.db)


async def test_spends_at_once_of_one_wallet_never_go_below_zero(anne: World, db_url: str) -> None:
    await paid_in(anne.deps, 1_000)
    second = Database(db_url)
    other = anne.on(second)

    async def gift(world: World, n: int) -> bool:
        try:
            await transfer(
                world.deps,
                source=ANNE,
                target=BEN,
                amount=Money(30_000),
                idempotent=hex_id(f"gift-{n}"),
            )
        except WalletTooLow:
            return False
        return True

    invoiced = [
        an_invoice(anne.deps, ANNE, a_line(50), cause=f"period:{n}") for n in range(PARALLEL // 4)
    ]
    gifts = [gift(one, n) for n, one in enumerate((anne, other) * (PARALLEL // 2))]
    given, _ = await asyncio.gather(asyncio.gather(*gifts), asyncio.gather(*invoiced))
    await second.close()

    assert 2 <= sum(given) <= 3
    assert await wallet(anne) >= 0
    assert await wallet(anne) + await wallet(anne, BEN) - await owed(anne) == 90_000
    await assert_the_books_are_right(anne.deps.db)


async def test_gifts_both_ways_at_once_do_not_wait_for_each_other(anne: World, db_url: str) -> None:
    await paid_in(anne.deps, 1_000)
    await paid_in(anne.deps, 1_000, BEN, name="ben")
    second = Database(db_url)
    other = anne.on(second)
    await asyncio.gather(
        *(
            transfer(
                one.deps, source=a, target=b, amount=Money(100), idempotent=hex_id(f"{a[:4]}{n}")
            )
            for n in range(PARALLEL)
            for one, a, b in ((anne, ANNE, BEN), (other, BEN, ANNE))
        )
    )
    await second.close()

    assert (await wallet(anne), await wallet(anne, BEN)) == (100_000, 100_000)
    await assert_the_books_are_right(anne.deps.db)


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
async def test_a_process_that_dies_leaves_nothing_half_done(
    anne: World, db_url: str, moment: Moment
) -> None:
    await an_invoice(anne.deps)
    mortal = MortalDatabase(db_url, nth=1, moment=moment)
    with pytest.raises(Killed):
        await paid_in(anne.on(mortal).deps)
    await mortal.close()
    await assert_the_books_are_right(anne.deps.db)
    await paid_in(anne.deps)

    assert (await owed(anne), await wallet(anne)) == (0, 0)
    assert len(await receipts(anne)) == 1
    await assert_the_books_are_right(anne.deps.db)


async def test_money_is_kept_as_it_was_told(anne: World) -> None:
    earlier = anne.deps.now() - timedelta(hours=3)
    taken = await receive(
        anne.deps,
        msisdn_or_id=ANNE,
        amount=Money(100),
        rail="bank",
        receipt="FT26330ABC",
        idempotent=hex_id("money"),
        at=earlier,
        note="from Ben",
    )
    async with anne.deps.db.read() as tx:
        kept = await tx.get_one(ReceivedRow, taken.row.id)

    assert (kept.at, kept.note, kept.place, kept.rail) == (earlier, "from Ben", "main", "bank")
