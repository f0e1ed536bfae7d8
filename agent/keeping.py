"""What of the state is written down, when it is worth a write, and how it reads. PURE.

Devices are observed anew after a restart and are not kept. A session's counts are cumulative in the
plane, so they need the journal only against a power cut: they are written with each reading.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Hashable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, TypeVar

from agent.model import (
    NO_VOLUME,
    NOWHERE,
    UNMETERED,
    Dial,
    GrantUse,
    Instant,
    OrderNote,
    Session,
    Try,
    TryKind,
    Why,
)
from billing.grant import Grant
from billing.ids import GrantId, OrderId, PlanId, SessionId
from billing.metering import Meter, Volume
from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import OrderStage, Reason
from billing.plan import Burst, Limits, Step, Window
from billing.quota import Allowance
from portal.captive.gate import Offer
from shaping.one import compact
from shaping.plane import MacAddress, MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UPTIME_STEP_MS = 60_000
"""Connected time is written down whenever its clock passes a multiple of this: all grants in one
commit, so that their pages are written once. A power cut gives a customer back less than this of a
connected minute already used, and never takes any."""

PLANS_SHARED_MAX = 256
"""Kinds of limits of which a journal that is read makes one object each."""

V = TypeVar("V", bound=Hashable)


class Sharing:
    """Makes one object of equal values while a journal is read.

    Sessions and grants, by the thousand, name each other, and much about them is the same. Not for
    truth values: 1 equals True.
    """

    def __init__(self) -> None:
        self._seen: dict[Any, Any] = {}

    def __call__(self, value: V) -> V:
        """The first value that equalled this one."""
        first: V = self._seen.setdefault(value, value)
        return first

    def instant(self, raw: list[Any]) -> Instant:
        """A moment from its text."""
        key = tuple(raw)
        known: Instant | None = self._seen.get(key)
        if known is None:
            known = self._seen[key] = _to_instant(raw)
        return known


def session_moved(kept: Session | None, now: Session) -> bool:
    """Whether a session differs from what is written down by enough to write it again."""
    if kept is None:
        return True
    fleeting = replace(
        now,
        meter=kept.meter,
        reported=kept.reported,
        active_at=kept.active_at,
        heard_at=kept.heard_at,
        reported_at=kept.reported_at,
    )
    return fleeting != kept


def counts_moved(kept: Session | None, now: Session) -> bool:
    """Whether a session's counts must be written: with each reading, and with the session."""
    return kept is None or kept.reported != now.reported or session_moved(kept, now)


def clock_moved(kept: GrantUse | None, now: GrantUse) -> bool:
    """Whether the clock of connected time must be written: at its steps, and with the grant."""
    return kept is None or _step(now) != _step(kept) or use_moved(kept, now)


def use_moved(kept: GrantUse | None, now: GrantUse) -> bool:
    """Whether a grant's use differs from what is written down by enough to write it again."""
    if kept is None:
        return True
    fleeting = replace(now, uptime_ms=kept.uptime_ms, uptime_at=kept.uptime_at)
    stopped = (kept.uptime_at is None) != (now.uptime_at is None)
    return fleeting != kept or stopped


def _step(use: GrantUse) -> int | None:
    return None if use.uptime_at is None else use.uptime_at // UPTIME_STEP_MS


def asleep(since: datetime, woke_at: MonotonicMs, seen: Instant) -> Instant:
    """The wall time since which off time is not accounted for, and this boot's first moment."""
    return Instant(wall=since, mono=woke_at, boot=seen.boot)


def write_instant(at: Instant) -> str:
    """An instant as text."""
    return _text(_instant(at))


def read_instant(text: str) -> Instant:
    """An instant from its text."""
    return _to_instant(json.loads(text))


def write_session(session: Session) -> str:
    """A session as text."""
    return _text(
        {
            "id": session.id,
            "grant_id": session.grant_id,
            "mac": session.mac,
            "ipv4": None if session.ipv4 is None else str(session.ipv4),
            "ipv6": sorted(map(str, session.ipv6)),
            "opened_at": _instant(session.opened_at),
            "active_at": session.active_at,
            "heard_at": session.heard_at,
            "reported_at": session.reported_at,
            "meter": _meter(session.meter),
            "reported": _meter(session.reported),
            "closed": session.closed,
            "port": session.port,
            **({} if session.dial is None else {"dial": _dial(session.dial)}),
        }
    )


def read_all(texts: Iterable[str]) -> list[Any]:
    """What is told by the texts of many rows. Raises `ValueError`."""
    raw: list[Any] = json.loads(f"[{','.join(texts)}]")
    return raw


def read_session(raw: Any, counts: Any, share: Sharing) -> Session:
    """A session from what its text tells, with its counts, where they were written after it."""
    if counts is None:
        meter, reported = raw["meter"], raw["reported"]
        moments = (raw["active_at"], raw["heard_at"], raw["reported_at"])
    else:
        meter, reported, *moments = counts
    active_at, heard_at, reported_at = (MonotonicMs(share(at)) for at in moments)
    known = _to_meter(meter, share)
    return Session(
        id=SessionId(share(raw["id"])),
        grant_id=GrantId(share(raw["grant_id"])),
        mac=MacAddress(sys.intern(raw["mac"])),
        ipv4=None if raw["ipv4"] is None else _to_ipv4(raw["ipv4"]),
        ipv6=frozenset(map(IPv6Address, raw["ipv6"])) if raw["ipv6"] else NOWHERE,
        opened_at=share.instant(raw["opened_at"]),
        active_at=active_at,
        heard_at=heard_at,
        reported_at=reported_at,
        meter=known,
        reported=known if reported in (None, meter) else _to_meter(reported, share),
        closed=None if raw["closed"] is None else Why(raw["closed"]),
        port=share(raw.get("port", "")),
        dial=_to_dial(raw.get("dial")),
    )


def write_hung_up(session: Session) -> str:
    """A dialled session that is over as text, its counts with it."""
    return write_session(session)


def read_hung_up(text: str) -> Session:
    """A dialled session that is over from its text."""
    return read_session(json.loads(text), None, Sharing())


def write_counts(session: Session) -> str:
    """What moves in a session with every byte: kept apart, so that little is written often."""
    moments = [session.active_at, session.heard_at, session.reported_at]
    reported = None if session.reported == session.meter else _meter(session.reported)
    return _text([_meter(session.meter), reported, *moments])


def write_clock(use: GrantUse) -> str:
    """The clock of connected time: kept apart, so that little is written often."""
    return _text([use.uptime_ms, use.uptime_at])


def write_use(use: GrantUse) -> str:
    """A grant and its use as text."""
    grant, limits = use.grant, use.grant.limits
    return _text(
        {
            "id": grant.id,
            "plan_id": grant.plan_id,
            "plan_name": grant.plan_name,
            "limits": [getattr(limits, name) for name in _LIMITS],
            "burst": None if limits.burst is None else _flat(limits.burst),
            "steps": [_flat(step) for step in limits.steps],
            "windows": [_flat(window) for window in limits.windows],
            "devices": list(grant.devices),
            "revoked": grant.revoked,
            "rank": use.rank,
            "cause_id": use.cause_id,
            "started_at": None if use.started_at is None else _instant(use.started_at),
            "validity_ms": use.validity_ms,
            "valid_at": use.valid_at,
            "uptime_ms": use.uptime_ms,
            "uptime_at": use.uptime_at,
            "past": [use.past.down_bytes, use.past.up_bytes],
            "elsewhere_bytes": use.elsewhere_bytes,
            "elsewhere_uptime_ms": use.elsewhere_uptime_ms,
            "allowance": [use.allowance.bytes, use.allowance.uptime_s],
            "suspended": use.suspended,
            "pool_id": use.pool_id,
            "proofs": [one.hex() for one in use.proofs],
            "made_here": use.made_here,
            "settled": use.settled,
            "cap_revision": use.cap_revision,
            "exhausted": use.exhausted,
            "owes": use.owes,
            "joined": use.joined,
            "left": use.left,
            "companions": use.companions,
        }
    )


def read_use(raw: Any, clock: Any, share: Sharing) -> GrantUse:
    """A grant and its use from what their text tells, with its clock, where that came after it."""
    uptime_ms, uptime_at = (raw["uptime_ms"], raw["uptime_at"]) if clock is None else clock
    grant = Grant(
        id=GrantId(share(raw["id"])),
        plan_id=PlanId(share(raw["plan_id"])),
        plan_name=share(raw["plan_name"]),
        limits=_to_limits(
            *raw["limits"],
            burst=_tuples(raw.get("burst")),
            steps=_tuples(raw.get("steps")),
            windows=_tuples(raw.get("windows")),
        ),
        devices=tuple(map(sys.intern, raw["devices"])),
        revoked=raw["revoked"],
    )
    return GrantUse(
        grant=grant,
        rank=raw["rank"],
        cause_id=raw["cause_id"],
        started_at=None if raw["started_at"] is None else share.instant(raw["started_at"]),
        validity_ms=share(raw["validity_ms"]),
        valid_at=None if raw["valid_at"] is None else MonotonicMs(share(raw["valid_at"])),
        uptime_ms=share(uptime_ms),
        uptime_at=None if uptime_at is None else MonotonicMs(share(uptime_at)),
        past=Volume(*raw["past"]) if any(raw["past"]) else NO_VOLUME,
        elsewhere_bytes=raw["elsewhere_bytes"],
        elsewhere_uptime_ms=raw.get("elsewhere_uptime_ms", 0),
        allowance=share(Allowance(*raw.get("allowance", ()))),
        suspended=raw.get("suspended", False),
        pool_id=share(raw.get("pool_id", "")),
        proofs=tuple(map(bytes.fromhex, raw.get("proofs", ()))),
        made_here=raw.get("made_here", False),
        settled=raw.get("settled", False),
        cap_revision=raw["cap_revision"],
        exhausted=raw["exhausted"],
        owes=raw["owes"],
        joined=tuple(MacAddress(sys.intern(mac)) for mac in raw.get("joined", ())),
        left=tuple(MacAddress(sys.intern(mac)) for mac in raw.get("left", ())),
        companions=tuple(MacAddress(sys.intern(mac)) for mac in raw.get("companions", ())),
    )


def write_order(note: OrderNote) -> str:
    """An order as text, with the offer as it was when it was placed."""
    offer = note.offer
    return _text(
        {
            "order_id": note.order_id,
            "offer": [offer.plan_id, offer.name, *(getattr(offer, name) for name in _LIMITS)],
            "price": [offer.price.minor, offer.price.currency],
            "msisdn": note.msisdn,
            "mac": note.mac,
            "placed_at": _instant(note.placed_at),
            "stage": note.stage,
            "reason": note.reason,
            "sent": note.sent,
            "rail": note.rail,
        }
    )


def read_order(text: str) -> OrderNote:
    """An order from its text."""
    raw = json.loads(text)
    plan_id, name, *limits = raw["offer"]
    offer = Offer(
        plan_id=plan_id,
        name=name,
        price=Money(*raw["price"]),
        **dict(zip(_LIMITS, limits, strict=True)),
    )
    return OrderNote(
        order_id=OrderId(raw["order_id"]),
        offer=offer,
        msisdn=Msisdn(raw["msisdn"]),
        mac=MacAddress(raw["mac"]),
        placed_at=_to_instant(raw["placed_at"]),
        stage=OrderStage(raw["stage"]),
        reason=None if raw["reason"] is None else Reason(raw["reason"]),
        sent=raw["sent"],
        rail=raw.get("rail", ""),
    )


def write_try(attempt: Try) -> str:
    """A try as text."""
    return _text([attempt.kind, attempt.mac, attempt.place, attempt.at])


def read_try(text: str) -> Try:
    """A try from its text."""
    kind, mac, place, at = json.loads(text)
    return Try(TryKind(kind), MacAddress(mac), place, MonotonicMs(at))


_LIMITS = ("down_bps", "up_bps", "validity_s", "uptime_s", "quota_bytes", "devices_max")


def _dial(dial: Dial) -> dict[str, object]:
    return {
        "nas": dial.nas,
        "key": dial.key,
        "login": dial.login,
        "address": dial.address,
        "base": [dial.base.down_bytes, dial.base.up_bytes],
        "seconds": dial.seconds,
        "stamp": dial.stamp,
        "marks": [one.hex() for one in dial.marks],
        "told": dial.told,
        "dead": dial.dead,
    }


def _to_dial(raw: Any) -> Dial | None:
    if raw is None:
        return None
    base, marks = Volume(*raw["base"]), tuple(map(bytes.fromhex, raw["marks"]))
    return Dial(**{**raw, "base": base, "marks": marks})


def _text(value: Mapping[str, object] | list[object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _to_ipv4(text: str) -> IPv4Address:
    """The same as reading it from text, which is five times slower."""
    return IPv4Address(bytes(map(int, text.split("."))))


def _flat(value: Burst | Step | Window) -> list[int]:
    return [getattr(value, name) for name in value.__slots__]


def _instant(at: Instant) -> list[object]:
    return [at.wall.isoformat(), at.mono, at.boot]


def _to_instant(raw: Any) -> Instant:
    wall, mono, boot = raw
    return Instant(datetime.fromisoformat(wall), MonotonicMs(mono), sys.intern(boot))


@lru_cache(PLANS_SHARED_MAX)
def _to_limits(
    *values: int | None,
    burst: tuple[Any, ...],
    steps: tuple[Any, ...],
    windows: tuple[Any, ...],
) -> Limits:
    """Limits of a plan: one object for all grants that have the same."""
    named: dict[str, Any] = dict(zip(_LIMITS, values, strict=True))
    return Limits(
        **named,
        burst=Burst(*burst) if burst else None,
        steps=tuple(Step(*step) for step in steps),
        windows=tuple(Window(*window) for window in windows),
    )


def _tuples(raw: Any) -> Any:
    """Lists as tuples, all the way down; nothing as an empty one."""
    return tuple(map(_tuples, raw)) if isinstance(raw, list) else () if raw is None else raw


def _meter(meter: Meter) -> dict[str, object]:
    return {epoch: [v.down_bytes, v.up_bytes] for epoch, v in meter.epochs.items()}


def _to_meter(raw: Mapping[str, list[int]], share: Sharing) -> Meter:
    if not raw:
        return UNMETERED
    return Meter(compact({share(epoch): Volume(*volume) for epoch, volume in raw.items()}))
