"""How many wrong keys an address may offer in a while. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FAILURES_MAX = 10
WINDOW = timedelta(minutes=1)
ADDRESSES_MAX = 1_000
"""Beyond this many addresses the one that failed longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """The wrong keys of the last while, by the address that offered them."""

    failures: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)


def wait_s(attempts: Attempts, address: str, now: datetime, *, most: int = FAILURES_MAX) -> int:
    """Seconds until ``address`` may try again; 0 when it may now."""
    recent = [at for at in attempts.failures.get(address, ()) if now - at < WINDOW]
    if len(recent) < most:
        return 0
    return max(1, -((now - recent[-most] - WINDOW) // timedelta(seconds=1)))


def failed(
    attempts: Attempts, address: str, now: datetime, *, most: int = FAILURES_MAX
) -> Attempts:
    """The attempts after one more wrong key from ``address``."""
    others = {a: ats for a, ats in attempts.failures.items() if a != address}
    while len(others) >= ADDRESSES_MAX:
        del others[min(others, key=lambda a: others[a][-1])]
    recent = (*attempts.failures.get(address, ()), now)[-most:]
    return Attempts({**others, address: recent})
