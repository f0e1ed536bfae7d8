"""What volume costs: three formulas over tiers. PURE.

Use is counted in units of ``unit_bytes`` (1 GB = 10^9); a begun unit counts as one. The formulas:

- graduated: each unit at the price of the tier that it is in;
- package: each tier is a block that costs its price as soon as it is begun; after the last block
  with an end, blocks of the same size follow at the price of the open tier;
- volume: all units at the price of the tier that the last one is in. So a little more use may cost
  less, where a cheaper tier begins. With the two others, more use never costs less.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from billing import written
from billing.errors import InvalidField
from billing.money import Money

TIERS_MAX = 20
UNIT_MIN_BYTES = 1_000_000
UNIT_MAX_BYTES = 10**12
USED_MAX_BYTES = 10**15


class Formula(StrEnum):
    """How tiers are applied."""

    GRADUATED = "graduated"
    PACKAGE = "package"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and with ``upto_units`` (None: all further ones), and what one of them costs.

    Of a package tariff ``price`` is that of the whole block.
    """

    upto_units: int | None
    price: Money


@dataclass(frozen=True, slots=True)
class Tariff:
    """What volume costs. Only the last tier is open."""

    formula: Formula
    unit_bytes: int
    tiers: tuple[Tier, ...]


def check_tariff(tariff: Tariff) -> Tariff:
    """The tariff itself when use can be rated by it. Raises `InvalidField` naming what is wrong."""
    if not UNIT_MIN_BYTES <= tariff.unit_bytes <= UNIT_MAX_BYTES:
        raise InvalidField("tariff.unit_bytes", f"want {UNIT_MIN_BYTES:,} to {UNIT_MAX_BYTES:,}")
    least = 2 if tariff.formula is Formula.PACKAGE else 1
    if not least <= len(tariff.tiers) <= TIERS_MAX:
        raise InvalidField("tariff.tiers", f"want {least} to {TIERS_MAX} of them")
    for n, tier in enumerate(tariff.tiers):
        _check_tier(tariff, n, tier)
    ends = [tier.upto_units or 0 for tier in tariff.tiers[:-1]]
    if any(a >= b for a, b in pairwise(ends)):
        raise InvalidField("tariff.tiers", "want each tier to end after the one before")
    return tariff


def _check_tier(tariff: Tariff, n: int, tier: Tier) -> None:
    where = f"tariff.tiers[{n}]"
    last = n == len(tariff.tiers) - 1
    if last != (tier.upto_units is None):
        raise InvalidField(f"{where}.upto_units", "want no end for the last tier, and only for it")
    if (
        tier.upto_units is not None
        and not 0 < tier.upto_units * tariff.unit_bytes <= USED_MAX_BYTES
    ):
        raise InvalidField(f"{where}.upto_units", f"want 1 unit to {USED_MAX_BYTES:,} bytes")
    if tier.price.currency != tariff.tiers[0].price.currency:
        raise InvalidField(f"{where}.price", "want one currency in all tiers")
    # Invariant: no byte costs more than a cent, so that no use costs more than Money can hold.
    if not 0 <= tier.price.minor <= tariff.unit_bytes:
        most = Money(tariff.unit_bytes, tier.price.currency)
        raise InvalidField(f"{where}.price", f"want 0 to {most}, got {tier.price}")


def rated(tariff: Tariff, used_bytes: int) -> Money:
    """What so much use costs. Raises `InvalidField` for use that cannot be."""
    if not 0 <= used_bytes <= USED_MAX_BYTES:
        raise InvalidField("used_bytes", f"want 0 to {USED_MAX_BYTES:,}, got {used_bytes:,}")
    used = -(-used_bytes // tariff.unit_bytes)
    minor = _FORMULAS[tariff.formula](tariff.tiers, used)
    return Money(minor, tariff.tiers[0].price.currency)


def _graduated(tiers: tuple[Tier, ...], used: int) -> int:
    minor = begin = 0
    for tier in tiers:
        end = used if tier.upto_units is None else min(used, tier.upto_units)
        minor += max(0, end - begin) * tier.price.minor
        begin = end
    return minor


def _package(tiers: tuple[Tier, ...], used: int) -> int:
    minor = begin = size = 0
    for tier in tiers:
        # An open tier has as many blocks as are begun, one with an end is one block.
        end = tier.upto_units
        size = size if end is None else end - begin
        blocks = -(-max(0, used - begin) // size)
        minor += (blocks if end is None else min(1, blocks)) * tier.price.minor
        begin += size
    return minor


def _volume(tiers: tuple[Tier, ...], used: int) -> int:
    reached = next(t for t in tiers if t.upto_units is None or used <= t.upto_units)
    return used * reached.price.minor


_FORMULAS = {
    Formula.GRADUATED: _graduated,
    Formula.PACKAGE: _package,
    Formula.VOLUME: _volume,
}


def tariff_text(tariff: Tariff) -> str:
    """A tariff as JSON text."""
    return written.written(
        {
            "formula": tariff.formula,
            "unit_bytes": tariff.unit_bytes,
            "tiers": [
                {"upto_units": tier.upto_units, "price": written.money_written(tier.price)}
                for tier in tariff.tiers
            ],
        }
    )


def read_tariff(text: str) -> Tariff:
    """The tariff that a JSON text holds. Raises `InvalidField` naming what is wrong with it."""
    found = written.read(text, "tariff")
    written.only(found, ("formula", "unit_bytes", "tiers"), "tariff")
    tiers = []
    for n, each in enumerate(written.a_list(found, "tiers", "tariff")):
        where = f"tariff.tiers[{n}]"
        tier = written.an_object(each, where)
        written.only(tier, ("upto_units", "price"), where)
        upto = written.maybe_int(tier, "upto_units", where)
        tiers.append(Tier(upto, written.some_money(tier, "price", where)))
    return check_tariff(
        Tariff(
            formula=written.one_of(Formula, found, "formula", "tariff"),
            unit_bytes=written.an_int(found, "unit_bytes", "tariff"),
            tiers=tuple(tiers),
        )
    )
