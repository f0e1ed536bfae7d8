"""What moved on an account in a span of days: as a paper, and as rows for spreadsheets. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from billing.period import day_of
from controller.documents.issued import rail_name
from controller.documents.paper import Paper, Table, amount, day, phone_number, present, span
from controller.reports.table import Basis, Column, Kind, Report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.period import Period
    from controller.documents.paper import Look
    from controller.store.papers import Movement
    from controller.usecases.frozen import Buyer, Seller

_DOCUMENT = re.compile(r"(invoice|credit_note|receipt) (\S+)")
_RECEIVED = re.compile(r"received by (\S+), receipt (\S+)")
_PURCHASE = re.compile(r"payment of order \S+ for plan (\S+)")
_OWN_WORDS = {
    "reward": "Reward",
    "redemption": "Code redeemed",
}
"""For causes that were written for the books, by how the transaction's id begins."""

COLUMNS = (
    Column("day", "Day", Kind.DAY),
    Column("what", "What", Kind.TEXT),
    Column("charged", "Charged", Kind.MONEY),
    Column("paid", "Paid or credited", Kind.MONEY),
    Column("balance", "Balance", Kind.MONEY),
)


@dataclass(frozen=True, slots=True)
class Statement:
    """An account from one moment up to, and without, another. What is owed is positive."""

    seller: Seller
    buyer: Buyer
    period: Period
    opening_minor: int
    movements: Sequence[Movement]

    @property
    def closing_minor(self) -> int:
        """What is owed at the end."""
        return self.opening_minor + sum(m.charged_minor - m.paid_minor for m in self.movements)


def netted(movement: Movement) -> Movement:
    """An invoice with its discounts as one amount: nobody paid what was not charged."""
    if not movement.transaction_id.startswith("document:"):
        return movement
    change = movement.charged_minor - movement.paid_minor
    return replace(movement, charged_minor=max(change, 0), paid_minor=max(-change, 0))


def words_of(movement: Movement) -> str:
    """What a transaction was, as its subscriber would say it."""
    cause = movement.cause
    kind, _, rest = movement.transaction_id.partition(":")
    if found := _DOCUMENT.fullmatch(cause):
        return f"{found[1].replace('_', ' ').capitalize()} {found[2]}"
    if found := _RECEIVED.fullmatch(cause):
        cash = found[2] == rest
        return f"Received: {rail_name(found[1])}" + ("" if cash else f", {found[2]}")
    if found := _PURCHASE.fullmatch(cause):
        return f"Bought and paid: {found[1]}"
    return _OWN_WORDS.get(kind) or cause[:1].upper() + cause[1:]


def paper_of_statement(of: Statement, *, look: Look, made_at: datetime) -> Paper:
    """The statement as a paper."""
    who = of.seller
    pin = f"PIN {of.buyer.pin}" if of.buyer.pin else ""
    phone = phone_number(of.buyer.phone)
    rows = [("", "Brought forward", "", "", amount(of.opening_minor))]
    rows += [
        (
            day(movement.at),
            words_of(movement),
            amount(movement.charged_minor) if movement.charged_minor else "",
            amount(movement.paid_minor) if movement.paid_minor else "",
            amount(balance),
        )
        for movement, balance in zip(of.movements, _balances(of), strict=True)
    ]
    return Paper(
        title="Statement",
        number="",
        made_at=made_at,
        seller=(
            who.name or who.branch,
            *present(who.branch if who.name else "", who.address, who.phone, who.email),
            *present(f"PIN {who.pin}" if who.pin else ""),
        ),
        buyer=(of.buyer.name or phone, *present(of.buyer.address, f"Account {phone}", pin)),
        facts=(("Days", span(of.period.start, of.period.end)), ("Currency", "KES")),
        lines=Table(("Day", "*What", ">Charged", ">Paid", ">Balance"), tuple(rows)),
        totals=(
            ("Opening balance", amount(of.opening_minor)),
            ("Charged", amount(sum(m.charged_minor for m in of.movements))),
            ("Paid or credited", amount(sum(m.paid_minor for m in of.movements))),
            (_verdict(of.closing_minor), amount(abs(of.closing_minor))),
        ),
        notes=present(f"How to pay: {who.pay_to}" if who.pay_to else ""),
        look=look,
    )


def report_of_statement(of: Statement) -> Report:
    """The statement as rows, the first and the last of which are the balances."""
    start, end = day_of(of.period.start), day_of(of.period.end)
    rows = [
        (day_of(movement.at), words_of(movement), movement.charged_minor, movement.paid_minor, left)
        for movement, left in zip(of.movements, _balances(of), strict=True)
    ]
    charged, paid = sum(row[2] for row in rows), sum(row[3] for row in rows)
    return Report(
        name="statement",
        title=f"Statement of {of.buyer.name or of.buyer.phone}",
        basis=Basis.ACCRUAL,
        since=start,
        until=end,
        columns=COLUMNS,
        rows=((start, "Opening balance", 0, 0, of.opening_minor), *rows),
        totals=(None, "Closing balance", charged, paid, of.closing_minor),
    )


def _balances(of: Statement) -> list[int]:
    """What is owed after each movement."""
    changes = (movement.charged_minor - movement.paid_minor for movement in of.movements)
    return list(accumulate(changes, initial=of.opening_minor))[1:]


def _verdict(closing_minor: int) -> str:
    return "In your favour KES" if closing_minor < 0 else "To pay KES"
