"""A site's life told as a table, and values with telling defaults.

Each row is ``seconds | what happens | what follows``. Devices are called ``a``, ``b`` …; grants
``g1`` …; the rows of a story are decided one by one by the real `agent.decide`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, assert_never

from agent import grants, tries
from agent.changes import digest
from agent.decide import decide
from agent.desired import desired
from agent.model import (
    Accepted,
    Answered,
    Asked,
    Changed,
    Chunk,
    Counted,
    Delivered,
    DeviceJoined,
    Instant,
    Joined,
    Notice,
    Ordered,
    Prepaid,
    ProbeResult,
    Reading,
    Redeemed,
    Resync,
    SessionClosed,
    SessionOpened,
    Sighted,
    SitePool,
    State,
    Ticked,
    Tried,
    Try,
    TryKind,
    Unanswered,
    VoucherMark,
)
from agent.prepaid import Code, found, voucher_hash
from agent.uplink.memory import blocked_item, chunk_item, grant_item, pool_item
from agent.uplink.seam import DesiredChange, OrderAnswer
from billing.ids import GrantId, OrderId, PlanId, RedemptionId, grant_of
from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import OrderStage
from billing.plan import Burst, Limits, Step, Window
from billing.proof import ProofKind, proof
from billing.quota import Allowance
from billing.voucher import VoucherCode
from portal.captive.gate import Offer
from shaping.plane import (
    Counter,
    MacAddress,
    MonotonicMs,
    Neighbour,
    PoolKey,
    Rate,
    SessionKey,
    Sight,
)
from tests.support.steered import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from agent.model import Effect, Event

START_MS = 1_000_000


def a_mac(name: str) -> MacAddress:
    """The MAC of the device called ``name``."""
    return MacAddress(f"02:00:00:00:00:{ord(name):02x}")


def some_limits(
    *,
    validity: int | None = None,
    uptime: int | None = None,
    quota: int | None = None,
    devices: int = 1,
) -> Limits:
    """What a grant allows; an hour of validity when nothing is said."""
    if validity is None and uptime is None and quota is None:
        validity = 3600
    return Limits(
        down_bps=4_000_000,
        up_bps=2_000_000,
        validity_s=validity,
        uptime_s=uptime,
        quota_bytes=quota,
        devices_max=devices,
    )


def an_offer(plan_id: str = "hour", **limits: int) -> Offer:
    """A plan for sale."""
    allowed = some_limits(**limits)
    return Offer(
        plan_id=PlanId(plan_id),
        name=plan_id,
        price=Money(1_000),
        down_bps=allowed.down_bps,
        up_bps=allowed.up_bps,
        validity_s=allowed.validity_s,
        uptime_s=allowed.uptime_s,
        quota_bytes=allowed.quota_bytes,
        devices_max=allowed.devices_max,
    )


def _speeds(given: dict[str, str]) -> dict[str, Any]:
    """``steps=bytes:down:up,…``, ``windows=from:until:down:up,…``, ``burst=down:up:bytes``."""
    rows = {
        key: tuple(tuple(map(int, row.split(":"))) for row in given[key].split(","))
        for key in ("steps", "windows", "burst")
        if key in given
    }
    return {
        "steps": tuple(Step(*row) for row in rows.get("steps", ())),
        "windows": tuple(Window(*row) for row in rows.get("windows", ())),
        "burst": Burst(*rows["burst"][0]) if "burst" in rows else None,
    }


def _pool(name: str, given: dict[str, str]) -> tuple[str, bytes]:
    """``pool p1 rate=8 ports=ap1,ap2 in=p0``: a shared rate in megabits a second each way."""
    bps = int(given.get("rate", 8)) * 1_000_000
    parent = PoolKey(given["in"]) if "in" in given else None
    ports = frozenset(one for one in given.get("ports", "").split(",") if one)
    return pool_item(name, SitePool(name, Rate(bps, bps), parent, ports))


@dataclass
class Story:
    """A site between rows. ``state`` is what it knows; ``items`` what the controller wants."""

    state: State = field(default_factory=State)
    items: dict[str, bytes] = field(default_factory=dict)
    generation: int = 0
    wall: datetime = NOON
    mono: int = START_MS
    boot: int = 1
    names: dict[str, str] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)

    def tell(self, table: str) -> None:
        """Live through a table; fails at the first row that does not come out as written."""
        for row in table.strip().splitlines():
            if not row.strip() or row.strip().startswith("#"):
                continue
            seconds, what, *after = (part.strip() for part in row.split("|"))
            self._go_to(int(float(seconds) * 1000) + START_MS)
            came = "; ".join(self.happen(what))

            assert came == (after[0] if after else ""), f"in row: {row.strip()}"

    def happen(self, what: str) -> Iterator[str]:
        """One row: the event, decided, and what follows from it in words."""
        word, *rest = shlex.split(what)
        given = dict(part.split("=", 1) for part in rest if "=" in part)
        plain = [part for part in rest if "=" not in part]
        if word == "show":
            yield self._shown(plain[0])
            return
        shows = {"speed": self._speed, "left": self._left, "may": self._may, "here": self._here}
        if word in shows:
            yield shows[word](plain[0])
            return
        if word == "wrong":
            self._wrong(plain[0], int(plain[1].removeprefix("x")))
            return
        if word in {"boot", "clock"}:
            self._boot(given)
            event: Event = Ticked()
        else:
            event = self._event(word, plain, given)
        self.state, effects = decide(self.state, event, self.now())
        yield from (self._word(effect) for effect in effects)

    def now(self) -> Instant:
        """The moment of the row."""
        return Instant(wall=self.wall, mono=MonotonicMs(self.mono), boot=f"boot-{self.boot}")

    def _event(self, word: str, plain: list[str], given: dict[str, str]) -> Event:  # noqa: C901, PLR0911, PLR0912
        match word:
            case "grant":
                return self._granted(plain[0], given)
            case "drop":
                return self._step((), (f"grant/{self._grant_id(plain[0])}",))
            case "chunk":
                return self._step((self._chunk(plain[0], given),), ())
            case "pool":
                return self._step((_pool(plain[0], given),), ())
            case "block":  # block a b
                return self._step((blocked_item([a_mac(one) for one in plain]),), ())
            case "forget":
                return self._step((), (plain[0],))
            case "snapshot":
                return self._snapshot()
            case "take":
                return self._accepted(plain, given)
            case "seen" | "gone" | "moved":
                address = ip_address(plain[1]) if len(plain) > 1 else None
                seen = Neighbour(
                    Sight[word.upper()], a_mac(plain[0]), address, given.get("port", "")
                )
                return Sighted(seen)
            case "ask":
                return Asked(a_mac(plain[0]), ip_address(plain[1]) if len(plain) > 1 else None)
            case "count":
                return self._counted(plain, given)
            case "order":
                offer = an_offer(plain[2] if len(plain) > 2 else "hour")
                phone = Msisdn(given.get("phone", "254712345678"))
                return Ordered(
                    OrderId(plain[0]), offer, phone, a_mac(plain[1]), given.get("rail", "")
                )
            case "answer":
                return Answered(OrderId(plain[0]), OrderAnswer(OrderStage(plain[1]), None))
            case "lost":
                return Unanswered(OrderId(plain[0]))
            case "join":  # join a g1 instead_of=b by=cookie
                old = a_mac(given["instead_of"]) if "instead_of" in given else MacAddress("")
                by = given.get("by", "cookie")
                return Joined(GrantId(plain[1]), a_mac(plain[0]), old, by)
            case "tick":
                return Ticked()
            case "delivered":
                return Delivered()
        raise AssertionError(f"no such word: {word}")

    def _granted(self, name: str, given: dict[str, str]) -> Changed:
        numbers = {
            k: int(v) for k, v in given.items() if k in {"validity", "uptime", "quota", "devices"}
        }
        spent = tuple(int(given.get(k, 0)) for k in ("spent_v", "spent_u", "spent_b"))
        handed = [int(given[k]) if k in given else None for k in ("handed_b", "handed_u")]
        item = grant_item(
            self._grant_id(name),
            limits=replace(some_limits(**numbers), **_speeds(given)),
            devices=[a_mac(one) for one in given.get("for", "a").split(",") if one],
            cause_id=given.get("cause", ""),
            revoked="revoked" in given,
            spent=(spent[0], spent[1], spent[2]),
            allowance=Allowance(*handed),
            suspended="suspended" in given,
            pool_id=given.get("pool", ""),
        )
        return self._step((item,), ())

    def _grant_id(self, name: str) -> str:
        """``of-r1`` is the grant of the redemption ``r1``."""
        if not name.startswith("of-"):
            return name
        grant_id = grant_of(RedemptionId(name[3:]))
        self.calls[grant_id] = name
        return grant_id

    def _chunk(self, name: str, given: dict[str, str]) -> tuple[str, bytes]:
        """``chunk c1 codes=x,y quota=5``: vouchers of one batch, good until ``until`` seconds."""
        numbers = {k: int(given[k]) for k in ("validity", "uptime", "quota") if k in given}
        salt = name.encode().ljust(16, b".")
        hashes = b"".join(voucher_hash(code, salt, 1) for code in given["codes"].split(",") if code)
        until = timedelta(seconds=int(given["until"])) if "until" in given else None
        chunk = Chunk(
            batch="batch",
            prepaid=Prepaid(PlanId("hour"), "1 hour", some_limits(**numbers)),
            salt=salt,
            rounds=1,
            hashes=hashes,
            expires_at=None if until is None else NOON + until,
        )
        return chunk_item(f"vouchers/batch/{name}", chunk)

    def _accepted(self, plain: list[str], given: dict[str, str]) -> Accepted:
        """``take r1 a x``: the redemption r1, for device a, of the voucher x."""
        redemption_id, name, text = RedemptionId(plain[0]), plain[1], VoucherCode(plain[2])
        code = Code(ProofKind.VOUCHER, text)
        mark = found(code, self.state.chunks, {}) or VoucherMark("batch", bytes(16))
        proven = proof(grant_of(redemption_id), code.kind, text)
        return Accepted(redemption_id, a_mac(name), mark, code.key, proven)

    def _snapshot(self) -> Changed:
        """All items as the controller has them, from nothing."""
        self.generation += 1
        items = tuple(self.items.items())
        return Changed(DesiredChange(self.generation, 0, items, (), digest(self.items)))

    def _step(self, upserts: tuple[tuple[str, bytes], ...], removals: tuple[str, ...]) -> Changed:
        before = self.generation
        self.generation += 1
        self.items.update(upserts)
        for key in removals:
            self.items.pop(key, None)
        step = DesiredChange(
            generation=self.generation,
            from_generation=before,
            upserts=upserts,
            removals=removals,
            digest=digest(self.items),
        )
        return Changed(step)

    def _counted(self, plain: list[str], given: dict[str, str]) -> Counted:
        """``count a 100/20 b 5/0``: down and up so far; ``epoch=2`` after the plane began anew.

        ``unread=a``: the box of this device did not answer.
        """
        counters = {}
        for name, volume in zip(plain[::2], plain[1::2], strict=True):
            down, up = map(int, volume.split("/"))
            session_id = self.state.index.by_mac.get(a_mac(name))
            if session_id is not None:
                epoch = given.get("epoch", "1")
                counters[SessionKey(session_id)] = Counter(f"{session_id}-{epoch}", down, up)
        unread = frozenset(
            SessionKey(self.state.index.by_mac[a_mac(name)]) for name in given.get("unread", "")
        )
        return Counted(counters, applied="unapplied" not in given, unread=unread)

    def _go_to(self, mono: int) -> None:
        self.wall += timedelta(milliseconds=mono - self.mono)
        self.mono = mono

    def _boot(self, given: dict[str, str]) -> None:
        """The machine was off for ``off`` seconds; ``years=-56`` when its clock is wrong."""
        self.wall += timedelta(days=365 * int(given.get("years", 0)))
        self.wall += timedelta(hours=int(given.get("hours", 0)))
        self.wall += timedelta(seconds=int(given.get("seconds", 0)))
        if "off" in given:
            self.wall += timedelta(seconds=int(given["off"]))
            self.boot += 1
            self.mono = START_MS

    def _word(self, effect: Effect) -> str:  # noqa: PLR0911 - one for each kind
        match effect:
            case SessionOpened():
                name = chr(int(effect.mac[-2:], 16))
                self.names[effect.session_id] = name
                grant = self.calls.get(effect.grant_id, effect.grant_id)
                return f"open {name} {grant} {' '.join(effect.addresses)}"
            case Reading():
                spent = f"v{effect.grant_validity_s} u{effect.grant_uptime_s}"
                who = self.names[effect.session_id]
                return f"read {who} {effect.down_bytes_total}/{effect.up_bytes_total} {spent}"
            case SessionClosed():
                return f"close {self.names[effect.session_id]} {effect.reason}"
            case DeviceJoined():
                names = [chr(int(one[-2:], 16)) for one in (effect.mac, effect.instead_of) if one]
                return f"joined {effect.grant_id} {' for '.join(names)}"
            case Redeemed():
                name = chr(int(effect.mac[-2:], 16))
                self.calls[effect.grant_id] = f"of-{effect.redemption_id}"
                return f"redeemed {name} {effect.redemption_id}"
            case ProbeResult():
                return f"probed {effect.probe_id}"
            case Notice():
                return f"notice {effect.code}"
            case Resync():
                return "resync"
            case _:
                assert_never(effect)

    def _shown(self, name: str) -> str:
        """What the plane is told about a device, or where its order stands."""
        note = self.state.orders.get(OrderId(name))
        if note is not None:
            return str(note.stage)
        session_id = self.state.index.by_mac.get(a_mac(name)) if len(name) == 1 else None
        if session_id is None:
            return "nothing"
        access = desired(self.state, MonotonicMs(self.mono)).access[SessionKey(session_id)]
        addresses = sorted(map(str, {*access.ipv6, *([access.ipv4] if access.ipv4 else [])}))
        until = (
            "" if access.open_until is None else f" until {(access.open_until - START_MS) // 1000}"
        )
        return f"{'closed' if access.closed else 'open'} {' '.join(addresses)}{until}"

    def _try(self, name: str) -> Try:
        return Try(TryKind.CODE, a_mac(name), f"10.0.0.{ord(name)}", MonotonicMs(self.mono))

    def _wrong(self, name: str, times: int) -> None:
        """``wrong a x5``: five wrong codes."""
        for _ in range(times):
            self.state, effects = decide(self.state, Tried(self._try(name)), self.now())

            assert not effects

    def _may(self, name: str) -> str:
        """Whether a device may try a code."""
        spent = tries.too_many(self.state.tries.values(), self._try(name))
        return "no" if spent else "yes"

    def _here(self, name: str) -> str:
        """Whether the site knows a grant."""
        return "yes" if self._grant_id(name) in self.state.grants else "no"

    def _left(self, name: str) -> str:
        """Bytes that a grant may still let pass here."""
        grant_id = GrantId(self._grant_id(name))
        siblings = [self.state.sessions[k] for k in self.state.index.by_grant.get(grant_id, ())]
        left = grants.remaining(self.state.grants[grant_id], siblings, MonotonicMs(self.mono))
        return str(left.bytes)

    def _speed(self, name: str) -> str:
        """How fast a device may be, and in which pool."""
        session_id = self.state.index.by_mac[a_mac(name)]
        access = desired(self.state, MonotonicMs(self.mono)).access[SessionKey(session_id)]
        burst = "" if access.rate.burst is None else f" burst {access.rate.burst.size_bytes}"
        pool = "" if access.pool is None else f" in {access.pool}"
        return f"{access.rate.down_bps}/{access.rate.up_bps}{burst}{pool}"
