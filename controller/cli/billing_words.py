"""What is sold, charged and owed, as people say it in tables. PURE."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from controller.cli import words

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


def day(text: str | None, *, without: str = words.NOTHING) -> str:
    """``26 Nov 2026``."""
    return without if text is None else f"{date.fromisoformat(text):%d %b %Y}"


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
