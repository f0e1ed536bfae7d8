"""What stands on an invoice or a credit note, and what it means to the ledger. PURE.

A document is a list of lines, each with its taxes; the lines sum to the document to the cent. It is
never changed: what was wrong is made good by another document.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from billing.accounts import receivable, tax_due
from billing.errors import CurrencyMismatch, InvalidField
from billing.ledger import Posting
from billing.money import Money
from billing.tax import Rates, Tax, TaxClass, Taxed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.ids import AccountName

TEXT_MAX = 200

_EXCISE, _VAT = tax_due(Tax.EXCISE), tax_due(Tax.VAT)


class DocumentKind(StrEnum):
    """What was issued."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    RECEIPT = "receipt"


class LineKind(StrEnum):
    """What a line charges for."""

    PLAN = "plan"  # a period, or a part of one, of a subscription
    USAGE = "usage"  # volume, by a tariff
    ITEM = "item"  # a thing or work that is sold once
    FEE = "fee"  # for paying late
    DISCOUNT = "discount"  # what a promotion takes off; negative
    ADJUSTMENT = "adjustment"  # money from a wallet that is wanted back; no supply


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``account`` is where its net belongs: income, or, of a discount, its opposite."""

    kind: LineKind
    text: str
    account: AccountName
    taxed: Taxed
    tax_class: TaxClass
    rates: Rates
    subscription_id: str | None = None
    plan_id: str | None = None


def total(lines: Sequence[Line]) -> Taxed:
    """The sum of lines, part by part. Raises `InvalidField` for none, or a sum below zero."""
    if not lines:
        raise InvalidField("lines", "want at least one")
    currency = lines[0].taxed.net.currency
    net = excise = vat = 0
    for line in lines:
        of = line.taxed
        if not currency == of.net.currency == of.excise.currency == of.vat.currency:
            raise CurrencyMismatch(f"{currency} and another currency in one sum")
        net, excise, vat = net + of.net.minor, excise + of.excise.minor, vat + of.vat.minor
    if net + excise + vat < 0 or excise < 0 or vat < 0:
        raise InvalidField("lines", "they sum to less than nothing")
    return Taxed(Money(net, currency), Money(excise, currency), Money(vat, currency))


def issued(lines: Sequence[Line], subscriber_id: str) -> tuple[Posting, ...]:
    """What an invoice moves: the subscriber owes, income and taxes due grow. None for a zero."""
    return tuple(_postings(lines, receivable(subscriber_id)))


def credited(lines: Sequence[Line], subscriber_id: str) -> tuple[Posting, ...]:
    """What a credit note of these (positive) lines moves: the opposite of `issued`."""
    return tuple(
        Posting(source=moved.target, target=moved.source, amount=moved.amount)
        for moved in _postings(lines, receivable(subscriber_id))
    )


def part_of(line: Line, taxed: Taxed, text: str) -> Line:
    """A line like this one, of another amount: for credit notes."""
    return replace(line, taxed=taxed, text=text)


def _postings(lines: Sequence[Line], owed: AccountName) -> list[Posting]:
    """One posting for each account that the lines touch, in the order in which they do."""
    sums: dict[AccountName, int] = {}
    currency = lines[0].taxed.net.currency
    for line in lines:
        of = line.taxed
        for account, amount in ((line.account, of.net), (_EXCISE, of.excise), (_VAT, of.vat)):
            if amount.currency != currency:
                raise CurrencyMismatch(f"{amount.currency} and {currency} in one sum")
            sums[account] = sums.get(account, 0) + amount.minor
    return [_moved(owed, account, minor, currency) for account, minor in sums.items() if minor]


def _moved(owed: AccountName, account: AccountName, minor: int, currency: str) -> Posting:
    if minor > 0:
        return Posting(source=account, target=owed, amount=Money(minor, currency))
    return Posting(source=owed, target=account, amount=Money(-minor, currency))


def shown_number(series: str, number: int) -> str:
    """How a document is called: ``INV-main-000042``."""
    return f"{series}-{number:06d}"


@lru_cache(1_024)
def series_of(kind: DocumentKind, branch_id: str) -> str:
    """The fiscal series of a kind of document at a branch."""
    short = {
        DocumentKind.INVOICE: "INV",
        DocumentKind.CREDIT_NOTE: "CRN",
        DocumentKind.RECEIPT: "RCT",
    }
    return f"{short[kind]}-{branch_id}"
