"""A site's life told as a table, and values with telling defaults.

Each row is ``seconds | what happens | what follows``. Devices are called ``a``, ``b`` …; grants
``g1`` …; the rows of a story are decided one by one by the real `agent.decide`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, assert_never

from agent.changes import digest
from agent.decide import decide
from agent.desired import desired
from agent.model import (
    Answered,
    Asked,
    Changed,
    Counted,
    DeviceJoined,
    Instant,
    Joined,
    Notice,
    Ordered,
    Reading,
    Resync,
    SessionClosed,
    SessionOpened,
    Sighted,
    State,
    Ticked,
    Unanswered,
)
from agent.uplink.memory import grant_item
from agent.uplink.seam import DesiredChange, OrderAnswer
from billing.ids import GrantId, OrderId, PlanId
from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import OrderStage
from billing.plan import Limits
from portal.captive.gate import Offer
from shaping.plane import Counter, MacAddress, MonotonicMs, Neighbour, SessionKey, Sight
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

    def _event(self, word: str, plain: list[str], given: dict[str, str]) -> Event:  # noqa: C901, PLR0911
        match word:
            case "grant":
                return self._granted(plain[0], given)
            case "drop":
                return self._step((), (f"grant/{plain[0]}",))
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
                return Ordered(OrderId(plain[0]), offer, phone, a_mac(plain[1]))
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
        raise AssertionError(f"no such word: {word}")

    def _granted(self, name: str, given: dict[str, str]) -> Changed:
        numbers = {
            k: int(v) for k, v in given.items() if k in {"validity", "uptime", "quota", "devices"}
        }
        spent = tuple(int(given.get(k, 0)) for k in ("spent_v", "spent_u", "spent_b"))
        item = grant_item(
            name,
            limits=some_limits(**numbers),
            devices=[a_mac(one) for one in given.get("for", "a").split(",") if one],
            cause_id=given.get("cause", ""),
            revoked="revoked" in given,
            spent=(spent[0], spent[1], spent[2]),
        )
        return self._step((item,), ())

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
        """``count a 100/20 b 5/0``: down and up so far; ``epoch=2`` after the plane began anew."""
        counters = {}
        for name, volume in zip(plain[::2], plain[1::2], strict=True):
            down, up = map(int, volume.split("/"))
            session_id = self.state.index.by_mac.get(a_mac(name))
            if session_id is not None:
                epoch = given.get("epoch", "1")
                counters[SessionKey(session_id)] = Counter(f"{session_id}-{epoch}", down, up)
        return Counted(counters, applied="unapplied" not in given)

    def _go_to(self, mono: int) -> None:
        self.wall += timedelta(milliseconds=mono - self.mono)
        self.mono = mono

    def _boot(self, given: dict[str, str]) -> None:
        """The machine was off for ``off`` seconds; ``years=-56`` when its clock is wrong."""
        self.wall += timedelta(days=365 * int(given.get("years", 0)))
        if "off" in given:
            self.wall += timedelta(seconds=int(given["off"]))
            self.boot += 1
            self.mono = START_MS

    def _word(self, effect: Effect) -> str:
        match effect:
            case SessionOpened():
                name = chr(int(effect.mac[-2:], 16))
                self.names[effect.session_id] = name
                return f"open {name} {effect.grant_id} {' '.join(effect.addresses)}"
            case Reading():
                spent = f"v{effect.grant_validity_s} u{effect.grant_uptime_s}"
                who = self.names[effect.session_id]
                return f"read {who} {effect.down_bytes_total}/{effect.up_bytes_total} {spent}"
            case SessionClosed():
                return f"close {self.names[effect.session_id]} {effect.reason}"
            case DeviceJoined():
                names = [chr(int(one[-2:], 16)) for one in (effect.mac, effect.instead_of) if one]
                return f"joined {effect.grant_id} {' for '.join(names)}"
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
