"""RouterPlane: a MikroTik router behind the three methods of the seam."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shaping import lines
from shaping.diff import Observed, collapsed, diff
from shaping.plane import Applied, Desired, PlaneError, SessionKey
from shaping.pools import pool_rates
from shaping.routeros import ppp
from shaping.routeros.ops import (
    CALLERS,
    OUR_LISTS,
    PLACE_BEFORE,
    PROPERTIES,
    RULES,
    Seen,
    boot_of,
    counted,
    drift,
    epochs_of,
    hang_ups,
    said,
    steps,
    strangers_addresses,
    strangers_names,
)
from shaping.routeros.ppp import ACTIVE, PASSWORD, PROFILE, PROFILES, SECRETS
from shaping.routeros.rows import BOOT, LISTS, QUEUES, Wanted, rows
from shaping.routeros.session import printed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from ipaddress import IPv4Address

    from shaping.plane import CapKey, Counter, Line, LineSeen, MonotonicMs
    from shaping.routeros.ops import Sentence
    from shaping.routeros.rows import Name, Row, Wiring
    from shaping.routeros.session import Answer, Lane, Talk, Words

LOOK_EVERY_MS = 25_000
"""A router is read whole at least this often, to find what somebody changed by hand."""

LOOK_SHARE = 20
"""Reading everything takes at most one part in so many of the time."""

COUNT_SHARE = 10
"""Reading counters that takes longer than `DEAR_MS` does too: small routers have little to spare.
A budget is overdrawn by what passes between two readings."""

DEAR_MS = 50
PASSES = 3
"""Write and read back: rules may have to be moved after they were added, and ids may have gone."""

READ_BACK_MAX = 40
"""Rows read back by their ids; when more were written, their menus are read whole."""

OPTIONAL = frozenset({*RULES, PROFILES, SECRETS})
"""Menus that a router may do without; what would be in them is not done there."""

_ABSENT = ("no such command", "no such directory")
"""What a router says of a menu that it does not have, as IPv6 where that is not installed."""


@dataclass(slots=True)
class _Budget:
    revision: int
    left_bytes: int


class RouterPlane:
    """A router, told what to do over its API by ``lane``, which others may use as well.

    ``now`` is the boot-time clock of this machine; the router's own clock is never asked. The
    router's state outlives this object: a new one adopts it.
    """

    def __init__(
        self,
        lane: Lane,
        wiring: Wiring,
        *,
        now: Callable[[], MonotonicMs],
        count_share: int = COUNT_SHARE,
    ) -> None:
        self._lane = lane
        self._box = _Box(wiring, now, count_share)

    async def apply(self, desired: Desired) -> Applied:
        """As `shaping.plane.DataPlane.apply`. Raises `PlaneError`."""
        return await self._lane.run(lambda talk: self._box.apply(talk, desired))

    async def counters(self) -> Mapping[SessionKey, Counter]:
        """As `shaping.plane.DataPlane.counters`. Raises `PlaneError`."""
        return await self._lane.run(self._box.counters)

    async def lines(self) -> Mapping[str, LineSeen]:
        """As `shaping.plane.Lines.lines`. Raises `PlaneError`."""
        return await self._lane.run(self._box.lines)

    async def clear(self) -> None:
        """As `shaping.plane.DataPlane.clear`. Raises `PlaneError`."""
        await self._lane.run(self._box.clear)

    async def verify(self) -> None:
        """Make the next `apply` read everything anew, whatever it believes."""
        await self._lane.run(lambda _: self._box.forget())

    def close(self) -> None:
        """Hang up. The router keeps doing what it was told."""
        self._lane.close()


class _Box:
    """The router's side of the plane; all of it happens in the lane's thread."""

    def __init__(self, wiring: Wiring, now: Callable[[], MonotonicMs], count_share: int) -> None:
        self._wiring = wiring
        self._now = now
        self._count_share = count_share
        self._talk: Talk | None = None
        self._mirror: dict[str, list[Seen]] | None = None
        self._looked_at = 0
        self._look_ms = 0
        self._believed: Sequence[Row] = ()
        self._boot: str | None = None
        self._desired = Desired()
        self._budgets: dict[CapKey, _Budget] = {}
        self._read: dict[SessionKey, Counter] = {}
        self._read_at: int | None = None
        self._read_ms = 0
        self._void: set[str] = set()
        self._lines: Mapping[str, tuple[Line, IPv4Address]] = {}
        self._passwords: dict[str, str] = {}

    def forget(self) -> None:
        """Believe nothing any more."""
        self._mirror = None
        self._read_at = None

    def apply(self, talk: Talk, desired: Desired) -> Applied:
        wanted = self._wished(desired)
        try:
            told = self._current(talk)
            desired, unlined = self._with_lines(desired)
            wanted = self._wished(desired) if self._lines else wanted
            self._fund(talk, desired)
            self._desired = desired
            applied = self._bring(talk, wanted)
        except Exception:
            # Whatever went wrong, what we believe may no longer be so.
            self.forget()
            self._believed = ()
            raise
        return replace(applied, drift=told, refused=(*applied.refused, *unlined))

    def counters(self, talk: Talk) -> Mapping[SessionKey, Counter]:
        began = _spent_ms()
        rest_ms = self._count_share * self._read_ms if self._read_ms > DEAR_MS else 0
        if self._read_at is None or began - self._read_at >= rest_ms:
            self._count(talk)
        return {key: one for key, one in self._read.items() if not key.startswith(lines.KEYS)}

    def _count(self, talk: Talk) -> None:
        """Read what was counted, however much that costs, and end what has no budget any more."""
        began = _spent_ms()
        boot, queues = self._meters(talk)
        if boot != self._boot and self._mirror is not None:
            # All counts of before are over. Whoever asked will apply again soon, and all begins.
            self.forget()
            raise PlaneError("the router was restarted")
        running = boot is not None and self._boot in {None, boot}
        self._spend(counted(queues, boot or "") if running else {})
        self._read_ms, self._read_at = _spent_ms() - began, began
        if self._budgets and self._mirror is not None:
            self._bring_again(talk)

    def lines(self, talk: Talk) -> Mapping[str, LineSeen]:
        ours = {
            row.words["name"]: row.words["remote-address"]
            for row in self._believed
            if row.menu == SECRETS
        }
        if not ours:
            return {}
        (active,) = talk.ask([_callers()])
        if active.trap is not None:
            raise PlaneError(f"{ACTIVE} cannot be read: {active.trap}")
        # Looked at before it is counted: what was let pass by who is out by now is in the count.
        self._count(talk)
        if self._mirror is not None and ACTIVE in self._mirror:
            self._mirror[ACTIVE] = self._seen(active)
            if any(hang_ups(self._mirror, self._believed)):
                self._bring_again(talk)
        return ppp.seen(ours, active.rows, self._read)

    def clear(self, talk: Talk) -> None:
        try:
            self._mirror = self._look(talk)
            self._write(talk, ())
        finally:
            self.forget()
            self._believed, self._desired, self._boot = (), Desired(), None
            self._budgets, self._read, self._void = {}, {}, set()
            self._lines, self._passwords = {}, {}

    def _with_lines(self, desired: Desired) -> tuple[Desired, tuple[str, ...]]:
        """The same with its lines as sessions, and what is said of those that cannot be."""
        assert self._mirror is not None
        network = self._wiring.lines
        if network is None or not desired.lines or SECRETS not in self._mirror:
            self._lines = {}
            absent = network is not None and SECRETS not in self._mirror
            return desired, ("nobody can dial in: the router has no PPP",) if absent else ()
        held = {
            row.words.get("name", ""): row.words.get("remote-address", "")
            for row in self._mirror[SECRETS]
            if row.mark
        }
        held |= {name: str(address) for name, (_, address) in self._lines.items()}
        theirs = strangers_names(self._mirror[SECRETS]) - held.keys()
        wanted = [name for name in desired.lines if name not in theirs]
        others = strangers_addresses(self._mirror[SECRETS], self._mirror[ACTIVE], set(wanted))
        given = lines.addresses(wanted, held, network, others=others)
        self._lines = {name: (desired.lines[name], one) for name, one in given.items()}
        refused = [
            said((SECRETS, ppp.secret_mark(name)), "was not taken: somebody else's has the name")
            for name in desired.lines
            if name in theirs
        ]
        roomless = [name for name in wanted if name not in given]
        refused += [f"the line of {name} has no address: {network} is full" for name in roomless]
        return lines.with_lines(desired, given), tuple(refused)

    def _wished(self, desired: Desired) -> Wanted:
        """What ``desired`` comes to. Raises `PlaneError` (no retry) when it cannot be."""
        caps = {key: budget.revision for key, budget in self._budgets.items()}
        step = diff(Observed(caps=caps), desired, now=self._now(), epoch="")
        standings = {key: one for key, one in step.after.items() if one is not None}
        pools, garden = pool_rates(desired.pools), collapsed(desired.garden)
        return Wanted(standings, pools, garden, desired.blocked, lines=self._lines)

    def _current(self, talk: Talk) -> tuple[str, ...]:
        """Have a mirror that is not too old; tells what was changed by hand."""
        if talk is not self._talk:
            self._talk, self._mirror = talk, None
        age_ms = self._now() - self._looked_at
        due = age_ms >= max(LOOK_EVERY_MS, LOOK_SHARE * self._look_ms)
        if self._mirror is not None and not due and self._alive(talk):
            self._look_at_callers(talk)
            return ()
        began = _spent_ms()
        self._mirror = self._look(talk)
        self._looked_at, self._look_ms = self._now(), _spent_ms() - began
        boot = boot_of(self._mirror[LISTS])
        told = () if self._boot is None else self._told(boot)
        self._boot = boot or secrets.token_hex(4)
        if boot is not None:
            self._spend(counted(self._mirror[QUEUES], boot))
        return told

    def _alive(self, talk: Talk) -> bool:
        """Whether the router answers, and was not restarted since we looked."""
        (answer,) = talk.ask([printed(LISTS, ("comment",), f"?list={BOOT}")])
        return answer.trap is None and boot_of(self._seen(answer)) == self._boot

    def _told(self, boot: str | None) -> tuple[str, ...]:
        assert self._mirror is not None
        if boot != self._boot:
            return ("the router was restarted",)
        return drift(self._mirror, self._believed, now=self._now())

    def _bring(self, talk: Talk, wanted: Wanted) -> Applied:
        assert self._mirror is not None
        assert self._boot is not None
        running = epochs_of(self._mirror[QUEUES], self._boot)
        epochs = {
            key: epoch
            if (epoch := running.get(key)) is not None and epoch not in self._void
            else f"{self._boot}-{secrets.token_hex(4)}"
            for key in wanted.standings
        }
        left = {key: budget.left_bytes for key, budget in self._budgets.items()}
        whole = replace(wanted, epochs=epochs, left=left)
        now = self._now()
        ipv6 = any(ppp.IPV6 in row.words for row in self._mirror.get(PROFILES, ()))
        believed = (
            *rows(whole, self._wiring, now=now, boot=self._boot, major=talk.major),
            *ppp.line_rows(self._lines, self._wiring.lines, ipv6=ipv6),
        )
        changes, refused = self._write(talk, believed)
        self._believed = [row for row in believed if row.name not in refused]
        self._void.clear()
        if changes:
            self._read_at = None
        return Applied(changes, refused=tuple(said(name, why) for name, why in refused.items()))

    def _write(self, talk: Talk, wanted: Sequence[Row]) -> tuple[int, dict[Name, str]]:
        """Bring the router to ``wanted``; how many rows changed, and which it did not take."""
        assert self._mirror is not None
        changes = 0
        traps: dict[Name, str] = {}
        for _ in range(PASSES):
            rounds = steps(self._mirror, wanted, now=self._now())
            if not rounds:
                return changes, {}
            done = 0
            for sentences in rounds:
                answers = talk.ask([_words(one) for one in sentences])
                done += sum(answer.trap is None for answer in answers)
                for one, answer in zip(sentences, answers, strict=True):
                    if answer.trap is not None:
                        traps[one.name] = answer.trap
                    elif PASSWORD in one.words:
                        self._passwords[one.name[1]] = one.words[PASSWORD]
                self._read_back(talk, sentences, answers)
            changes += done
            if not done:
                break
        left = (one for some in steps(self._mirror, wanted, now=self._now()) for one in some)
        return changes, {one.name: f"was not taken: {_reason(one, traps)}" for one in left}

    def _bring_again(self, talk: Talk) -> None:
        """End what has no budget any more and who may not be in; give out more time where it is."""
        try:
            self._bring(talk, self._wished(self._desired))
        except Exception:
            self.forget()
            self._believed = ()
            raise

    def _look(self, talk: Talk) -> dict[str, list[Seen]]:
        """Every row of our menus, strangers' rules among them: ours must come before some."""
        menus = tuple(PROPERTIES)
        answers = talk.ask([_whole(menu) for menu in menus])
        seen = {}
        for menu, answer in zip(menus, answers, strict=True):
            if answer.trap is None:
                seen[menu] = self._seen(answer)
            elif menu not in OPTIONAL or not answer.trap.startswith(_ABSENT):
                raise PlaneError(f"{menu} cannot be read: {answer.trap}")
        kept = seen.get(SECRETS, [])
        if SECRETS in seen and (self._wiring.lines or any(row.mark for row in kept)):
            seen[ACTIVE] = []
            self._look_at_callers(talk, seen)
            if boot_of(seen[LISTS]) != self._boot:
                # A boot may have brought back what stood there before.
                self._passwords = {}
            seen[SECRETS] = self._with_passwords(talk, kept, _passwords())
        return seen

    def _look_at_callers(self, talk: Talk, seen: dict[str, list[Seen]] | None = None) -> None:
        """Know who is dialled in just now, where anybody may."""
        seen = self._mirror if seen is None else seen
        if seen is None or ACTIVE not in seen:
            return
        (answer,) = talk.ask([_callers()])
        if answer.trap is not None:
            raise PlaneError(f"{ACTIVE} cannot be read: {answer.trap}")
        seen[ACTIVE] = self._seen(answer)

    def _with_passwords(self, talk: Talk, rows: Sequence[Seen], order: Words) -> list[Seen]:
        """The secrets with the passwords of ours; nobody else's are asked for.

        A router hides them from a user without the right to see them: then what was told it last
        in this life of it is taken for true.
        """
        (answer,) = talk.ask([order])
        shown = {row.get(".id", ""): row.get(PASSWORD, "") for row in answer.rows}
        hidden = answer.trap is not None
        found = []
        for row in rows:
            password = shown.get(row.id, "")
            if row.mark and (hidden or row.id in shown) and not password.strip("*"):
                password = self._passwords.get(row.mark, "")
            found.append(replace(row, words={**row.words, PASSWORD: password}))
        return found

    def _seen(self, answer: Answer) -> list[Seen]:
        now = self._now()
        return [Seen(row.get(".id", ""), row, now) for row in answer.rows]

    def _read_back(
        self, talk: Talk, sentences: Sequence[Sentence], answers: Sequence[Answer]
    ) -> None:
        """Take over into the mirror what the router made of what it was told."""
        assert self._mirror is not None
        touched: dict[str, list[str]] = {}
        whole = set()
        befores: dict[str, str] = {}
        for one, answer in zip(sentences, answers, strict=True):
            menu, verb = one.name[0], one.command.rpartition("/")[2]
            identity = answer.ret if verb == "add" else one.words.get(".id", "")
            touched.setdefault(menu, []).append(identity)
            befores[menu] = one.words.get(PLACE_BEFORE) or befores.get(menu, "")
            if answer.trap is not None or not identity or verb == "move":
                whole.add(menu)
        whole |= {menu for menu, ids in touched.items() if len(ids) > READ_BACK_MAX}
        menus = tuple(touched)
        orders = [_whole(m) if m in whole else _these(m, touched[m]) for m in menus]
        for menu, answer in zip(menus, talk.ask(orders), strict=True):
            if answer.trap is not None:
                raise PlaneError(f"{menu} cannot be read back: {answer.trap}")
            fresh = self._seen(answer)
            if menu == SECRETS:
                order = _passwords() if menu in whole else _passwords(touched[menu])
                fresh = self._with_passwords(talk, fresh, order)
            if menu not in whole:
                fresh = _merged(self._mirror[menu], set(touched[menu]), fresh, before=befores[menu])
            self._mirror[menu] = fresh

    def _meters(self, talk: Talk) -> tuple[str | None, list[Seen]]:
        boots, queues = talk.ask(
            [
                printed(LISTS, ("comment",), f"?list={BOOT}"),
                printed(QUEUES, ("comment", "bytes"), "?dynamic=false"),
            ]
        )
        for answer in (boots, queues):
            if answer.trap is not None:
                raise PlaneError(f"counters cannot be read: {answer.trap}")
        return boot_of(self._seen(boots)), self._seen(queues)

    def _spend(self, read: dict[SessionKey, Counter]) -> None:
        """Take what passed since the last reading out of the budgets."""
        for key, counter in tuple(read.items()):
            before = self._read.get(key)
            if before is None or before.epoch != counter.epoch:
                self._draw(key, _sum(counter))
            elif _sum(counter) < _sum(before):
                # Somebody set it to zero by hand: the next apply begins a new life of it.
                self._void.add(counter.epoch)
                self.forget()
                del read[key]
            else:
                self._draw(key, _sum(counter) - _sum(before))
        self._read = read

    def _draw(self, key: SessionKey, size: int) -> None:
        access = self._desired.access.get(key)
        budget = self._budgets.get(access.cap) if access and access.cap else None
        if budget is not None:
            budget.left_bytes -= size

    def _fund(self, talk: Talk, desired: Desired) -> None:
        """Begin new budgets, and new revisions of old ones, with all counted that has passed."""
        held, caps, before = self._budgets, desired.caps, self._desired.access
        fresh = {
            key: cap
            for key, cap in caps.items()
            if key not in held or held[key].revision != cap.revision
        }
        if any(one.cap in fresh and key in before for key, one in desired.access.items()):
            boot, queues = self._meters(talk)
            self._spend(counted(queues, boot) if boot is not None else {})
        kept = {key: budget for key, budget in held.items() if key in caps}
        new = {key: _Budget(cap.revision, cap.left_bytes) for key, cap in fresh.items()}
        self._budgets = kept | new


def _spent_ms() -> int:
    """A clock of this process, for what reading costs."""
    return time.monotonic_ns() // 1_000_000


def _sum(counter: Counter) -> int:
    return counter.down_bytes_total + counter.up_bytes_total


def _words(sentence: Sentence) -> tuple[str, ...]:
    return (sentence.command, *(f"={key}={value}" for key, value in sentence.words.items()))


def _reason(sentence: Sentence, traps: Mapping[Name, str]) -> str:
    return traps.get(sentence.name) or f"it still wants {sentence.text()}"


def _whole(menu: str) -> tuple[str, ...]:
    """The order to tell all of a menu that may be ours or matter to us."""
    if menu == ACTIVE:
        return _callers()
    properties = (".id", "comment", *PROPERTIES[menu])
    if menu == LISTS:
        lists = (f"?list={name}" for name in OUR_LISTS)
        return printed(menu, properties, *lists, "?#||")
    return printed(menu, properties)


def _these(menu: str, ids: Sequence[str]) -> tuple[str, ...]:
    """The order to tell these rows of a menu."""
    properties = CALLERS if menu == ACTIVE else ("comment", *PROPERTIES[menu])
    return printed(menu, (".id", *properties), *_any_of(ids))


def _any_of(ids: Sequence[str]) -> tuple[str, ...]:
    ors = ("?#" + "|" * (len(ids) - 1),) if len(ids) > 1 else ()
    return (*(f"?.id={one}" for one in ids), *ors)


def _callers() -> tuple[str, ...]:
    """The order to tell who is dialled in."""
    return printed(ACTIVE, (".id", *CALLERS))


def _passwords(ids: Sequence[str] = ()) -> tuple[str, ...]:
    """The order to tell the passwords of these secrets of ours, or of all with our profile."""
    which = _any_of(ids) if ids else (f"?profile={PROFILE}",)
    return printed(SECRETS, (".id", PASSWORD), *which)


def _merged(
    known: Sequence[Seen], ids: set[str], fresh: Sequence[Seen], *, before: str
) -> list[Seen]:
    """The rows of a menu, those with ``ids`` as read just now; new ones ``before`` one, or last."""
    now = {row.id: row for row in fresh}
    kept = [now.pop(row.id, row) for row in known if row.id not in ids or row.id in now]
    at = next((place for place, row in enumerate(kept) if row.id == before), len(kept))
    return [*kept[:at], *now.values(), *kept[at:]]
