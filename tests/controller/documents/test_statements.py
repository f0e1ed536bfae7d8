"""A statement goes from one balance to the next, in words, and is what the ledger says."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from billing.errors import InvalidField
from billing.msisdn import Msisdn
from controller.documents.pdf import drawn
from controller.documents.statement import paper_of_statement, report_of_statement, words_of
from controller.store import debts, payers, received
from controller.usecases.money_in import reverse
from controller.usecases.papers import statement
from controller.usecases.payers import SubscriberUnknown
from tests.support.charges import ANNE, a_line, an_invoice, paid_in
from tests.support.day_of_business import hotspot_sale, lowered

if TYPE_CHECKING:
    from controller.documents.statement import Statement
    from tests.support.office import Office

NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))
DECEMBER = (date(2026, 12, 1), date(2027, 1, 1))


async def a_story(office: Office) -> None:
    await an_invoice(office.deps, ANNE, a_line(1_600), lowered(100_00))
    await paid_in(office.deps, 1_000, name="one")
    await hotspot_sale(office.deps, "hot")
    office.clock.forward(days=14)
    await paid_in(office.deps, 800, name="two", rail="cash", receipt="")
    back = await paid_in(office.deps, 50, name="three")
    await reverse(office.deps, back.id, reason="sent by mistake")


async def of(office: Office, days: tuple[date, date]) -> Statement:
    return (await statement(office.deps, ANNE, *days))[0]


async def test_it_begins_where_the_one_before_ended(office: Office) -> None:
    await a_story(office)
    november, december = await of(office, NOVEMBER), await of(office, DECEMBER)

    assert november.opening_minor == 0
    assert november.closing_minor == december.opening_minor == 500_00
    assert december.closing_minor == -300_00


async def test_it_ends_with_what_is_owed_less_what_the_wallet_holds(office: Office) -> None:
    await a_story(office)
    async with office.deps.db.read() as tx:
        owed = await debts.owed_minor(tx, ANNE) - await received.wallet_minor(tx, ANNE)

    assert (await of(office, DECEMBER)).closing_minor == owed


async def test_each_movement_is_told_in_words(office: Office) -> None:
    await a_story(office)
    told = [
        (words_of(one), one.charged_minor, one.paid_minor)
        for days in (NOVEMBER, DECEMBER)
        for one in (await of(office, days)).movements
    ]

    assert sorted(told) == sorted(
        [
            ("Invoice INV-main-000001", 1_500_00, 0),
            ("Received: M-PESA, R-one", 0, 1_000_00),
            ("Bought and paid: hour", 20_00, 20_00),
            ("Received: cash, R-two", 0, 800_00),
            ("Received: M-PESA, R-three", 0, 50_00),
            ("Reversed: sent by mistake", 50_00, 0),
        ]
    )


async def test_paper_and_rows_say_the_same(office: Office) -> None:
    await a_story(office)
    found, look = await statement(office.deps, ANNE, *NOVEMBER)
    paper = paper_of_statement(found, look=look, made_at=found.period.end)
    report = report_of_statement(found)

    assert paper.totals[-1] == ("To pay KES", "500.00")
    assert report.totals[1:] == ("Closing balance", 1_520_00, 1_020_00, 500_00)
    assert len(paper.lines.rows) == len(report.rows) == 4
    assert ("Days", "1 Nov 2026 - 30 Nov 2026") in paper.facts
    assert drawn(paper) == drawn(paper)
    assert paper.verify == ""


async def test_a_subscriber_is_named_by_phone_as_people_type_it(office: Office) -> None:
    async with office.deps.db.read() as tx:
        phone = Msisdn((await payers.loaded(tx, ANNE)).msisdn)
    found, _ = await statement(office.deps, f"0{phone[3:]}", *NOVEMBER)

    assert found.buyer.phone == phone


async def test_what_cannot_be_is_refused(office: Office) -> None:
    with pytest.raises(SubscriberUnknown):
        await statement(office.deps, "254700000000", *NOVEMBER)
    for until in (date(2026, 11, 1), date(2026, 10, 1), date(2037, 11, 1)):
        with pytest.raises(InvalidField) as refused:
            await statement(office.deps, ANNE, date(2026, 11, 1), until)
        assert refused.value.field == "until"
