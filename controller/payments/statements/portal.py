"""The CSV of M-PESA's organisation portal. PURE.

Lines above the header name the organisation and its shortcode; the newest booking comes first; a
charge is a row of its own with the receipt of its payment. Source: public importers of this file
(its columns; some exports lack the last ones) and the portal's own titles.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing.money import Money
from controller.payments.statements import narration
from controller.payments.statements.amounts import amount_in, moment_in
from controller.payments.statements.columns import statement_of
from controller.payments.statements.sheet import read_sheet, title_key
from controller.payments.statements.statement import Entry, StatementUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.payments.statements.sheet import SheetRow
    from controller.payments.statements.statement import Statement

COLUMNS = {
    "receipt": ("Receipt No.", "Receipt No"),
    "when": ("Completion Time",),
    "details": ("Details",),
    "status": ("Transaction Status",),
    "paid_in": ("Paid In",),
    "paid_out": ("Withdrawn",),
    "balance": ("Balance",),
    "reason": ("Reason Type",),
    "party": ("Other Party Info",),
    "linked": ("Linked Transaction ID",),
    "account": ("A/C No.", "A/C No", "Account No"),
}
WANTED = ("receipt", "when", "paid_in", "paid_out")
TIMES = ("%d-%m-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d-%m-%Y %H:%M")

_SHORTCODE = re.compile(r"\b[0-9]{5,7}\b")
_PARTY = re.compile(r"\s*([0-9*Xx ]+?)\s*-\s*(.*)")
_COMPLETED = ("completed", "")


def is_portal(text: str) -> bool:
    """Whether text looks like this file."""
    keys = title_key(text[:20_000])
    return all(title_key(COLUMNS[meaning][0]) in keys for meaning in WANTED)


def read_portal(text: str) -> Statement:
    """What the file tells. Raises `StatementUnreadable`."""
    delimiter = ";" if text[:20_000].count(";") > text[:20_000].count(",") else ","
    sheet = read_sheet(text, COLUMNS, WANTED, delimiter=delimiter)
    entries = [entry for row in sheet.rows if (entry := _entry(row)) is not None]
    place = _shortcode_in(sheet.preamble)
    return statement_of(entries, form="mpesa-csv", rail="mpesa", place=place)


def _entry(row: SheetRow) -> Entry | None:
    if row["status"].lower() not in _COMPLETED:
        return None  # declined, cancelled, expired: no money moved
    signed = _signed(row)
    if signed is None or not any(c.isdigit() for c in row["when"]):
        return None  # words: totals, or the lines above the header of a second copy
    at = moment_in(row["when"], TIMES, field="Completion Time", line=row.line)
    own = narration.receipt_of(row["receipt"])
    if not own:
        raise StatementUnreadable("Receipt No.", "want a receipt", line=row.line)
    text = f"{row['reason']} {row['details']}"
    payer, name = _party(row["party"])
    return Entry(
        row=row.line,
        at=at,
        signed=signed,
        own=own,
        linked=row["linked"] or narration.receipt_in(row["details"]),
        reference=row["account"],
        payer=payer,
        name=name,
        text=row["details"],
        balance=amount_in(row["balance"], field="Balance", line=row.line),
        is_charge=narration.is_charge(text),
        is_reversal=narration.is_reversal(text),
    )


def _signed(row: SheetRow) -> Money | None:
    """What came in, less what was withdrawn (which some exports show below zero)."""
    came = amount_in(row["paid_in"], field="Paid In", line=row.line)
    went = amount_in(row["paid_out"], field="Withdrawn", line=row.line)
    if came is None and went is None:
        return None
    return Money(abs(came.minor if came else 0) - abs(went.minor if went else 0))


def _party(text: str) -> tuple[str, str]:
    """The number and the name of ``254700000001 - A B``; numbers may be masked."""
    found = _PARTY.fullmatch(text)
    return (found[1], found[2]) if found else ("", text)


def _shortcode_in(preamble: Sequence[Sequence[str]]) -> str:
    for cells in preamble:
        words = " ".join(cells)
        found = _SHORTCODE.search(words)
        if found and "short" in words.lower():
            return found[0]
    return ""
