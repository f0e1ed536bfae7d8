"""Entries become lines: what each did, its fingerprint, and whether the balances agree. PURE."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from billing.money import Money
from billing.period import NAIROBI
from billing.reconciling import Way
from controller.payments.statements.narration import NAME_MAX, REFERENCE_MAX, plain, receipt_of
from controller.payments.statements.statement import StatementLine, StatementUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.payments.statements.statement import Entry


def without_doubles(entries: Sequence[Entry]) -> list[Entry]:
    """Entries, each once: the same receipt, moment, amount, words and balance are one booking.

    Without a receipt two bookings may well look the same.
    """
    seen = set[object]()
    found = []
    for one in entries:
        key = (one.own, one.at, one.signed, one.balance, one.text)
        if key not in seen or not one.own:
            found.append(one)
        seen.add(key)
    return found


def oldest_first(entries: Sequence[Entry]) -> list[Entry]:
    """Entries whose balances follow each other, turned around if the newest came first.

    Raises `StatementUnreadable` naming the first line whose balance does not follow.
    """
    ordered = list(entries)
    backwards = ordered[::-1]
    newest_is_first = len(ordered) > 1 and ordered[0].at > ordered[-1].at
    if newest_is_first or (_broken(ordered) is not None and _broken(backwards) is None):
        ordered = backwards
    broken = _broken(ordered)
    if broken is not None:
        problem = "it does not follow from the line before: is there a line missing?"
        raise StatementUnreadable("balance", problem, line=broken.row)
    return ordered


def opening_of(entries: Sequence[Entry]) -> Money | None:
    """What the till held before the first entry, where balances are told."""
    first = entries[0].balance if entries else None
    return None if first is None else first - entries[0].signed


def with_balances(entries: Sequence[Entry], opening: Money) -> list[Entry]:
    """Entries, oldest first, each with what the till held afterwards."""
    held, found = opening, []
    for one in entries:
        held = held + one.signed
        found.append(replace(one, balance=held))
    return found


def lines_of(entries: Sequence[Entry]) -> tuple[StatementLine, ...]:
    """What entries, oldest first, did with our money. Entries of nothing are left out."""
    times = Counter[tuple[object, ...]]()
    found = []
    for one in entries:
        if one.signed.minor == 0:
            continue
        identity = _identity(one)
        times[identity] += 1
        found.append(_line(one, _digest(*identity, times[identity])))
    return tuple(found)


def _broken(entries: Sequence[Entry]) -> Entry | None:
    """The first entry whose balance does not follow from the one before."""
    held: Money | None = None
    for one in entries:
        if held is not None and one.balance is not None and held + one.signed != one.balance:
            return one
        held = one.balance
    return None


def _identity(one: Entry) -> tuple[object, ...]:
    """What makes a booking this one: its day, amount and receipt.

    Where no receipt is told, its words, and what the till held afterwards.
    """
    held = None if one.balance is None else one.balance.minor
    receipt = receipt_of(one.own)
    return (
        one.at.astimezone(NAIROBI).date().isoformat(),
        one.signed.minor,
        one.signed.currency,
        *((receipt,) if receipt else (one.text, held)),
    )


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _line(one: Entry, fingerprint: str) -> StatementLine:
    way = _way(one)
    undone = receipt_of(one.linked) if way is Way.REVERSAL else ""
    signed = one.signed.minor if way is Way.IN else -one.signed.minor
    return StatementLine(
        fingerprint=fingerprint,
        at=one.at,
        kind=way,
        amount=Money(signed, one.signed.currency),
        receipt=undone or receipt_of(one.own) or f"NO-RECEIPT-{fingerprint[:16].upper()}",
        reference=plain(one.reference, REFERENCE_MAX),
        payer=plain(one.payer, REFERENCE_MAX),
        name=plain(one.name, NAME_MAX),
        text=plain(one.text),
        balance=one.balance,
    )


def _way(one: Entry) -> Way:
    if one.is_charge:
        return Way.CHARGE
    if one.signed.minor > 0:
        return Way.IN
    return Way.REVERSAL if one.is_reversal else Way.OUT
