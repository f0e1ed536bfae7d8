"""CSV as M-PESA's portal and two kinds of bank write it. PURE."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from controller.sandbox.bank.movements import HERE, What, narrative, shillings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.sandbox.bank.movements import Account, Booked

LEDGER_PROFILE = """{
  "columns": {"when": ["Transaction Date"], "text": ["Narrative"], "receipt": ["Reference"],
              "paid_out": ["Debit"], "paid_in": ["Credit"], "balance": ["Running Balance"]},
  "dates": ["%d/%m/%Y"]}"""
"""How the first bank's file is to be read."""

TELLER_PROFILE = """{
  "columns": {"when": ["Posting Date"], "text": ["Details"], "amount": ["Amount (KES)"],
              "balance": ["Balance"]},
  "dates": ["%d-%b-%y"], "delimiter": ";", "comma": true}"""
"""How the second bank's file is to be read."""

_DETAILS = {
    What.PAID: ("Pay Bill from {phone} - {name} Acc. {typed}", "Pay Bill"),
    What.FEE: ("Pay Bill Charge", "Pay Bill Charge"),
    What.TAKEN_BACK: ("Reversal of {undoes}", "Transaction Reversal"),
    What.WITHDRAWN: ("Organization Settlement to bank", "Merchant Withdrawal"),
}


def write_portal(account: Account) -> bytes:
    """The organisation portal's file: newest first, a fee in a row of its own."""
    rows: list[Sequence[str]] = [
        ("Organization Name", "Lab Internet"),
        ("Short Code", account.number),
        ("Report", "Organization statement"),
        (),
        (
            "Receipt No.",
            "Completion Time",
            "Initiation Time",
            "Details",
            "Transaction Status",
            "Paid In",
            "Withdrawn",
            "Balance",
            "Balance Confirmed",
            "Reason Type",
            "Other Party Info",
            "Linked Transaction ID",
            "A/C No.",
        ),
    ]
    rows += [_portal_row(one) for one in reversed(account.booked())]
    return _written(rows, account)


def _portal_row(one: Booked) -> Sequence[str]:
    moved = one.movement
    details, reason = _DETAILS[moved.what]
    when = moved.at.astimezone(HERE).strftime("%d-%m-%Y %H:%M:%S")
    return (
        moved.receipt,
        when,
        when,
        details.format(phone=moved.phone, name=moved.name, typed=moved.typed, undoes=moved.undoes),
        "Completed",
        shillings(moved.cents) if moved.change > 0 else "",
        shillings(-moved.cents) if moved.change < 0 else "",
        shillings(one.held),
        "true",
        reason,
        f"{moved.phone} - {moved.name}" if moved.phone else "",
        moved.undoes,
        moved.typed,
    )


def write_ledger(account: Account) -> bytes:
    """The first bank: two columns, thousands with commas, a line of totals at the end."""
    booked = account.booked()
    came = sum(one.movement.cents for one in booked if one.movement.change > 0)
    went = sum(one.movement.cents for one in booked if one.movement.change < 0)
    rows: list[Sequence[str]] = [
        ("LAB BANK KENYA",),
        ("Account Number", account.number),
        ("Statement", "all days"),
        ("Transaction Date", "Reference", "Narrative", "Debit", "Credit", "Running Balance"),
    ]
    rows += [_ledger_row(one) for one in booked]
    rows.append(
        ("Totals", "", "", shillings(went, thousands=","), shillings(came, thousands=","), "")
    )
    return _written(rows, account)


def _ledger_row(one: Booked) -> Sequence[str]:
    moved = one.movement
    amount = shillings(moved.cents, thousands=",")
    return (
        f"{moved.day:%d/%m/%Y}",
        moved.receipt,
        narrative(moved),
        amount if moved.change < 0 else "",
        amount if moved.change > 0 else "",
        shillings(one.held, thousands=","),
    )


def write_teller(account: Account) -> bytes:
    """The second bank: one signed column, cents after a comma, newest first."""
    rows: list[Sequence[str]] = [("Posting Date", "Details", "Amount (KES)", "Balance")]
    for one in reversed(account.booked()):
        moved = one.movement
        rows.append(
            (
                f"{moved.day:%d-%b-%y}".upper(),
                narrative(moved),
                shillings(moved.change, thousands=".", point=","),
                shillings(one.held, thousands=".", point=","),
            )
        )
    rows.append(("*** end of statement ***",))
    return _written(rows, account, delimiter=";")


def _written(rows: Sequence[Sequence[str]], account: Account, delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return (text.getvalue() * (2 if account.faults.doubled else 1)).encode()
