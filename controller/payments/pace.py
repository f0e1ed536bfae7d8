"""How fast we may ask a provider: a token bucket."""

from __future__ import annotations

import asyncio

from controller.payments.gateway import GatewayError

WAIT_MAX_S = 10.0
"""Who would have to wait longer for a turn is told so at once."""


class PaceError(GatewayError):
    """Our own queue for the provider is too long; nothing was sent."""


class Pace:
    """At most ``per_s`` requests a second, with bursts of one second's worth."""

    def __init__(self, per_s: int) -> None:
        self._gap_s = 1 / per_s
        self._burst_s = (per_s - 1) * self._gap_s
        self._next_at = 0.0

    async def turn(self) -> None:
        """Wait for a turn. Raises `PaceError` when it would take over `WAIT_MAX_S`."""
        now = asyncio.get_running_loop().time()
        at = max(self._next_at, now)
        wait_s = at - self._burst_s - now
        if wait_s > WAIT_MAX_S:
            raise PaceError(f"over {WAIT_MAX_S:.0f} s of requests are waiting already")
        self._next_at = at + self._gap_s
        if wait_s > 0:
            await asyncio.sleep(wait_s)
