"""Reading the plane's counters safely. PURE.

A plane's counters are cumulative within an epoch. What a plane answers is checked before it is
believed: a counter that fell inside its epoch is a bug of the plane, and the higher count stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.metering import Meter, Volume, metered
from shaping.one import compact

if TYPE_CHECKING:
    from shaping.plane import Counter


def advance(meter: Meter, counter: Counter | None) -> tuple[Meter, Volume]:
    """The meter after one more count, and the bytes by which it grew in each direction."""
    if counter is None:
        return meter, Volume()
    before = meter.epochs.get(counter.epoch, Volume())
    if (counter.down_bytes_total, counter.up_bytes_total) == (before.down_bytes, before.up_bytes):
        return meter, Volume()
    total = Volume(counter.down_bytes_total, counter.up_bytes_total)
    after = Meter(compact(metered(meter, counter.epoch, total).epochs))
    now = after.epochs[counter.epoch]
    grown = Volume(now.down_bytes - before.down_bytes, now.up_bytes - before.up_bytes)
    return after, grown
