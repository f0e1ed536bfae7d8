"""Looks at every site each tick, and rolls up what was seen by the hour and the day.

What is sampled is what the database knows: sessions that are open, bytes by the readings, the
outbox, and the vitals that the agent told. A site that has fallen silent is not sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.store import series, usage_reports

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.series import Known
    from controller.store.series_rows import SiteVitalsRow

TICK_S = 20
"""A site has 8,640 raw samples in the 48 hours that they are kept."""

SILENT_AFTER = timedelta(seconds=90)
"""An agent reports at least once a minute: what is older says nothing of now."""

LATE_MAX = timedelta(minutes=5)
"""An hour is rolled up when it has been over for so long: then no sample of it is on its way."""

HOURS_AT_ONCE_MAX = 100
DAYS_AT_ONCE_MAX = 100
US = timedelta(microseconds=1)

SAID = (
    "cpu_pct",
    "memory_pct",
    "disk_pct",
    "temperature_c",
    "rtt_ms",
    "loss_ppm",
    "clock_skew_ms",
    "agent_memory_kib",
)
"""Metrics that are sampled as the agent told them."""

WIRES = ("wan_down", "wan_up", "lan_down", "lan_up")
"""Interface counters, whose growth is a rate."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Counters as they were at an instant, and how fast each grew until then (bits a second)."""

    at: datetime
    counters: dict[str, int]
    life: str = ""
    bps: dict[str, int] | None = None

    def after(self, at: datetime, counters: dict[str, int], *, life: str = "") -> Rates:
        """The rates once the counters were read again; those of another life begin anew."""
        if at <= self.at:
            return self
        if life != self.life:
            return Rates(at, counters, life)
        took_us = (at - self.at) // US
        grown = {n: v - self.counters[n] for n, v in counters.items() if n in self.counters}
        bps = {f"{n}_bps": v * 8_000_000 // took_us for n, v in grown.items() if v >= 0}
        return Rates(at, counters, life, bps)


class Sampler:
    """Keeps a sample of each site at each tick.

    It remembers each site's counters of the tick before. A controller that has just started has
    nothing to compare with, and says nothing of throughput until the next report. After a cut the
    rate is the mean of the whole time of silence: no peak that never was.
    """

    def __init__(self) -> None:
        self._used: dict[str, Rates] = {}
        self._wires: dict[str, Rates] = {}
        self._sampled_s = 0

    async def look(self, deps: Deps) -> int:
        """Sample every site that is not silent; how many. Raises `DatabaseBusy`.

        Within the same tick it does nothing.
        """
        now = deps.now()
        tick_s = series.second(now) // TICK_S * TICK_S
        if tick_s == self._sampled_s:
            return 0
        async with deps.db.read() as tx:
            sites = await series.known(tx, heard_since=now - SILENT_AFTER)
        samples = [self._sample(site, now) | {"at_s": tick_s} for site in sites]
        if samples:
            async with deps.db.begin() as tx:
                await series.keep(tx, samples)
        self._sampled_s = tick_s
        return len(samples)

    def _sample(self, site: Known, now: datetime) -> dict[str, int | str | None]:
        counters = {"down": site.down_bytes, "up": site.up_bytes}
        before = self._used.get(site.site_id)
        used = before.after(site.heard_at, counters) if before else Rates(site.heard_at, counters)
        self._used[site.site_id] = used
        sample: dict[str, int | str | None] = {
            "site_id": site.site_id,
            "sessions": site.sessions,
            "outbox": site.outbox,
            **(used.bps or {}),
        }
        if site.vitals is not None and now - site.vitals.at < SILENT_AFTER:
            sample |= self._said(site.vitals)
        return sample

    def _said(self, vitals: SiteVitalsRow) -> dict[str, int | str | None]:
        counters = {
            name: value for name in WIRES if (value := getattr(vitals, f"{name}_bytes")) is not None
        }
        fresh = Rates(vitals.at, counters, vitals.boot)
        before = self._wires.get(vitals.site_id)
        wires = before.after(vitals.at, counters, life=vitals.boot) if before else fresh
        self._wires[vitals.site_id] = wires
        return {name: getattr(vitals, name) for name in SAID} | dict(wires.bps or {})


class RollUp:
    """Rolls up when an hour is over, and once after a start."""

    def __init__(self) -> None:
        self._rolled_until: datetime | None = None

    async def look(self, deps: Deps) -> int:
        """Roll up what is due, unless that was done since the last hour; how many spans."""
        until = (deps.now() - LATE_MAX).replace(minute=0, second=0, microsecond=0)
        if until == self._rolled_until:
            return 0
        done = await roll_up(deps)
        self._rolled_until = until
        return done


async def roll_up(deps: Deps) -> int:
    """Roll up every hour and day that is over and was not; how many. Raises `DatabaseBusy`.

    Each is a transaction of its own: one that is broken off is done again, whole.
    """
    done, now = 0, deps.now()
    for _ in range(HOURS_AT_ONCE_MAX):
        async with deps.db.begin() as tx:
            if await series.roll_hour(tx, over_before=now - LATE_MAX) is None:
                break
        done += 1
    for _ in range(DAYS_AT_ONCE_MAX):
        async with deps.db.begin() as tx:
            if await series.roll_day(tx) is None:
                break
        done += 1
    for _ in range(HOURS_AT_ONCE_MAX):
        async with deps.db.begin() as tx:
            if await usage_reports.roll_segments(tx, over_before=now - LATE_MAX) is None:
                break
        done += 1
    async with deps.db.begin() as tx:
        await series.forget(tx, now)
        await usage_reports.forget(tx, now)
    return done
