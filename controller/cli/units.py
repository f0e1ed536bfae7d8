"""Durations, sizes, rates and days as people type them. PURE.

``2h30m`` is a duration, ``500MB`` a size, ``3M`` a rate, ``8M/2M`` a rate each way. Multiples of
sizes and rates are decimal, as providers count; ``MiB`` and its like are binary. Everything comes
out in whole units.
"""

from __future__ import annotations

import re
from datetime import datetime

from billing.dunning import Step as DunningStep
from billing.dunning import StepKind
from billing.errors import InvalidField
from billing.money import MINOR_PER_MAJOR, parse_money
from billing.period import Cycle, Unit
from billing.plan import DAY_MINUTES, Burst, Step, Window
from billing.rating import Tier
from billing.tax import WHOLE
from controller.noc.text import NAIROBI

DURATION_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
DIGITS_MAX = 15
HOUR_MINUTES = 60

_WINDOW = re.compile(r"([0-9]{1,2}:[0-9]{2})-([0-9]{1,2}:[0-9]{2}):(.+)")
_DURATION = re.compile(rf"(?:[0-9]{{1,{DIGITS_MAX}}}[smhdw])+")
_SIZE = re.compile(rf"([0-9]{{1,{DIGITS_MAX}}})(?:\.([0-9]{{1,3}}))?([kmgt]i?)?b?")
_CYCLE = re.compile(r"([0-9]{1,6})?(minute|hour|day|week|month)s?")
_DUNNING = re.compile(r"(remind|fee|suspend|recovery)([+-][0-9]{1,4})(?::(.+))?")
_SHARE = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%?")
_RATE = re.compile(
    rf"([0-9]{{1,{DIGITS_MAX}}})(?:\.([0-9]{{1,3}}))?([kmg])?(?:b(?:it)?(?:/s|ps)?)?"
)


def duration_s(text: str) -> int:
    """Whole seconds of ``45s``, ``2h``, ``1d12h``. Raises `InvalidField`."""
    compact = _compact(text)
    if not _DURATION.fullmatch(compact):
        raise InvalidField("duration", f"{text!r} is not like 30m, 2h or 1d12h")
    parts = re.findall(r"([0-9]+)([smhdw])", compact)
    return sum(int(number) * DURATION_UNITS_S[unit] for number, unit in parts)


def size_bytes(text: str) -> int:
    """Whole bytes of ``500MB``, ``1.5G``, ``2GiB``. Raises `InvalidField`."""
    match = _SIZE.fullmatch(_compact(text))
    if match is None:
        raise InvalidField("size", f"{text!r} is not like 500MB or 1.5GB")
    whole, part, multiple = match.groups()
    return _times(whole, part, {**DECIMAL, **BINARY}[multiple or ""])


def rate_bps(text: str) -> int:
    """Whole bits per second of ``3M``, ``512k``, ``2.5Mbps``. Raises `InvalidField`."""
    match = _RATE.fullmatch(_compact(text))
    if match is None:
        raise InvalidField("rate", f"{text!r} is not like 3M or 512k")
    whole, part, multiple = match.groups()
    return _times(whole, part, DECIMAL[multiple or ""])


def rates_bps(text: str) -> tuple[int, int]:
    """Down and up of ``8M/2M``. Raises `InvalidField`."""
    down, slash, up = _compact(text).partition("/")
    if not slash:
        raise InvalidField("rates", f"{text!r} is not like 8M/2M: down, a stroke, up")
    return rate_bps(down), rate_bps(up)


def burst(text: str) -> Burst:
    """``8M/2M:20MB``: down and up, and for how many bytes. Raises `InvalidField`."""
    rates, colon, size = _compact(text).partition(":")
    if not colon:
        raise InvalidField("burst", f"{text!r} is not like 8M/2M:20MB")
    down, up = rates_bps(rates)
    return Burst(down, up, size_bytes(size))


def step(text: str) -> Step:
    """``5GB:1M/512k``: after how many bytes, then down and up. Raises `InvalidField`."""
    size, colon, rates = _compact(text).partition(":")
    if not colon:
        raise InvalidField("step", f"{text!r} is not like 5GB:1M/512k")
    down, up = rates_bps(rates)
    return Step(size_bytes(size), down, up)


def window(text: str) -> Window:
    """``22:00-06:00:10M/5M``: from and until, then down and up. Raises `InvalidField`."""
    match = _WINDOW.fullmatch(_compact(text))
    if match is None:
        raise InvalidField("window", f"{text!r} is not like 22:00-06:00:10M/5M")
    begins, ends, rates = match.groups()
    down, up = rates_bps(rates)
    return Window(minute(begins), minute(ends), down, up)


def minute(text: str) -> int:
    """The minute of the day of ``22:00``; 24:00 is the day's end. Raises `InvalidField`."""
    hours, minutes = (int(part) for part in text.split(":"))
    if hours * HOUR_MINUTES + minutes > DAY_MINUTES or minutes >= HOUR_MINUTES:
        raise InvalidField("time", f"{text!r} is no time of the day")
    return hours * HOUR_MINUTES + minutes


def day(text: str) -> datetime:
    """When the day ``2027-01-31`` begins in Nairobi. Raises `InvalidField`."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=NAIROBI)
    except ValueError as error:
        raise InvalidField("day", f"{text!r} is not a day like 2027-01-31") from error


def moment(text: str) -> datetime:
    """The moment ``2027-01-31 22:00`` in Nairobi. Raises `InvalidField`."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M").replace(tzinfo=NAIROBI)
    except ValueError as error:
        raise InvalidField("moment", f"{text!r} is not like 2027-01-31 22:00") from error


def minor(text: str) -> int:
    """Cents of ``1,250.50`` shillings. Raises `InvalidField`."""
    return parse_money(text).minor


def kes(amount_minor: int) -> dict[str, str]:
    """An amount as the API takes it."""
    sign = "-" if amount_minor < 0 else ""
    whole, rest = divmod(abs(amount_minor), MINOR_PER_MAJOR["KES"])
    return {"amount": f"{sign}{whole}.{rest:02d}", "currency": "KES"}


def share_bp(text: str) -> int:
    """Hundredths of a per cent of ``16%``, ``7.5``. Raises `InvalidField`."""
    match = _SHARE.fullmatch(_compact(text))
    if match is None:
        raise InvalidField("share", f"{text!r} is not like 16% or 7.5%")
    whole, part = match.groups(default="")
    share = int(whole) * 100 + int(part.ljust(2, "0"))
    if share > WHOLE:
        raise InvalidField("share", f"want at most 100%, got {text!r}")
    return share


def tier(text: str) -> Tier:
    """``50:20``: up to 50 units at KES 20 each; ``rest:15``: all others. Raises `InvalidField`."""
    upto, colon, price = _compact(text).partition(":")
    if not colon or not (upto == "rest" or (upto.isdecimal() and len(upto) <= DIGITS_MAX)):
        raise InvalidField("tier", f"{text!r} is not like 50:20 or rest:15")
    return Tier(None if upto == "rest" else int(upto), parse_money(price))


def cycle(text: str) -> Cycle:
    """``month``, ``2 weeks``, ``30 days``. Raises `InvalidField`."""
    match = _CYCLE.fullmatch(_compact(text))
    if match is None:
        raise InvalidField("cycle", f"{text!r} is not like month, 2 weeks or 30 days")
    count, unit = match.groups()
    return Cycle(Unit(unit), int(count or 1))


def dunning_step(text: str) -> DunningStep:
    """``remind-3``, ``fee+5:100``: days from when it is due. Raises `InvalidField`."""
    match = _DUNNING.fullmatch(_compact(text))
    if match is None:
        raise InvalidField("step", f"{text!r} is not like remind-3, fee+5:100 or suspend+7")
    kind, days, fee = match.groups()
    return DunningStep(StepKind(kind), int(days), None if fee is None else parse_money(fee))


def _times(whole: str, part: str | None, unit: int) -> int:
    thousandths = int(whole) * 1_000 + int((part or "").ljust(3, "0"))
    return thousandths * unit // 1_000


def _compact(text: str) -> str:
    return text.replace(" ", "").lower()
