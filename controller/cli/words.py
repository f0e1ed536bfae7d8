"""Lines of JSON as cells of a table. PURE."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing.money import Money, parse_money
from controller.noc import text

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING = "-"
NO_LIMIT = "no limit"


def price(shape: Mapping[str, str]) -> str:
    """``KES 1,250`` from ``{"amount": "1250.00", "currency": "KES"}``."""
    return str(money(shape))


def money(shape: Mapping[str, str]) -> Money:
    """An amount as money."""
    return parse_money(shape["amount"], shape["currency"])


def moment(at: str | None) -> str:
    """``23 Nov 17:02`` in Nairobi."""
    return NOTHING if at is None else f"{instant(at).astimezone(text.NAIROBI):%d %b %H:%M}"


def day(at: str | None) -> str:
    """``23 Nov`` in Nairobi, where a table has no room for the time."""
    return NOTHING if at is None else f"{instant(at).astimezone(text.NAIROBI):%d %b}"


def moment_far(at: str | None) -> str:
    """The same with the year, for what may be a year away."""
    return NOTHING if at is None else f"{instant(at).astimezone(text.NAIROBI):%d %b %Y %H:%M}"


def moment_whole(at: str | None) -> str:
    """The same with year, seconds and zone, where there is room."""
    if at is None:
        return NOTHING
    return f"{instant(at).astimezone(text.NAIROBI):%Y-%m-%d %H:%M:%S} EAT"


def instant(at: str) -> datetime:
    """An instant as it stands in JSON."""
    return datetime.fromisoformat(at)


def span(seconds: int | None, *, without: str = NO_LIMIT) -> str:
    """A duration, or what None means."""
    return without if seconds is None else text.span(seconds)


def volume(amount_bytes: int | None, *, without: str = NO_LIMIT) -> str:
    """Bytes, or what None means."""
    return without if amount_bytes is None else text.volume(amount_bytes)


def rate(bps: int) -> str:
    """Bits per second."""
    return text.rate(bps)


def burst(shape: Mapping[str, int] | None) -> str:
    """``8 Mb/s / 2 Mb/s for 20 MB``."""
    return NOTHING if shape is None else f"{rates(shape)} for {volume(shape['burst_bytes'])}"


def step(shape: Mapping[str, int]) -> str:
    """``after 5 GB 1 Mb/s / 512 kb/s``."""
    return f"after {volume(shape['after_bytes'])} {rates(shape)}"


def window(shape: Mapping[str, int]) -> str:
    """``22:00-06:00 10 Mb/s / 5 Mb/s``."""
    return f"{minute(shape['from_minute'])}-{minute(shape['until_minute'])} {rates(shape)}"


def rates(shape: Mapping[str, int]) -> str:
    """Both directions."""
    return f"{rate(shape['down_bps'])} / {rate(shape['up_bps'])}"


def minute(of_day: int) -> str:
    """``22:00``."""
    return f"{of_day // 60:02d}:{of_day % 60:02d}"


def plain(value: Any) -> str:
    """Any field as text."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or NOTHING
    if isinstance(value, dict) and set(value) == {"amount", "currency"}:
        return price(value)
    return str(value)


def fields(shape: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every field of one thing, times as people read them."""
    return [
        (name, moment_whole(value) if name.endswith("_at") else plain(value))
        for name, value in shape.items()
    ]
