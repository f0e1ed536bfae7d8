"""A speed in the words of a NAS. PURE."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from agent.radius.settings import Kind

if TYPE_CHECKING:
    from shaping.plane import Rate

U32_MAX = 2**32 - 1
BURST_MAX_S = 3_600


def spoken(kind: Kind, rate: Rate) -> tuple[tuple[str, int | str], ...]:
    """A speed as attributes: MikroTik's own, or those of the Wi-Fi Alliance for any other."""
    if kind is Kind.MIKROTIK:
        return (("Mikrotik-Rate-Limit", rate_limit(rate)),)
    return (
        ("WISPr-Bandwidth-Max-Up", min(rate.up_bps, U32_MAX)),
        ("WISPr-Bandwidth-Max-Down", min(rate.down_bps, U32_MAX)),
    )


def mark(kind: Kind, rate: Rate) -> str:
    """Names a speed to a NAS, so that it can say later which it was given."""
    return sha256(repr(spoken(kind, rate)).encode()).hexdigest()[:8]


def rate_limit(rate: Rate) -> str:
    """A speed as RouterOS reads it: ``rx/tx [burst threshold time]``, where rx is what we call up.

    RouterOS lets a burst last until the average over its time reaches the threshold; with the
    threshold at the speed itself that is ``time * speed / burst speed``. The time is chosen so
    that the burst carries as many bytes as were bought, in whole seconds upward.
    """
    plain = f"{rate.up_bps}/{rate.down_bps}"
    if rate.burst is None:
        return plain
    up, down = max(rate.burst.up_bps, rate.up_bps), max(rate.burst.down_bps, rate.down_bps)
    bits = rate.burst.size_bytes * 8
    up_s, down_s = (_seconds(bits, speed) for speed in (rate.up_bps, rate.down_bps))
    return f"{plain} {up}/{down} {plain} {up_s}/{down_s}"


def volume(kind: Kind, left_bytes: int) -> tuple[tuple[str, int | str], ...]:
    """A number of bytes, both ways together, after which the NAS is to end the session.

    No word for it in 32 bits alone says more than 4 GiB: then it goes unsaid, and the site ends
    the session by what it is told.
    """
    high, low = divmod(left_bytes, 2**32)
    if kind is Kind.MIKROTIK:
        return (("Mikrotik-Total-Limit", low), ("Mikrotik-Total-Limit-Gigawords", high))
    return (("ChilliSpot-Max-Total-Octets", low),) if not high else ()


def _seconds(bits: int, speed: int) -> int:
    return min(BURST_MAX_S, max(1, -(-bits // speed)))
