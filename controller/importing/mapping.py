"""A router's rows as what would be made of them: plans, customers, codes, and what stays. PURE."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.money import Money
from billing.plan import DEVICES_MAX, NAME_MAX, Audience, Limits, Plan, check_plan
from controller.importing import texts
from controller.importing.router_file import (
    ACTIVE,
    COOKIES,
    HOTSPOT_PROFILES,
    HOTSPOT_USERS,
    LEASES,
    PPP_ACTIVE,
    PPP_PROFILES,
    QUEUES,
    SECRETS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from controller.importing.router_file import RouterFile
    from controller.importing.texts import Speeds

CONTRACT_VALIDITY_S = 92 * 86_400
"""A period by the month and the days to pay it: a plan must outlast both."""

TRIAL = HOTSPOT_USERS, "default-trial"
"""The row that counts trial users, on every router with a hotspot."""

PLANS_MAX = 200
"""Of one file; rows that want more stay."""

PERSON_MAX = 80
ROW_MAX = 160
_UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator says beside the file.

    ``prices`` are in cents, by the name of a profile, or of a plan as a proposal shows it.
    ``make_good``: a code that is partly used becomes a whole one.
    """

    prices: Mapping[str, int]
    make_good: bool = False


@dataclass(frozen=True, slots=True)
class Proposed:
    """A plan. ``key`` tells it from others, and is the same for the same rows and price."""

    key: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Customer:
    """A subscriber with a subscription by the month.

    ``login`` is by what they dial in, or "", and ``sealed`` its password as the agent sealed it.
    """

    key: str
    row: str
    msisdn: str
    name: str
    plan_key: str
    devices: tuple[str, ...]
    login: str = ""
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A prepaid code that was not used: a voucher of this plan takes its place."""

    key: str
    row: str
    name: str
    plan_key: str


@dataclass(frozen=True, slots=True)
class Left:
    """A row that is left out: ``reason`` for programs, ``text`` for people."""

    menu: str
    name: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a file comes to. ``unpriced`` are names that want a price, with how many rows each."""

    plans: tuple[Proposed, ...] = ()
    customers: tuple[Customer, ...] = ()
    codes: tuple[Code, ...] = ()
    left: tuple[Left, ...] = ()
    unpriced: Mapping[str, int] = field(default_factory=dict)


class _Stays(Exception):  # noqa: N818 - a way out of one row, not an error
    """This row is left out."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


def proposed(told: RouterFile, terms: Terms) -> Proposal:
    """What the rows of a router come to under these terms. Nobody is asked, nothing is written."""
    return _Mapping(told, terms).proposal()


class _Mapping:
    """One pass over a file."""

    def __init__(self, told: RouterFile, terms: Terms) -> None:
        self._told, self._terms = told, terms
        self._plans: dict[str, Proposed] = {}
        self._unpriced: Counter[str] = Counter()
        self._hotspot = _by(told.of(HOTSPOT_PROFILES), "name")
        self._ppp = _by(told.of(PPP_PROFILES), "name")
        self._macs = _by((*told.of(COOKIES), *told.of(ACTIVE)), "user")
        self._active = _by(told.of(ACTIVE), "user")
        self._dialled = _by(told.of(PPP_ACTIVE), "name")
        self._leases = _by(told.of(LEASES), "address")
        self._of_secrets = {
            row["remote-address"]: row.get("name", "")
            for row in told.of(SECRETS)
            if row.get("remote-address")
        }

    def proposal(self) -> Proposal:
        """Everything, in the order of the file."""
        customers: list[Customer] = []
        codes: list[Code] = []
        left = [
            Left(menu, "", "broken", f"{count} rows {_UNREADABLE}")
            for menu, count in self._told.broken.items()
        ]
        for menu, row in self._rows():
            try:
                made = self._made(menu, row)
            except _Stays as stays:
                left.append(Left(menu, row.get("name", "")[:ROW_MAX], stays.reason, stays.text))
                continue
            if isinstance(made, Code):
                codes.append(made)
            else:
                customers.append(made)
        return Proposal(
            tuple(self._plans.values()), tuple(customers), tuple(codes), tuple(left), self._unpriced
        )

    def _rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        for menu in (SECRETS, HOTSPOT_USERS, QUEUES):
            seen = set[tuple[str, str]]()
            for row in self._told.of(menu):
                named = row.get("name", ""), row.get("server", "all")
                if named in seen:
                    row = {**row, "twice": "true"}  # noqa: PLW2901 - a row of its own
                seen.add(named)
                yield menu, row

    def _made(self, menu: str, row: dict[str, str]) -> Customer | Code:
        """What a row comes to. Raises `_Stays`."""
        named = menu, row.get("name", "")
        if "true" in (row.get("dynamic"), row.get("default")) or named == TRIAL:
            raise _Stays("made_by_router", "the router made it by itself")
        if not row.get("name", "").strip():
            raise _Stays("no_name", "it has no name")
        if row.get("twice"):
            raise _Stays("twice", "the name stands there twice")
        if row.get("disabled") == "true":
            raise _Stays("disabled", "it is switched off")
        if menu == SECRETS:
            return self._dialler(row)
        return self._queue(row) if menu == QUEUES else self._hotspot_user(row)

    def _dialler(self, row: dict[str, str]) -> Customer:
        """A secret is a customer who dials in (PPPoE and the like)."""
        profile = row.get("profile", "default")
        speeds = self._speeds_of(self._ppp, profile)
        told = row.get("caller-id") or self._dialled.get(row["name"], {}).get("caller-id", "")
        devices = self._devices(told, strict=bool(row.get("caller-id")))
        plan = self._contract(profile, speeds, devices=1)
        return _customer(SECRETS, row, plan, devices, login=row["name"])

    def _queue(self, row: dict[str, str]) -> Customer:
        """A static queue for one address is a customer with that address."""
        address = texts.one_address(row.get("target", ""))
        if address is None:
            raise _Stays("many", f"its target {row.get('target', '')[:40]!r} is not one address")
        if (owner := self._of_secrets.get(str(address))) is not None:
            raise _Stays("of_secret", f"it is the queue of secret {owner[:ROW_MAX]}")
        speeds = texts.queue_speeds(row)
        if speeds is None:
            raise _Stays("no_speed", f"its max-limit {row.get('max-limit', '')[:40]!r} is no speed")
        lease = self._leases.get(str(address), {})
        devices = self._devices(lease.get("mac-address", ""), strict=False)
        plan = self._contract(
            f"{_short(speeds.down_bps)}/{_short(speeds.up_bps)}", speeds, devices=1
        )
        return _customer(QUEUES, row, plan, devices)

    def _hotspot_user(self, row: dict[str, str]) -> Customer | Code:
        if row.get("limit-bytes-in", "0") != "0" or row.get("limit-bytes-out", "0") != "0":
            raise _Stays("one_way", "it has a limit of one direction, which plans have not")
        uptime = _limit(row, "limit-uptime", texts.seconds)
        quota = _limit(row, "limit-bytes-total", _whole)
        name = row.get("profile", "default")
        speeds = self._speeds_of(self._hotspot, name)
        shared = self._hotspot[name].get("shared-users", "1")
        devices_max = _whole(shared) if shared != "unlimited" else DEVICES_MAX
        if devices_max is None:
            raise _Stays("no_plan", f"shared-users {shared[:20]!r} of its profile {_UNREADABLE}")
        many = max(1, min(devices_max, DEVICES_MAX))
        if uptime or quota:
            self._must_be_unused(row, uptime, quota)
            plan = self._prepaid(name, speeds, uptime, quota, devices=many)
            named = row["name"][:ROW_MAX]
            return Code(_key(HOTSPOT_USERS, row), f"{HOTSPOT_USERS} {named}"[:ROW_MAX], named, plan)
        told = row.get("mac-address") or self._macs.get(row["name"], {}).get("mac-address", "")
        devices = self._devices(told, strict=bool(row.get("mac-address")))
        return _customer(HOTSPOT_USERS, row, self._contract(name, speeds, devices=many), devices)

    def _must_be_unused(self, row: dict[str, str], uptime: int | None, quota: int | None) -> None:
        """A router keeps what is used in the user's row and, of a session, in the active one."""
        rows = (row, self._active.get(row["name"], {}))
        spent_s = sum(texts.seconds(one.get("uptime", "0s")) or 0 for one in rows)
        spent = sum(_whole(one.get(n, "0")) or 0 for one in rows for n in ("bytes-in", "bytes-out"))
        if (uptime and spent_s >= uptime) or (quota and spent >= quota):
            raise _Stays("used_up", "it is used up")
        if (spent_s or spent) and not self._terms.make_good:
            text = f"it is partly used: {spent_s:,} s, {spent:,} bytes"
            raise _Stays("partly_used", text)

    def _speeds_of(self, profiles: Mapping[str, dict[str, str]], name: str) -> Speeds:
        profile = profiles.get(name)
        if profile is None:
            raise _Stays("no_plan", f"there is no profile {name[:40]!r}")
        told = profile.get("rate-limit", "")
        speeds = texts.speeds(told)
        if speeds is None:
            why = f"says {told[:40]!r}" if told else "says none"
            raise _Stays("no_speed", f"the rate-limit of profile {name[:40]!r} {why}")
        return speeds

    def _devices(self, told: str, *, strict: bool) -> tuple[str, ...]:
        """The device of a row. What the row itself says must be one; what was seen, may be."""
        found = texts.mac(told) if told else None
        if told and found is None and strict:
            raise _Stays("no_device", f"{told[:40]!r} is no device's address")
        return () if found is None else (found,)

    def _contract(self, name: str, speeds: Speeds, *, devices: int) -> str:
        limits = _limits(speeds, CONTRACT_VALIDITY_S, None, None, devices)
        return self._plan(name, name, Audience.CONTRACT, limits)

    def _prepaid(
        self, name: str, speeds: Speeds, uptime: int | None, quota: int | None, *, devices: int
    ) -> str:
        ends = [_time(uptime)] if uptime else []
        ends += [_volume(quota)] if quota else []
        limits = _limits(speeds, None, uptime, quota, devices)
        return self._plan(" ".join((name, *ends)), name, Audience.HOTSPOT, limits)

    def _plan(self, name: str, profile: str, audience: Audience, limits: Limits) -> str:
        """The key of a plan, which is proposed unless it was. Raises `_Stays`."""
        prices = self._terms.prices
        price = prices.get(name, prices.get(profile))
        if price is None:
            self._unpriced[name] += 1
            raise _Stays("no_price", f"plan {name[:NAME_MAX]!r} has no price")
        if audience is Audience.HOTSPOT and not price:
            raise _Stays("no_price", f"plan {name[:NAME_MAX]!r} would be free at every portal")
        key = f"plan {audience} {name} {limits} {price}"
        if key not in self._plans:
            if len(self._plans) >= PLANS_MAX:
                raise _Stays("no_plan", f"there would be more than {PLANS_MAX} plans")
            plan = Plan(
                PlanId(_slug(name)), name[:NAME_MAX], Money(price), limits, audience=audience
            )
            try:
                check_plan(plan)
            except InvalidField as wrong:
                raise _Stays("no_plan", f"plan {name[:NAME_MAX]!r}: {wrong}") from wrong
            self._plans[key] = Proposed(key, plan)
        return key


def _customer(
    menu: str, row: dict[str, str], plan: str, devices: tuple[str, ...], *, login: str = ""
) -> Customer:
    """Whose row it is, by the one phone that it tells. Raises `_Stays`."""
    comment = row.get("comment", "")
    found = texts.phones(row["name"], comment, row.get("email", ""))
    if len(found) > 1:
        raise _Stays("two_phones", f"it tells {len(found)} phones")
    if not found:
        raise _Stays("no_phone", "neither its name nor its comment tells a phone")
    person = texts.without_phones(comment) or texts.without_phones(row["name"]) or row["name"]
    named = f"{menu} {row['name']}"[:ROW_MAX]
    clean = "".join(letter for letter in person if letter.isprintable())[:PERSON_MAX].strip()
    sealed = row.get("sealed", "") if login else ""
    return Customer(_key(menu, row), named, found[0], clean, plan, devices, login, sealed)


def _key(menu: str, row: dict[str, str]) -> str:
    """What tells a row from all others of its router, also when it is read again."""
    return "\n".join((menu, row["name"], row.get("server", "all")))


def _by(rows: Iterable[dict[str, str]], word: str) -> dict[str, dict[str, str]]:
    return {row[word]: row for row in rows if row.get(word)}


def _limits(
    speeds: Speeds, validity: int | None, uptime: int | None, quota: int | None, devices: int
) -> Limits:
    rates = speeds.down_bps, speeds.up_bps
    return Limits(*rates, validity, uptime, quota, devices, burst=speeds.burst)


def _limit(row: dict[str, str], word: str, read: Callable[[str], int | None]) -> int | None:
    """A limit of a row; None without one. Raises `_Stays`."""
    told = row.get(word, "0")
    if told in ("", "0", "0s", "none", "unlimited"):
        return None
    found = read(told)
    if found is None:
        raise _Stays("no_limit", f"its {word} {told[:40]!r} {_UNREADABLE}")
    return found


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004


def _slug(name: str) -> str:
    """An id for a plan of this name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-") or "plan"


def _short(bps: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if bps % size == 0:
            return f"{bps // size}{unit}"
    return str(bps)


def _time(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _volume(size: int) -> str:
    for unit, name in ((1_073_741_824, "GiB"), (1_000_000_000, "GB"), (1_048_576, "MiB")):
        if size % unit == 0:
            return f"{size // unit}{name}"
    return f"{size // 1_000_000}MB" if size % 1_000_000 == 0 else f"{size}B"
