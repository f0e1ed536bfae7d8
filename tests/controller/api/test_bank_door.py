"""A simulated bank posts its notices to the real door; its statement tells of the same money."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.payments.bank_notice import Bank, BankSettings
from controller.sandbox.bank.movements import Account, Movement, What
from controller.sandbox.bank.mt940 import write_mt940
from controller.sandbox.bank.notices import SigningBank
from controller.sandbox.bank.post import post_notice
from controller.store.payment_rows import ArrivalRow
from controller.usecases import doors
from controller.usecases.statements import import_statement
from tests.support.books import balances_now
from tests.support.builders import hex_id
from tests.support.office import NOON, Office, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.sandbox.bank.notices import Notice

ACCOUNT = "1100223344"
BANK = SigningBank()
PAID = Movement(NOON, What.PAID, 150_000, "UGE5L8M3RZ", "0712345678", "254700000001", "A B")
KCB = BankSettings(Bank.KCB, ACCOUNT, public_key=BANK.public_key)


async def posted(office: Office, *notices: Notice) -> Sequence[tuple[int, str]]:
    """What the door answers to notices, one after the other."""
    async with opened(office) as address:
        url = address + doors.address_of(office.deps, doors.BANK).removeprefix(
            office.deps.settings.public_url
        )
        return [await post_notice(url, notice) for notice in notices]


async def test_a_notice_and_the_statement_bring_the_same_money_once(office: Office) -> None:
    office = replace(office, deps=replace(office.deps, bank=KCB))
    answers = await posted(office, BANK.account_notice(PAID, ACCOUNT), BANK.till_notice(PAID))
    file = write_mt940(Account(ACCOUNT, 0, (PAID,)))
    await import_statement(office.deps, file, name="x", idempotent=hex_id("x"))
    async with office.deps.db.read() as tx:
        (arrival,) = await tx.scalars(select(ArrivalRow))

    assert [status for status, _ in answers] == [200, 200]
    assert arrival.id in answers[0][1]
    assert (arrival.receipt, arrival.roads) == ("UGE5L8M3RZ", "notice statement")
    assert await balances_now(office.deps.db) == {
        f"asset:bank:{ACCOUNT}": 150_000,
        "liability:suspense:bank": -150_000,
    }


async def test_a_forged_notice_and_a_debit_bring_nothing(office: Office) -> None:
    office = replace(office, deps=replace(office.deps, bank=KCB))
    answers = await posted(
        office,
        SigningBank().account_notice(PAID, ACCOUNT),
        BANK.till_notice(replace(PAID, what=What.WITHDRAWN)),
    )

    assert [status for status, _ in answers] == [400, 200]
    assert await balances_now(office.deps.db) == {}
