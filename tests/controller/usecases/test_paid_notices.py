"""Whoever paid is told: in one SMS, in a letter where there is an address, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from billing.invoice import DocumentKind, shown_number
from billing.money import Money
from billing.msisdn import Msisdn
from controller.config_sections import OperatorSettings
from controller.notify.gsm7 import parts
from controller.store.billing_rows import DocumentRow, OperatorRow, ReceivedRow
from controller.store.rows import PaymentRow, SmsRow, SubscriberRow
from controller.store.site_rows import SiteRow
from controller.usecases import emails, messages, paid_notices
from controller.usecases.papers import address_of
from tests.support.builders import OTHER_PHONE, an_order_id
from tests.support.charges import ANNE, a_subscriber, an_invoice, paid_in

if TYPE_CHECKING:
    from tests.support.builders import World

EMAIL = "anne@example.co.ke"


@pytest.fixture
async def anne(world: World) -> World:
    """The world with Anne, who has an account and an address, of an operator with a name."""
    await a_subscriber(world.deps, email=EMAIL)
    async with world.deps.db.begin() as tx:
        await tx.execute(update(OperatorRow).values(name="Mtaa Net", colour="#0a7d4f"))
    return world


def who_gets(world: World, receipts: str) -> World:
    told = world.deps.settings.model_copy(
        update={"operator": OperatorSettings.model_validate({"receipts": receipts})}
    )
    return replace(world, deps=replace(world.deps, settings=told))


async def told(world: World, row: ReceivedRow) -> None:
    """What settles the money tells of it, twice, and both leave."""
    for _ in range(2):
        async with world.deps.db.begin() as tx:
            await paid_notices.received_in(tx, world.deps, row)
    await left(world)


async def left(world: World) -> None:
    await messages.send_due(world.deps)
    await emails.send_due(world.deps)


async def phone_of(world: World, subscriber_id: str = ANNE) -> Msisdn:
    async with world.deps.db.read() as tx:
        return Msisdn((await tx.get_one(SubscriberRow, subscriber_id)).msisdn)


async def the_receipt(world: World) -> DocumentRow:
    async with world.deps.db.read() as tx:
        query = select(DocumentRow).where(DocumentRow.kind == DocumentKind.RECEIPT)
        return (await tx.scalars(query)).one()


async def test_money_that_pays_everything_is_told_with_the_link_of_its_receipt(
    anne: World,
) -> None:
    invoice = await an_invoice(anne.deps)
    row = await paid_in(anne.deps, minor=invoice.total_minor, receipt="SGR7X0K2QP")
    await told(anne, row)
    link = address_of(anne.deps, (await the_receipt(anne)).id)

    assert anne.sms.to(await phone_of(anne)) == [
        f"Mtaa Net: {Money(invoice.total_minor)} received, SGR7X0K2QP. Thank you. Receipt: {link}"
    ]


async def test_the_letter_says_what_the_receipt_says(anne: World) -> None:
    row = await paid_in(anne.deps, 500, receipt="SGR7X0K2QP")
    await told(anne, row)
    receipt = await the_receipt(anne)
    number = shown_number(receipt.series, receipt.number)
    (letter,) = anne.email.to(EMAIL)

    assert letter.subject == f"Mtaa Net: Receipt {number} for KES 500"
    for said in (
        "Hello Anne,",
        "We received KES 500.",
        "M-PESA",
        "SGR7X0K2QP",
        number,
        "23/11/2026",
    ):
        assert said in letter.text
        assert said in letter.html
    assert address_of(anne.deps, receipt.id) in letter.text
    assert "In your wallet: KES 500" in letter.text
    assert "#0a7d4f" in letter.html


async def test_what_is_left_over_or_still_open_is_told(anne: World) -> None:
    await told(anne, await paid_in(anne.deps, 500, name="first"))
    await an_invoice(anne.deps)
    await told(anne, await paid_in(anne.deps, 100, name="second"))
    first, second = anne.sms.to(await phone_of(anne))

    assert "Your wallet holds KES 500." in first
    assert second.startswith("Mtaa Net: KES 100 received, R-second. KES ")
    assert "is still open." in second


async def test_each_reads_their_own_language(anne: World) -> None:
    ben = await a_subscriber(anne.deps, "ben", language="sw")
    await told(anne, await paid_in(anne.deps, 500, ben))
    (text,) = anne.sms.to(await phone_of(anne, ben))

    assert "tumepokea KES 500, R-money. Pochi yako ina KES 500." in text
    assert parts(text) == 1
    assert anne.email.taken == {}


async def test_cash_shows_no_receipt_that_nobody_gave(anne: World) -> None:
    row = await paid_in(anne.deps, 500, rail="cash", receipt=None, name="cash")
    async with anne.deps.db.begin() as tx:
        await tx.execute(update(ReceivedRow).values(receipt=ReceivedRow.id))
    row.receipt = row.id
    await told(anne, row)

    assert row.id not in anne.sms.to(await phone_of(anne))[0]
    assert row.id not in anne.email.to(EMAIL)[0].text


@pytest.mark.parametrize("why", ["nobody wants it", "it is old", "it is no money"])
async def test_some_money_is_not_told(anne: World, why: str) -> None:
    rail = "withheld-vat" if why == "it is no money" else "mpesa"
    row = await paid_in(who_gets(anne, "none").deps, 500, rail=rail)
    if why == "it is old":
        row.at -= paid_notices.OLD + timedelta(seconds=1)
    await told(who_gets(anne, "none" if why == "nobody wants it" else "all"), row)

    assert anne.sms.to(await phone_of(anne)) == []
    assert anne.email.taken == {}


async def test_a_transaction_that_is_undone_tells_nothing(anne: World) -> None:
    row = await paid_in(who_gets(anne, "none").deps, 500)

    async def undone() -> None:
        async with anne.deps.db.begin() as tx:
            await paid_notices.received_in(tx, anne.deps, row)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    await left(anne)

    assert anne.sms.to(await phone_of(anne)) == []


async def bought(world: World, *, silent_s: int = 0) -> PaymentRow:
    """A hotspot order that is paid at a site which was heard so long ago; told of twice."""
    await world.order(msisdn=OTHER_PHONE)
    world.gateway.pay(world.last_provider_id, world.clock())
    async with world.deps.db.begin() as tx:
        heard = world.clock() - timedelta(seconds=silent_s)
        await tx.execute(update(SiteRow).values(last_seen_at=heard))
    await world.call_back()
    async with world.deps.db.begin() as tx:
        payment = await tx.get_one(PaymentRow, an_order_id())
        for _ in range(2):
            await paid_notices.order_paid_in(tx, world.deps, payment)
    await left(world)
    return payment


async def test_a_hotspot_customer_hears_nothing_unless_the_operator_wants_it(
    world: World,
) -> None:
    await bought(world)

    assert world.sms.to(OTHER_PHONE) == []


async def test_an_operator_may_want_every_purchase_told(world: World) -> None:
    payment = await bought(who_gets(world, "all"))

    assert world.sms.to(OTHER_PHONE) == [
        f"Lango: KES 20 received, {payment.receipt} for Plan hour. Thank you."
    ]


@pytest.mark.parametrize("receipts", ["none", "accounts", "all"])
async def test_who_paid_while_the_site_is_down_is_told_that_it_starts_later(
    world: World, receipts: str
) -> None:
    await bought(who_gets(world, receipts), silent_s=600)
    (text,) = world.sms.to(OTHER_PHONE)

    assert "Kahawa West is offline: Plan hour starts once it is back." in text


async def test_refunds_and_agreed_payments_are_told_once_each(anne: World) -> None:
    anne = who_gets(anne, "none")
    amount = Money(150_000)
    for _ in range(2):
        async with anne.deps.db.begin() as tx:
            await paid_notices.refunded_in(
                tx, anne.deps, subscriber_id=ANNE, refund_id="1", amount=amount, receipt="SGR1"
            )
            await paid_notices.auto_paid_in(
                tx, anne.deps, subscriber_id=ANNE, payment_id="2", amount=amount, source="visa 4081"
            )
            await paid_notices.auto_pay_failed_in(
                tx, anne.deps, subscriber_id=ANNE, payment_id="3", amount=amount, source="visa 4081"
            )
    await left(anne)

    assert sorted(anne.sms.to(await phone_of(anne))) == [
        "Mtaa Net: KES 1,500 could not be taken by visa 4081. Please pay it.",
        "Mtaa Net: KES 1,500 was paid by visa 4081, as agreed. Thank you.",
        "Mtaa Net: KES 1,500 was sent back to you, SGR1.",
    ]
    assert sorted(one.subject for one in anne.email.to(EMAIL)) == [
        "Mtaa Net: KES 1,500 could not be taken",
        "Mtaa Net: KES 1,500 was paid",
        "Mtaa Net: KES 1,500 was sent back to you",
    ]


async def test_an_agreed_payment_that_has_a_receipt_is_told_by_it_alone(anne: World) -> None:
    async with anne.deps.db.begin() as tx:
        await paid_notices.auto_paid_in(
            tx, anne.deps, subscriber_id=ANNE, payment_id="2", amount=Money(1), source="visa 4081"
        )
    await left(anne)

    assert anne.sms.to(await phone_of(anne)) == []


async def test_what_is_about_to_be_said_fits_its_columns(anne: World) -> None:
    async with anne.deps.db.begin() as tx:
        await paid_notices.auto_pay_failed_in(
            tx, anne.deps, subscriber_id=ANNE, payment_id="f" * 32, amount=Money(1), source="x" * 99
        )
    async with anne.deps.db.read() as tx:
        (row,) = await tx.scalars(select(SmsRow))

    assert row.event == f"auto-pay-failed:{'f' * 32}"
    assert len(row.about) <= 40
