"""A bank's CSV, read by a column profile. PURE.

Rows that are no bookings (titles, totals, page ends) have no amounts, or no date. A row with
amounts and a date that cannot be read is refused: it may be money.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.money import Money
from billing.period import NAIROBI
from controller.payments.statements import narration
from controller.payments.statements.amounts import amount_in, moment_in
from controller.payments.statements.assembly import (
    lines_of,
    oldest_first,
    opening_of,
    without_doubles,
)
from controller.payments.statements.sheet import read_sheet
from controller.payments.statements.statement import Entry, Statement, StatementUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.payments.statements.profile import Profile
    from controller.payments.statements.sheet import SheetRow

ACCOUNT_DIGITS_MIN = 8
_ACCOUNT_TITLES = ("account", "a/c", "acc no")


def read_columns(text: str, profile: Profile) -> Statement:
    """What a bank's CSV tells. Raises `StatementUnreadable`."""
    sheet = read_sheet(text, profile.columns, profile.wanted, delimiter=profile.delimiter)
    entries = [entry for row in sheet.rows if (entry := _entry(row, profile)) is not None]
    place = _account_in(sheet.preamble)
    return statement_of(entries, form="bank-csv", rail="bank", place=place)


def statement_of(entries: Sequence[Entry], *, form: str, rail: str, place: str) -> Statement:
    """The statement that entries of a table make. Raises `StatementUnreadable`."""
    if not entries:
        raise StatementUnreadable("lines", "there is not one booking in it")
    ordered = oldest_first(without_doubles(entries))
    days = [one.at.astimezone(NAIROBI).date() for one in ordered]
    return Statement(
        form=form,
        rail=rail,
        place=place,
        since=min(days),
        until=max(days),
        opening=opening_of(ordered),
        closing=ordered[-1].balance,
        lines=lines_of(ordered),
    )


def _entry(row: SheetRow, profile: Profile) -> Entry | None:
    if not any(c.isdigit() for c in row["when"]):
        return None
    try:
        signed = _signed(row, profile)
    except StatementUnreadable:
        if _is_date(row, profile):
            raise
        return None  # words under the titles: the preamble of a second copy, or a page's end
    if signed is None:
        return None
    balance = amount_in(row["balance"], field="balance", line=row.line, comma=profile.comma)
    text = row["text"]
    told = narration.told_in(text)
    given = row["receipt"]
    return Entry(
        row=row.line,
        at=moment_in(row["when"], profile.dates, field="when", line=row.line),
        signed=signed,
        own=narration.receipt_in(given) or told.receipt or given,
        reference=row["reference"] or told.reference,
        payer=row["payer"] or told.payer,
        name=row["name"] or told.name,
        text=text,
        balance=balance,
        is_charge=signed.minor < 0 and narration.is_charge(text),
        is_reversal=narration.is_reversal(text),
        linked=told.receipt,
    )


def _is_date(row: SheetRow, profile: Profile) -> bool:
    try:
        moment_in(row["when"], profile.dates, field="when", line=row.line)
    except StatementUnreadable:
        return False
    return True


def _signed(row: SheetRow, profile: Profile) -> Money | None:
    """What came (or went, below zero); None for a row without any amount."""

    def cell(meaning: str) -> Money | None:
        return amount_in(row[meaning], field=meaning, line=row.line, comma=profile.comma)

    if "amount" in profile.columns:
        amount = cell("amount")
        is_debit = row["mark"].strip().upper().startswith("D")
        return Money(-abs(amount.minor)) if amount is not None and is_debit else amount
    paid_in, paid_out = cell("paid_in"), cell("paid_out")
    if paid_in is None and paid_out is None:
        return None
    came, went = (0 if one is None else abs(one.minor) for one in (paid_in, paid_out))
    return Money(came - went)


def _account_in(preamble: Sequence[Sequence[str]]) -> str:
    """The account's number, where a line above the header names it."""
    for cells in preamble:
        words = " ".join(cells)
        if any(title in words.lower() for title in _ACCOUNT_TITLES):
            digits = [w for w in words.replace("-", "").split() if w.isdigit()]
            found = [w for w in digits if len(w) >= ACCOUNT_DIGITS_MIN]
            if found:
                return found[0]
    return ""
