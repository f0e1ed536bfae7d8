"""Readings in, usage out. PURE.

A reading is cumulative within an epoch (one uninterrupted life of a counter). Usage is the sum,
over all epochs, of the highest reading seen in each: a reading that is lost, doubled or out of
order changes nothing, and a restarted counter starts from zero again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Volume:
    """Layer-3 bytes, each way."""

    down_bytes: int = 0
    up_bytes: int = 0

    def __post_init__(self) -> None:
        assert self.down_bytes >= 0
        assert self.up_bytes >= 0

    def __add__(self, other: Volume) -> Volume:
        return Volume(self.down_bytes + other.down_bytes, self.up_bytes + other.up_bytes)

    @property
    def total_bytes(self) -> int:
        """Both directions together."""
        return self.down_bytes + self.up_bytes


@dataclass(frozen=True, slots=True)
class Meter:
    """The highest reading seen in each epoch of one session's counters."""

    epochs: Mapping[str, Volume] = field(default_factory=dict)

    @property
    def usage(self) -> Volume:
        """What billing believes was used: the sum of each epoch's highest reading."""
        return sum(self.epochs.values(), Volume())


def metered(meter: Meter, epoch: str, reading: Volume) -> Meter:
    """The meter after one more reading, in whatever order readings come.

    Each direction keeps its own maximum, so the usage never falls and a repeat changes nothing.
    """
    seen = meter.epochs.get(epoch, Volume())
    best = Volume(
        max(seen.down_bytes, reading.down_bytes),
        max(seen.up_bytes, reading.up_bytes),
    )
    if epoch in meter.epochs and best == seen:
        return meter
    return Meter({**meter.epochs, epoch: best})
