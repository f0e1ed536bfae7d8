"""How large a report may be on this link, learnt from how long the last one took. PURE.

Acks are cumulative, so small reports make progress where a large one would never be whole within
its deadline; and between two reports there is room for whoever buys something.
"""

from __future__ import annotations

from dataclasses import dataclass

BATCH_BYTES_MIN = 2 * 1024
"""A dozen records or two: less would be mostly envelope."""

BATCH_BYTES_MAX = 256 * 1024
BATCH_BYTES_FIRST = 16 * 1024
"""Four seconds of a link of 64 kbit/s, before compression."""

QUICK_MS = 2_000
"""After a report that took less, the next may be larger."""

SLOW_MS = 8_000
"""After one that took more, or was not answered at all, it is half as large."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many bytes of records the next report may have.

    ``careful``: a report was too large since the link was last at its best; grow in small steps.
    """

    batch_bytes: int = BATCH_BYTES_FIRST
    careful: bool = False

    def failed(self) -> Pace:
        """After a report that took too long, or was not answered at all."""
        return Pace(max(BATCH_BYTES_MIN, self.batch_bytes // 2), careful=True)

    def answered(self, took_ms: int, *, full: bool) -> Pace:
        """After an answer; a report that was not ``full`` says nothing about larger ones."""
        if took_ms > SLOW_MS:
            return self.failed()
        if took_ms >= QUICK_MS or not full:
            return self
        more = self.batch_bytes // 8 if self.careful else self.batch_bytes
        grown = min(BATCH_BYTES_MAX, self.batch_bytes + more)
        return Pace(grown, careful=self.careful and grown < BATCH_BYTES_MAX)
