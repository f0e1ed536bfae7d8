"""What a credit note of an amount stands for: which taxes and which income are given back. PURE.

Of an invoice, less what was credited of it before, every part (net, excise and VAT of each thing)
gives its share. So the parts of a credit note sum to its amount, none ever exceeds what the invoice
has left of it, and a credit of all that is left takes back exactly that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.invoice import LineKind
from billing.money import Money, split
from billing.tax import Taxed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.invoice import Line

_Key = tuple[object, ...]


def credit_of(
    invoice: Sequence[Line], credited: Sequence[Line], amount: Money | None, *, text: str
) -> tuple[Line, ...]:
    """The lines of a credit note of ``amount``; None is all that is left.

    Discounts are taken together with what they lowered. Raises `InvalidField` (``amount``) for
    nothing, or more than the invoice has left.
    """
    left = _left(invoice, credited)
    parts = [part.minor for line in left for part in _parts(line.taxed)]
    rest = Money(sum(parts), invoice[0].taxed.net.currency)
    amount = rest if amount is None else amount
    if amount.currency != rest.currency or not 0 < amount.minor <= rest.minor:
        raise InvalidField("amount", f"want more than nothing, and at most {rest}")
    shares = iter(split(amount, parts))
    lines = [
        replace(line, taxed=Taxed(next(shares), next(shares), next(shares)), text=text)
        for line in left
    ]
    return tuple(line for line in lines if line.taxed.total.minor)


def _left(invoice: Sequence[Line], credited: Sequence[Line]) -> list[Line]:
    """What each thing on an invoice has left, with the account of the thing itself."""
    sums: dict[_Key, Line] = {}
    for line in sorted(invoice, key=lambda one: one.kind is LineKind.DISCOUNT):
        key = _key(line)
        known = sums.get(key)
        sums[key] = line if known is None else replace(known, taxed=_sum(known, line, 1))
    for line in credited:
        known = sums[_key(line)]
        sums[_key(line)] = replace(known, taxed=_sum(known, line, -1))
    return list(sums.values())


def _key(line: Line) -> _Key:
    return (line.tax_class, line.rates, line.plan_id, line.subscription_id)


def _sum(known: Line, line: Line, sign: int) -> Taxed:
    pairs = zip(_parts(known.taxed), _parts(line.taxed), strict=True)
    net, excise, vat = (Money(a.minor + sign * b.minor, a.currency) for a, b in pairs)
    return Taxed(net, excise, vat)


def _parts(taxed: Taxed) -> tuple[Money, Money, Money]:
    return taxed.net, taxed.excise, taxed.vat
