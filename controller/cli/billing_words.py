"""What is sold, charged and owed, as people say it in tables. PURE."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

from billing.money import MINOR_PER_MAJOR, Money
from controller.cli import words
from controller.noc import text

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY = "every"
"""In the place of a segment or a branch: all of them."""

STATES = {
    ("pending", None): "begins later",
    ("active", None): "active",
    ("suspended", "debt"): "suspended: debt",
    ("suspended", "unpaid"): "suspended: unpaid",
    ("suspended", "staff"): "suspended: staff",
    ("paused", None): "paused",
    ("ended", None): "ended",
}
TONES = {
    "pending": "busy",
    "active": "good",
    "suspended": "bad",
    "paused": "busy",
    "ended": "quiet",
}


def percent(basis_points: int) -> str:
    """``16 %``, ``7.5 %``."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + " %"


def day(written: str) -> str:
    """``26 Nov 2026``."""
    return f"{date.fromisoformat(written):%d %b %Y}"


def tariff(shape: Mapping[str, Any] | None) -> str:
    """``graduated, per 1 GB: up to 50 at KES 20, the rest at KES 15``."""
    if shape is None:
        return words.NOTHING
    tiers = ", ".join(_tier(tier) for tier in shape["tiers"])
    return f"{shape['formula']}, per {words.volume(shape['unit_bytes'])}: {tiers}"


def _tier(shape: Mapping[str, Any]) -> str:
    upto = shape["upto_units"]
    which = "the rest" if upto is None else f"up to {upto:,}"
    return f"{which} at {words.price(shape['price'])}"


def cycle(shape: Mapping[str, Any]) -> str:
    """``every month from day 5``, ``every 2 weeks``."""
    count, unit = shape["count"], shape["unit"]
    often = f"every {unit}" if count == 1 else f"every {count:,} {unit}s"
    return often if shape["anchor_day"] is None else f"{often} from day {shape['anchor_day']}"


def state(line: Mapping[str, Any]) -> str:
    """Where a subscription stands, with the reason why it is suspended."""
    return STATES[line["state"], line["hold"]]


def who(line: Mapping[str, Any]) -> str:
    """``254712345678 Wanjiku Kamau``."""
    return f"{line['phone']} {line['name']}".strip()


def count(number: int, one: str, many: str) -> str:
    """``1 invoice``, ``47 invoices``."""
    return text.count(number, one, many)


def plain_amount(amount: Money) -> str:
    """``2,999.50``: always with cents and without the currency, as in columns of documents."""
    whole, rest = divmod(abs(amount.minor), MINOR_PER_MAJOR[amount.currency])
    return f"{'-' if amount.minor < 0 else ''}{whole:,}.{rest:02d}"


def span_of(start: str, end: str) -> str:
    """``01 Nov 2026 to 30 Nov 2026``, or with the times of day where it is not whole days."""
    first, after = (words.instant(at).astimezone(text.NAIROBI) for at in (start, end))
    if first.time() == after.time() == time():
        return f"{first:%d %b %Y} to {after - timedelta(days=1):%d %b %Y}"
    return f"{first:%d %b %Y %H:%M} to {after:%d %b %Y %H:%M}"


def terms(shape: Mapping[str, Any]) -> str:
    """What a promotion gives: ``20 % off 3 periods``, ``KES 500 for every 12 invoices``."""
    match shape["kind"]:
        case "discount":
            return _discount(shape)
        case "coupon":
            uses = "" if shape["uses_max"] is None else f", {shape['uses_max']:,} uses"
            return f"{shape['code']}: {_discount(shape['discount'])}{uses}"
        case "referral":
            both = (words.price(_shape(shape[one])) for one in ("referrer", "referred"))
            return " and ".join(both) + " when the friend first pays"
        case _:
            if shape["basis_points"] is not None:
                return f"{percent(shape['basis_points'])} of each payment back"
            reward = words.price(_shape(shape["reward"]))
            return f"{reward} for every {shape['every_invoices']:,} paid invoices"


def _discount(shape: Mapping[str, Any]) -> str:
    amount = shape["amount"]
    off = percent(shape["basis_points"]) if amount is None else words.price(_shape(amount))
    periods = shape["periods"]
    return f"{off} off" if periods is None else f"{off} off {count(periods, 'period', 'periods')}"


def _shape(amount: Mapping[str, Any]) -> dict[str, str]:
    """Money as it stands in terms, as the API writes it elsewhere."""
    return {"amount": plain_amount(Money(**amount)), "currency": amount["currency"]}
