"""Kenyan taxes on what is sold: excise first, then VAT on the sum. PURE.

Rates are dated rows, never constants: what counts is the day of supply, which for a prepaid code is
the day on which it is sold. The rates that are known are in `KENYA`; operators add later ones.

Sources: VAT Act 2013 s.5(2)(b) (16 %; 14 % from 2020-04-01 to 2020-12-31); Finance Acts 2018, 2021
and 2023 for excise on internet data (15, 20, 15 %); Excise Duty Act s.9(4)-(5): the excisable value
is the fee without VAT. VAT is charged on the value with excise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import Money, split, summed

if TYPE_CHECKING:
    from collections.abc import Iterable

WHOLE = 10_000
"""All of it, in basis points."""


class Tax(StrEnum):
    """The taxes that are charged."""

    EXCISE = "excise"
    VAT = "vat"


class TaxClass(StrEnum):
    """How a thing is taxed."""

    INTERNET = "internet"  # excise, then VAT on the sum
    STANDARD = "standard"  # VAT only: routers, installation
    ZERO = "zero"  # taxable at zero per cent
    EXEMPT = "exempt"  # not taxable


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """A rate from a day on, until a later one of the same tax; in hundredths of a per cent."""

    tax: Tax
    from_day: date
    basis_points: int

    def __post_init__(self) -> None:
        if not 0 <= self.basis_points <= WHOLE:
            raise InvalidField("basis_points", f"want 0 to {WHOLE:,}, got {self.basis_points:,}")


KENYA: tuple[Rate, ...] = (
    Rate(Tax.VAT, date(2013, 9, 2), 1_600),
    Rate(Tax.VAT, date(2020, 4, 1), 1_400),
    Rate(Tax.VAT, date(2021, 1, 1), 1_600),
    Rate(Tax.EXCISE, date(2018, 9, 21), 1_500),
    Rate(Tax.EXCISE, date(2021, 7, 1), 2_000),
    Rate(Tax.EXCISE, date(2023, 7, 1), 1_500),
)
"""The rates of the past and of today; 15 % excise is assumed for 2025 and 2026."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates that hold for one thing on one day, in basis points."""

    excise_bp: int = 0
    vat_bp: int = 0


@dataclass(frozen=True, slots=True)
class Taxed:
    """A price in its parts, which always sum to the total."""

    net: Money
    excise: Money
    vat: Money

    @property
    def total(self) -> Money:
        """What is paid."""
        return summed((self.net, self.excise, self.vat), self.net.currency)


def rate_on(rates: Iterable[Rate], tax: Tax, day: date) -> int:
    """The rate of a tax on a day, in basis points; 0 before its first one."""
    known = [rate for rate in rates if rate.tax is tax and rate.from_day <= day]
    return max(known, key=lambda rate: rate.from_day).basis_points if known else 0


def rates_for(
    rates: Iterable[Rate], tax_class: TaxClass, day: date, *, vat: bool, excise: bool
) -> Rates:
    """What is charged on a thing on a day, by an operator who is registered for these taxes."""
    dated = tuple(rates)
    taxed = tax_class in {TaxClass.INTERNET, TaxClass.STANDARD}
    return Rates(
        excise_bp=(
            rate_on(dated, Tax.EXCISE, day) if excise and tax_class is TaxClass.INTERNET else 0
        ),
        vat_bp=rate_on(dated, Tax.VAT, day) if vat and taxed else 0,
    )


@lru_cache(65_536)
def taxed(amount: Money, rates: Rates, *, included: bool) -> Taxed:
    """The parts of a price: ``included`` says whether taxes are in ``amount`` or come on top.

    Each tax is rounded to the cent, half up; of a price with taxes, what is left is the net, so
    that the parts sum to the price. Negative amounts (discounts) mirror positive ones.
    """
    if amount.minor < 0:
        mirror = taxed(Money(-amount.minor, amount.currency), rates, included=included)
        return Taxed(_minus(mirror.net), _minus(mirror.excise), _minus(mirror.vat))
    if included:
        vat, without_vat = split(amount, (rates.vat_bp, WHOLE))
        excise, net = split(without_vat, (rates.excise_bp, WHOLE))
        return Taxed(net, excise, vat)
    excise = _share(amount, rates.excise_bp)
    return Taxed(amount, excise, _share(amount + excise, rates.vat_bp))


def _share(amount: Money, basis_points: int) -> Money:
    return split(amount, (basis_points, WHOLE - basis_points))[0]


def _minus(amount: Money) -> Money:
    return Money(-amount.minor, amount.currency)
