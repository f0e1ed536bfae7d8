"""The organisation portal's statement of one day, as CSV. PURE.

Source: exports of the M-PESA organisation portal: some lines on whose account it is, then a table,
newest first. A charge is a row of its own with the receipt of what it was charged for.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.sandbox.daraja.book import COLLECTED, EAT, Kind
from controller.sandbox.daraja.c2b_bodies import first_name, masked
from controller.sandbox.daraja.results import public_name, reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from controller.sandbox.daraja.book import Settled
    from controller.sandbox.daraja.faults import Faults
    from controller.sandbox.daraja.settings import SimSettings

COLUMNS = (
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
)
DROPPED = ("Initiation Time", "Balance Confirmed", "Linked Transaction ID")
"""What some exports leave out."""
_MOMENT = "%d-%m-%Y %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Day:
    """One Nairobi day of the merchant's money, oldest first, and what was there before."""

    day: date
    opening: int
    rows: tuple[Settled, ...]

    @property
    def closing(self) -> int:
        """What was there at the end."""
        return self.rows[-1].balance if self.rows else self.opening


def day_of(settled: Sequence[Settled], day: date, *, merchant_shillings: int) -> Day:
    """The rows of ``day``; a charge is on the day of its payment."""
    before = [s for s in settled if s.at.astimezone(EAT).date() < day]
    rows = tuple(s for s in settled if s.at.astimezone(EAT).date() == day)
    return Day(day, before[-1].balance if before else merchant_shillings, rows)


def statement(day: Day, settings: SimSettings, faults: Faults, *, now: datetime) -> str:
    """The file, as the faults would have it."""
    rows = [] if faults.statement_missing_day else list(reversed(day.rows))
    columns = [c for c in COLUMNS if not (faults.statement_drops_columns and c in DROPPED)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows(_preamble(day, settings, now=now))
    writer.writerow(columns)
    for settled in rows:
        cells = dict(zip(COLUMNS, _cells(settled, settings, faults), strict=True))
        for _ in range(2 if faults.statement_doubled else 1):
            writer.writerow([cells[c] for c in columns])
    return out.getvalue()


def _preamble(day: Day, settings: SimSettings, *, now: datetime) -> list[list[str]]:
    date_text = day.day.strftime("%d-%m-%Y")
    return [
        ["Account Holder:", settings.business],
        ["Short Code:", settings.party_b],
        ["Account:", "Merchant Account" if settings.till else "Utility Account"],
        ["Time Period:", f"{date_text} 00:00:00", "to", f"{date_text} 23:59:59"],
        ["Operator:", "trial", "", "Time of Report:", now.astimezone(EAT).strftime(_MOMENT)],
        ["Opening Balance:", _money(day.opening)],
        ["Closing Balance:", _money(day.closing)],
        [],
    ]


def _cells(settled: Settled, settings: SimSettings, faults: Faults) -> tuple[str, ...]:
    moment = settled.at.astimezone(EAT).strftime(_MOMENT)
    came = settled.shillings > 0
    return (
        settled.receipt,
        moment,
        moment,
        _details(settled, settings, faults),
        "Completed",
        _money(settled.shillings) if came else "",
        "" if came else _money(settled.shillings),
        _money(settled.balance),
        "true",
        _reason(settled, settings),
        _party(settled.msisdn, faults),
        settled.of,
        settled.account,
    )


def _details(settled: Settled, settings: SimSettings, faults: Faults) -> str:
    party = _party(settled.msisdn, faults)
    if settled.kind is Kind.CHARGE:
        return _reason(settled, settings)
    if settled.kind is Kind.REVERSAL:
        return f"Transaction Reversal of {settled.of} to {party}"
    if settled.kind is Kind.B2C:
        return f"{reason(settled.kind)} to {party}"
    account = f" Acc. {settled.account}" if settled.account else ""
    return f"{_reason(settled, settings)} from {party}{account}"


def _reason(settled: Settled, settings: SimSettings) -> str:
    if settled.kind is Kind.CHARGE and not settled.account:
        bought = settled.place == settings.till
        return "Merchant Payment Charge" if bought else "Business Payment Charge"
    if settled.kind in COLLECTED and settled.place == settings.till:
        return "Customer Merchant Payment"
    return reason(settled.kind)


def _party(msisdn: str, faults: Faults) -> str:
    if faults.payer_plain:
        return public_name(msisdn)
    return f"{masked(msisdn)} - {first_name(msisdn)}"


def _money(shillings: int) -> str:
    """With commas and cents; what left has a minus."""
    return f"{shillings:,}.00"
