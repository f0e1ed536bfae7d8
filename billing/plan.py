"""What is for sale. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.rating import check_tariff
from billing.tax import TaxClass

if TYPE_CHECKING:
    from billing.ids import PlanId
    from billing.money import Money
    from billing.rating import Tariff

STEPS_MAX = 8
WINDOWS_MAX = 8
DAY_MINUTES = 1_440
BURST_MAX_BYTES = 1_000_000_000
ID_SHAPE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
NAME_MAX = 40
RATE_MIN_BPS = 8_000
RATE_MAX_BPS = 10_000_000_000
DURATION_MAX_S = 366 * 86_400
QUOTA_MIN_BYTES = 100_000
QUOTA_MAX_BYTES = 10**15
DEVICES_MAX = 50
PRICE_MAX_MINOR = 250_000 * 100
"""One M-PESA payment moves at most KES 250,000."""

CONTRACT_PRICE_MAX_MINOR = 10_000_000 * 100
"""A period that costs more than ten million shillings is a mistake in typing."""


class Audience(StrEnum):
    """Who a plan is for."""

    HOTSPOT = "hotspot"  # anybody at a portal, who pays before and at once
    CONTRACT = "contract"  # subscribers with a contract, who are invoiced


@dataclass(frozen=True, slots=True)
class Burst:
    """Up to ``burst_bytes`` at this speed, each way, before the rate holds; saved up while idle."""

    down_bps: int
    up_bps: int
    burst_bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """Fair use: the speed once ``after_bytes`` of the grant are used, both directions together."""

    after_bytes: int
    down_bps: int
    up_bps: int


@dataclass(frozen=True, slots=True)
class Window:
    """The speed at certain hours, in minutes of the day in Nairobi; past midnight if it turns.

    It goes before any step, and over the minutes ``from_minute`` to ``until_minute`` - 1.
    """

    from_minute: int
    until_minute: int
    down_bps: int
    up_bps: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a grant of a plan allows. A limit that is None does not bind.

    ``validity_s`` is the calendar clock: it runs from the first access, connected or not.
    ``uptime_s`` is the clock of connected time: it runs only while a session is open.
    ``quota_bytes`` counts both directions, layer 3. ``devices_max`` is how many devices at once.
    ``steps`` are in the order of their bytes; of ``windows`` the first that matches holds. What
    speed they make is `billing.speed`.
    """

    down_bps: int
    up_bps: int
    validity_s: int | None
    uptime_s: int | None
    quota_bytes: int | None
    devices_max: int
    burst: Burst | None = None
    steps: tuple[Step, ...] = ()
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A thing for sale: its name on screens, its price, and what one purchase of it allows.

    ``pool_id`` is the shared rate that its devices are in, at sites that have one of that name; ""
    for that of the place where they are. ``tax_included`` says whether taxes are in the price or
    come on top. ``tariff`` is what volume costs beside the price; None for nothing.
    """

    id: PlanId
    name: str
    price: Money
    limits: Limits
    pool_id: str = ""
    audience: Audience = Audience.HOTSPOT
    tax_class: TaxClass = TaxClass.INTERNET
    tax_included: bool = True
    tariff: Tariff | None = None


def check_plan(plan: Plan) -> Plan:
    """The plan itself when it can be sold. Raises `InvalidField` naming the first bad field."""
    if not ID_SHAPE.fullmatch(plan.id):
        raise InvalidField("id", "want 1 to 32 of a-z, 0-9 and -, starting with a letter or digit")
    if not plan.name.strip() or len(plan.name) > NAME_MAX:
        raise InvalidField("name", f"want 1 to {NAME_MAX} characters")
    if plan.pool_id and not ID_SHAPE.fullmatch(plan.pool_id):
        raise InvalidField("pool_id", f"{plan.pool_id[:40]!r} is no pool id")
    if plan.audience is Audience.HOTSPOT:
        _check_hotspot(plan)
    else:
        _check_contract(plan)
    check_limits(plan.limits)
    return plan


def _check_hotspot(plan: Plan) -> None:
    """What is paid at once is paid in whole shillings, with all taxes, and never afterwards."""
    if not 0 <= plan.price.minor <= PRICE_MAX_MINOR:
        raise InvalidField("price", "want 0 to 250,000")
    if plan.price.minor % 100:
        raise InvalidField("price", "want whole shillings: M-PESA moves no cents")
    if not plan.tax_included:
        raise InvalidField("tax_included", "the price on a portal is all that is paid")
    if plan.tariff is not None:
        raise InvalidField("tariff", "only subscribers with a contract are charged by volume")


def _check_contract(plan: Plan) -> None:
    if not 0 <= plan.price.minor <= CONTRACT_PRICE_MAX_MINOR:
        raise InvalidField("price", "want 0 to 10,000,000")
    if plan.price.currency != "KES":
        raise InvalidField("currency", "invoices are in KES")
    if plan.tariff is None:
        return
    check_tariff(plan.tariff)
    if plan.tariff.tiers[0].price.currency != plan.price.currency:
        raise InvalidField("tariff.tiers[0].price", f"want {plan.price.currency}, as the plan's")


def check_limits(limits: Limits) -> None:
    """Raise `InvalidField` for the first limit that cannot be."""
    _within("down_bps", limits.down_bps, RATE_MIN_BPS, RATE_MAX_BPS)
    _within("up_bps", limits.up_bps, RATE_MIN_BPS, RATE_MAX_BPS)
    _within("devices_max", limits.devices_max, 1, DEVICES_MAX)
    if limits.validity_s is not None:
        _within("validity_s", limits.validity_s, 1, DURATION_MAX_S)
    if limits.uptime_s is not None:
        _within("uptime_s", limits.uptime_s, 1, DURATION_MAX_S)
    if limits.quota_bytes is not None:
        _within("quota_bytes", limits.quota_bytes, QUOTA_MIN_BYTES, QUOTA_MAX_BYTES)
    if limits.validity_s is None and limits.uptime_s is None and limits.quota_bytes is None:
        raise InvalidField("validity_s", "want at least one of validity_s, uptime_s, quota_bytes")
    _check_speeds(limits)


def _check_speeds(limits: Limits) -> None:
    if limits.burst is not None:
        _within("burst.down_bps", limits.burst.down_bps, limits.down_bps, RATE_MAX_BPS)
        _within("burst.up_bps", limits.burst.up_bps, limits.up_bps, RATE_MAX_BPS)
        _within("burst.burst_bytes", limits.burst.burst_bytes, 1, BURST_MAX_BYTES)
    _within("steps", len(limits.steps), 0, STEPS_MAX)
    _within("windows", len(limits.windows), 0, WINDOWS_MAX)
    for n, step in enumerate(limits.steps):
        _check_rates(f"steps[{n}]", step)
        _within(f"steps[{n}].after_bytes", step.after_bytes, 1, QUOTA_MAX_BYTES)
    if any(a.after_bytes >= b.after_bytes for a, b in pairwise(limits.steps)):
        raise InvalidField("steps", "want each step after more bytes than the one before")
    for n, window in enumerate(limits.windows):
        _check_rates(f"windows[{n}]", window)
        _within(f"windows[{n}].from_minute", window.from_minute, 0, DAY_MINUTES - 1)
        _within(f"windows[{n}].until_minute", window.until_minute, 0, DAY_MINUTES)
        if window.from_minute == window.until_minute % DAY_MINUTES:
            raise InvalidField(f"windows[{n}].until_minute", "want another minute than the first")


def _check_rates(where: str, speed: Step | Window) -> None:
    _within(f"{where}.down_bps", speed.down_bps, RATE_MIN_BPS, RATE_MAX_BPS)
    _within(f"{where}.up_bps", speed.up_bps, RATE_MIN_BPS, RATE_MAX_BPS)


def _within(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidField(field, f"want {low:,} to {high:,}, got {value:,}")
