"""How the box is: read from /proc and /sys, a few small files, no more often than every 10 s.

What the kernel does not tell is None, and never an error. Vitals are not money: nothing of them is
kept, one that is lost is lost, and after a cut nobody is told of the time in between.

Directions are the subscriber's: what comes in at the WAN goes down, and leaves at the LAN.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.model import Instant

FRESH_MS = 10_000
"""Vitals younger than this are told again rather than read again."""

CALLS_MS = 300_000
"""How far back calls count."""

CALLS_KEPT_MAX = 256
SMALL_BYTES = 2_048
"""A report of more than this takes time for its size; its answer says nothing of latency."""

SKEW_TOOK_MAX_MS = 2_000
"""An answer that took longer says too little of what time it was there."""

SET_MS = 1_000
"""A wall clock that moved by more than this against the other was set."""

SANE_C = range(-40, 151)
"""Some drivers tell of sensors that are not there."""

BOOT_LETTERS = 32
_KIB = 1_024
_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RX, _TX = 0, 8
"""Columns of /proc/net/dev that count bytes."""


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """What the agent's own calls say of the link; None before there was one."""

    rtt_ms: int | None = None
    loss_ppm: int | None = None
    clock_skew_ms: int | None = None


NOTHING_SEEN = LinkSeen()


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the box was at an instant. Percentages are whole, counters count since the boot."""

    taken_at: datetime
    boot: str
    uptime_s: int
    cpu_pct: int | None = None
    memory_pct: int | None = None
    disk_pct: int | None = None
    temperature_c: int | None = None
    wan_down_bytes: int | None = None
    wan_up_bytes: int | None = None
    lan_down_bytes: int | None = None
    lan_up_bytes: int | None = None
    rtt_ms: int | None = None
    loss_ppm: int | None = None
    clock_skew_ms: int | None = None
    agent_memory_kib: int | None = None
    portal_open: bool | None = None
    dhcp_leases: int | None = None
    dhcp_addresses: int | None = None


class Calls:
    """Remembers how the last minutes' reports went, and what the controller's clock said."""

    def __init__(self) -> None:
        self._went = deque[tuple[int, int | None, bool]](maxlen=CALLS_KEPT_MAX)
        self._skew_ms: int | None = None
        self._skewed_from = 0

    def answered(self, now: Instant, *, took_ms: int, size_bytes: int, at: datetime | None) -> None:
        """A report was answered just now; ``at`` is what time it was there."""
        self._went.append((now.mono, took_ms if size_bytes <= SMALL_BYTES else None, True))
        if at is not None and took_ms <= SKEW_TOOK_MAX_MS:
            # The controller read its clock somewhere in between: most likely in the middle.
            self._skew_ms = (now.wall - at) // _MS - took_ms // 2
            self._skewed_from = _shift_ms(now)

    def failed(self, now: Instant) -> None:
        """A report was not answered, or did not even leave."""
        self._went.append((now.mono, None, False))

    def seen(self, now: Instant) -> LinkSeen:
        """What these calls say. Once our clock was set, what we knew of it is void."""
        while self._went and now.mono - self._went[0][0] > CALLS_MS:
            self._went.popleft()
        if abs(_shift_ms(now) - self._skewed_from) > SET_MS:
            self._skew_ms = None
        took = sorted(ms for _, ms, _ in self._went if ms is not None)
        lost = sum(not answered for _, _, answered in self._went)
        return LinkSeen(
            rtt_ms=took[(len(took) - 1) // 2] if took else None,
            loss_ppm=1_000_000 * lost // len(self._went) if self._went else None,
            clock_skew_ms=self._skew_ms,
        )


def _shift_ms(now: Instant) -> int:
    """How far apart the two clocks are: it stays the same until the wall clock is set."""
    return (now.wall - _EPOCH) // _MS - now.mono


class Box:
    """The machine that the agent runs on, as its files tell."""

    def __init__(
        self,
        *,
        lan: str,
        wan: str,
        state_dir: Path,
        root: Path = Path("/"),
        portal_open: Callable[[], bool | None] = lambda: None,
    ) -> None:
        """``root`` is where proc and sys are; ``portal_open`` knows whether the portal listens."""
        self._lan, self._wan, self._state_dir = lan, wan, state_dir
        self._portal_open = portal_open
        self._proc = root / "proc"
        zones = root / "sys/class/thermal"
        self._zones = tuple(sorted(zones.glob("thermal_zone*/temp")))
        self._ticks: tuple[int, int] | None = None
        self._read: tuple[int, Vitals] | None = None
        self.pool: Callable[[Instant], tuple[int, int] | None] = _no_pool
        """Addresses that devices have and that there are; set where our own DHCP gives them out."""

    def vitals(self, now: Instant, seen: LinkSeen = NOTHING_SEEN) -> Vitals:
        """How the box is; not read again within `FRESH_MS`."""
        if self._read is not None and now.mono - self._read[0] < FRESH_MS:
            return self._read[1]
        found = self._look(now, seen)
        self._read = (now.mono, found)
        return found

    def _look(self, now: Instant, seen: LinkSeen) -> Vitals:
        wires = traffic(_text(self._proc / "self/net/dev"))
        wan, lan = wires.get(self._wan), wires.get(self._lan)
        pool = self.pool(now)
        return Vitals(
            taken_at=now.wall,
            boot=now.boot.replace("-", "")[:BOOT_LETTERS],
            uptime_s=now.mono // 1_000,
            cpu_pct=self._cpu_pct(),
            memory_pct=memory_pct(_text(self._proc / "meminfo")),
            disk_pct=self._disk_pct(),
            temperature_c=hottest(_text(zone) for zone in self._zones),
            wan_down_bytes=wan and wan[0],
            wan_up_bytes=wan and wan[1],
            lan_down_bytes=lan and lan[1],
            lan_up_bytes=lan and lan[0],
            rtt_ms=seen.rtt_ms,
            loss_ppm=seen.loss_ppm,
            clock_skew_ms=seen.clock_skew_ms,
            agent_memory_kib=resident_kib(_text(self._proc / "self/statm")),
            portal_open=self._portal_open(),
            dhcp_leases=pool and pool[0],
            dhcp_addresses=pool and pool[1],
        )

    def _cpu_pct(self) -> int | None:
        ticks = busy_and_all(_text(self._proc / "stat"))
        before, self._ticks = self._ticks, ticks
        if ticks is None or before is None or ticks[1] <= before[1]:
            return None
        return min(100, max(0, 100 * (ticks[0] - before[0]) // (ticks[1] - before[1])))

    def _disk_pct(self) -> int | None:
        """As df reckons: what is used, of that and what is left for who is not root."""
        with suppress(OSError):
            disk = os.statvfs(self._state_dir)
            used = disk.f_blocks - disk.f_bfree
            if used + disk.f_bavail > 0:
                return 100 * used // (used + disk.f_bavail)
        return None


def _no_pool(_now: Instant) -> None:
    return None


def traffic(dev: str) -> dict[str, tuple[int, int]]:
    """Bytes received and sent by each interface, from the text of /proc/net/dev."""
    found = {}
    for line in dev.splitlines():
        name, colon, rest = line.partition(":")
        columns = rest.split()
        if colon and len(columns) > _TX:
            with suppress(ValueError):
                found[name.strip()] = (int(columns[_RX]), int(columns[_TX]))
    return found


def busy_and_all(stat: str) -> tuple[int, int] | None:
    """Ticks in which the processors worked, and all, from the text of /proc/stat.

    What a guest used is in what its host used already; waiting for a disk is not work.
    """
    first, _, _ = stat.partition("\n")
    with suppress(ValueError):
        ticks = [int(one) for one in first.split()[1:9]]
        if len(ticks) >= 5:  # noqa: PLR2004 - up to and with iowait
            return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
    return None


def memory_pct(meminfo: str) -> int | None:
    """How much of the memory cannot be had, from the text of /proc/meminfo."""
    found = {}
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if name in {"MemTotal", "MemAvailable"}:
            with suppress(ValueError, IndexError):
                found[name] = int(rest.split()[0])
    total, left = found.get("MemTotal", 0), found.get("MemAvailable")
    return None if left is None or total <= 0 else 100 * (total - left) // total


def hottest(zones: Iterable[str]) -> int | None:
    """The hottest of the zones that tell something sane, in whole degrees Celsius."""
    told = []
    for text in zones:
        with suppress(ValueError):
            told.append(int(text) // 1_000)
    return max((one for one in told if one in SANE_C), default=None)


def resident_kib(statm: str) -> int | None:
    """What a process has in memory, from the text of its statm."""
    with suppress(ValueError, IndexError):
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") // _KIB
    return None


def _text(path: Path) -> str:
    """A small file of the kernel's; "" when it is not there, or does not want to be read."""
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(65_536).decode("ascii", "replace")
    except OSError:
        return ""
