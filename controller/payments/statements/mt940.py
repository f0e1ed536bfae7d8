"""SWIFT MT940: a customer's statement, one message for each day or page. PURE.

Fields: ``:20:`` reference, ``:25:`` account, ``:28C:`` number, ``:60F:`` opening balance (``60M``
on further pages), ``:61:`` one booking, ``:86:`` its narrative, ``:62F:``/``62M`` closing balance.
Amounts have a comma before the cents. ``RC`` takes a credit back, ``RD`` a debit. Source: SWIFT's
public description of MT940.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import Money
from billing.period import NAIROBI
from controller.payments.statements import narration
from controller.payments.statements.amounts import amount_in
from controller.payments.statements.assembly import lines_of, with_balances
from controller.payments.statements.statement import (
    LINES_MAX,
    Entry,
    Statement,
    StatementUnreadable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TAG = re.compile(r":([0-9]{2}[A-Z]?):(.*)", re.DOTALL)
_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9]{1,15}[,.][0-9]{0,2})")
_BOOKING = re.compile(
    r"([0-9]{6})([0-9]{4})?(R?[CD])([A-Z])?([0-9]{1,15}[,.][0-9]{0,2})([A-Z][A-Z0-9]{3})"
    r"([^\n/]{0,35}(?:/(?!/)[^\n/]*)*)(?://([^\n]{0,35}))?(?:\n(.*))?",
    re.DOTALL,
)
_SUBFIELD = re.compile(r"\?[0-9]{2}")
_CHARGE_TYPES = ("CHG", "COM")


@dataclass(frozen=True, slots=True)
class _Field:
    line: int
    tag: str
    value: str


@dataclass(frozen=True, slots=True)
class _Page:
    """One message: the balances at both ends, and what lies between."""

    line: int
    account: str
    closed_on: date
    opening: Money
    closing: Money
    entries: tuple[Entry, ...]


def is_mt940(text: str) -> bool:
    """Whether text looks like this format."""
    return ":20:" in text and any(tag in text for tag in (":60F:", ":60M:", ":61:"))


def read_mt940(text: str) -> Statement:
    """What the messages of a file tell together. Raises `StatementUnreadable`."""
    pages = _in_order([_page(fields) for fields in _messages(text)])
    first, last = pages[0], pages[-1]
    for before, after in pairwise(pages):
        if after.account != first.account:
            raise StatementUnreadable("25", "want one account in a file", line=after.line)
        if before.closing != after.opening:
            problem = "it is not what the message before closed with: is a day missing?"
            raise StatementUnreadable("60F", problem, line=after.line)
    entries = [entry for page in pages for entry in page.entries]
    days = [entry.at.astimezone(NAIROBI).date() for entry in entries]
    return Statement(
        form="mt940",
        rail="bank",
        place=first.account,
        since=min([first.closed_on, *days]),
        until=max([last.closed_on, *days]),
        opening=first.opening,
        closing=last.closing,
        lines=lines_of(entries),
    )


def _in_order(pages: Sequence[_Page]) -> list[_Page]:
    """Messages by day, each once: a file that was written twice into one is one file."""
    once: list[_Page] = []
    for page in pages:
        if not any(_same(page, other) for other in once):
            once.append(page)
    return sorted(once, key=lambda page: (page.closed_on, page.line))


def _same(one: _Page, other: _Page) -> bool:
    def without_lines(page: _Page) -> _Page:
        return replace(page, line=0, entries=tuple(replace(e, row=0) for e in page.entries))

    return without_lines(one) == without_lines(other)


def _messages(text: str) -> list[list[_Field]]:
    found: list[list[_Field]] = []
    for field in _fields(text):
        if field.tag == "20":
            found.append([])
        if not found:
            raise StatementUnreadable("20", "want a message to begin with it", line=field.line)
        found[-1].append(field)
    return found


def _fields(text: str) -> Iterator[_Field]:
    """Each field with its continued lines."""
    tag, value, began = "", "", 0
    for n, raw in enumerate(text.splitlines(), start=1):
        line = raw.rsplit("{4:", 1)[-1]
        started = _TAG.fullmatch(line)
        if tag and (started or line.startswith(("-}", "{1:")) or line == "-"):
            yield _Field(began, tag, value)
            tag = ""
        if started:
            tag, value, began = started[1], started[2].rstrip(), n
        elif tag:
            value += f"\n{line.rstrip()}"
    if tag:
        yield _Field(began, tag, value)


def _page(fields: Sequence[_Field]) -> _Page:
    account, opened, closed = "", None, None
    entries: list[Entry] = []
    for field in fields:
        if field.tag == "25":
            account = _account(field.value)
        elif field.tag in {"60F", "60M"}:
            opened = _balance(field)
        elif field.tag in {"62F", "62M"}:
            closed = _balance(field)
        elif field.tag == "61":
            if opened is None:
                raise StatementUnreadable("60F", "want it before bookings", line=field.line)
            entries.append(_entry(field, opened[1].currency))
        elif field.tag == "86" and entries and closed is None:
            entries[-1] = _narrated(entries[-1], field.value)
    return _whole(fields[0].line, account, opened, closed, entries)


def _whole(
    line: int,
    account: str,
    opened: tuple[date, Money] | None,
    closed: tuple[date, Money] | None,
    entries: Sequence[Entry],
) -> _Page:
    """A message whose balances agree with its bookings. Raises `StatementUnreadable`."""
    if opened is None or closed is None:
        field = "60F" if opened is None else "62F"
        raise StatementUnreadable(field, "the message has none", line=line)
    if len(entries) > LINES_MAX:
        raise StatementUnreadable("61", f"want at most {LINES_MAX:,}", line=line)
    held = with_balances(entries, opened[1])
    came_to = held[-1].balance if held else opened[1]
    if came_to != closed[1]:
        problem = f"opening and bookings come to {came_to}, it says {closed[1]}"
        raise StatementUnreadable("62F", problem, line=line)
    return _Page(line, account, closed[0], opened[1], closed[1], tuple(held))


def _account(text: str) -> str:
    """The account, without the bank's code before it."""
    last = text.rsplit("/", maxsplit=1)[-1]
    return "".join(c for c in last if c.isascii() and (c.isalnum() or c in "._-"))[:32]


def _balance(field: _Field) -> tuple[date, Money]:
    found = _BALANCE.fullmatch(field.value.strip())
    if found is None:
        raise StatementUnreadable(
            field.tag, "want a balance like C261123KES1500,00", line=field.line
        )
    mark, day, currency, digits = found.groups()
    amount = _amount(digits, currency, field)
    return _day(day, field).date(), Money(-amount.minor if mark == "D" else amount.minor, currency)


def _entry(field: _Field, currency: str) -> Entry:
    found = _BOOKING.fullmatch(field.value)
    if found is None:
        problem = "want a booking like 2611231123C1500,00NTRFREFERENCE//BANKREF"
        raise StatementUnreadable("61", problem, line=field.line)
    day, _, mark, _, digits, kind, customer, bank, more = found.groups(default="")
    amount = _amount(digits, currency, field)
    came = mark in {"C", "RD"}
    return Entry(
        row=field.line,
        at=_day(day, field).astimezone(UTC),
        signed=Money(amount.minor if came else -amount.minor, currency),
        own=narration.receipt_of(bank) or narration.receipt_of(customer),
        reference=customer.strip() if narration.receipt_of(customer) else "",
        text=narration.plain(more),
        is_charge=not came and kind[1:] in _CHARGE_TYPES,
        is_reversal=mark == "RC",
    )


def _narrated(entry: Entry, text: str) -> Entry:
    """An entry with what its narrative tells; wrapped lines are joined as they were cut."""
    shown = _SUBFIELD.sub(" ", "".join(text.split("\n")))
    told = narration.told_in(shown)
    is_debit = entry.signed.minor < 0
    return replace(
        entry,
        own=told.receipt or entry.own,
        linked=told.receipt,
        reference=told.reference or entry.reference,
        payer=told.payer,
        name=told.name,
        text=narration.plain(f"{shown} {entry.text}"),
        is_charge=entry.is_charge or (is_debit and narration.is_charge(shown)),
        is_reversal=entry.is_reversal or narration.is_reversal(shown),
    )


def _amount(digits: str, currency: str, field: _Field) -> Money:
    try:
        found = amount_in(
            digits.replace(",", "."), field=field.tag, line=field.line, currency=currency
        )
    except InvalidField as error:
        raise StatementUnreadable(field.tag, error.problem, line=field.line) from None
    assert found is not None, "the pattern has digits"
    return found


def _day(text: str, field: _Field) -> datetime:
    try:
        return datetime.strptime(text, "%y%m%d").replace(tzinfo=NAIROBI)
    except ValueError:
        raise StatementUnreadable(field.tag, "want a day like 261123", line=field.line) from None
