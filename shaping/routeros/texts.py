"""How RouterOS writes time spans and pairs of figures. PURE."""

from __future__ import annotations

import re
from functools import lru_cache

UNITS_S = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
TIMEOUT_MAX_S = 35 * UNITS_S["w"]
"""RouterOS takes a little more for an entry of an address list, and no more than 35w3d13h13m56s."""

_SPAN = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")


def span(seconds: int) -> str:
    """So many seconds as RouterOS prints them: ``1h5m3s``."""
    parts = []
    for unit, size in UNITS_S.items():
        count, seconds = divmod(seconds, size)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"


@lru_cache(maxsize=4_096)
def span_ms(text: str) -> int | None:
    """Milliseconds of a printed span; None for what is none, as an absent one."""
    found = _SPAN.fullmatch(text)
    if not text or found is None:
        return None
    *whole, thousandths = (int(part or 0) for part in found.groups())
    sizes = UNITS_S.values()
    return 1_000 * sum(n * size for n, size in zip(whole, sizes, strict=True)) + thousandths


def up_down(text: str) -> tuple[int, int] | None:
    """A pair of figures, upload first as everywhere in RouterOS; None for what is none."""
    up, slash, down = text.partition("/")
    if not slash or not (up.isdecimal() and down.isdecimal()):
        return None
    return int(up), int(down)
