"""How often somebody may try: codes, secrets, and prompts on other people's phones. PURE.

Tries are journalled before they are answered, so that neither a restart nor a power cut gives a
guesser new ones; after a boot they count from its first moment.

A MAC address costs a guesser nothing, so there is a bound for the whole site; but a bound for all
could be used to keep everybody out. Therefore, above it, a device that has tried nothing wrong
within the window still has one try: who holds a good voucher needs no more, and who mistypes has
the next one when the window is over. Only at ``CODES_IN_ALL_MAX`` must that wait too, until the
oldest try is out of the window, which at that many is a second. That keeps guessing hopeless: at
96,000 tries a day a token, right once in 2^36 times, is found in about 2,000 years.

Secrets by which subscribers dial in are tried by routers that never give up, and by whoever is on
the same wire. So a login is never closed: after some wrong ones, one is looked at each minute, and
who has put it right is on again within it. What is tried meanwhile is not even looked at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.model import TryKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.draft import Draft
    from agent.model import Try
    from shaping.plane import MonotonicMs

WINDOW_MS = 15 * 60_000
"""Tries are counted over this long."""

CODES_PER_DEVICE_MAX = 5
"""Wrong codes of one device."""

CODES_PER_ADDRESS_MAX = 10
"""Wrong codes from one address, whatever the device calls itself."""

CODES_PER_SITE_MAX = 60
"""Wrong codes of the whole site; above it, each device has one."""

CODES_IN_ALL_MAX = 1_000
"""Wrong codes of the whole site, those single ones included."""

ORDERS_PER_DEVICE_MAX = 10
"""Orders of one device: each rings somebody's phone."""

NUMBERS_PER_DEVICE_MAX = 5
"""Different phones that one device rings."""

ORDERS_PER_SITE_MAX = 240
"""Orders of the whole site that are not paid (yet): what is paid bothered nobody, and is forgotten.
A full house may buy all at once; a stranger with many names is stopped."""

LOGINS_FREE_MAX = 10
"""Wrong secrets for one login by one NAS that are looked at as they come."""

LOGIN_PACE_MS = 60_000
"""Beyond them one is looked at in this time: not 2,500 a day."""

LOGINS_PER_SITE_MAX = 5_000
"""Wrong secrets of the whole site that are remembered; above it strangers are not looked at."""


def too_many(tries: Iterable[Try], attempt: Try) -> bool:
    """Whether one more is not allowed after ``tries``."""
    recent = [one for one in tries if one.kind is attempt.kind and _counts(one, attempt.at)]
    own = [one for one in recent if one.mac == attempt.mac]
    if attempt.kind is TryKind.ORDER:
        return _too_many_orders(recent, own, attempt)
    if len(own) >= CODES_PER_DEVICE_MAX or len(recent) >= CODES_IN_ALL_MAX:
        return True
    there = sum(one.place == attempt.place for one in recent)
    if there >= CODES_PER_ADDRESS_MAX:
        return True
    return len(recent) >= CODES_PER_SITE_MAX and bool(own)


def slot(tries: Mapping[str, Try], key: str, now: MonotonicMs) -> str | None:
    """Under which name a wrong secret for ``key`` is to be noted; None: it is not to be looked at.

    There are `LOGINS_FREE_MAX` names for a key, and the oldest try gives its own away.
    """
    names = [f"{key} {number}" for number in range(LOGINS_FREE_MAX)]
    known = {name: tries[name].at for name in names if name in tries}
    over = [name for name in names if name not in known or now - known[name] >= WINDOW_MS]
    if over:
        return over[0]
    if now - max(known.values()) < LOGIN_PACE_MS:
        return None
    return min(names, key=known.__getitem__)


def is_stormy(tries: Mapping[str, Try], now: MonotonicMs) -> bool:
    """Whether so many secrets were wrong at this site that strangers have to wait."""
    if len(tries) < LOGINS_PER_SITE_MAX:
        return False
    wrong = (one for one in tries.values() if one.kind is TryKind.LOGIN)
    return sum(_counts(one, now) for one in wrong) >= LOGINS_PER_SITE_MAX


def guessed(tries: Mapping[str, Try], now: MonotonicMs) -> list[str]:
    """At which logins so much was guessed that one secret is looked at each minute, by place."""
    wrong = (one for one in tries.values() if one.kind is TryKind.LOGIN)
    counts = Counter(one.place for one in wrong if _counts(one, now))
    return sorted(place for place, count in counts.items() if count >= LOGINS_FREE_MAX)


def note(draft: Draft, attempt: Try, *, name: str = "") -> None:
    """Count a try, which may have a name; those that are over are forgotten."""
    for key in draft.tries:
        if not _counts(draft.tries[key], draft.mono):
            draft.tries.drop(key)
    draft.tries.put(name or str(draft.count()), attempt)


def forgive(draft: Draft, name: str) -> None:
    """Count that try no more."""
    draft.tries.drop(name)


def rebooted(draft: Draft, last: MonotonicMs) -> None:
    """Have the tries of an earlier boot count from this one's first moment."""
    for key in draft.tries:
        if _counts(draft.tries[key], last):
            draft.tries.put(key, replace(draft.tries[key], at=draft.mono))
        else:
            draft.tries.drop(key)


def _too_many_orders(recent: list[Try], own: list[Try], attempt: Try) -> bool:
    numbers = {one.place for one in own} | {attempt.place}
    return (
        len(recent) >= ORDERS_PER_SITE_MAX
        or len(own) >= ORDERS_PER_DEVICE_MAX
        or len(numbers) > NUMBERS_PER_DEVICE_MAX
    )


def _counts(one: Try, mono: MonotonicMs) -> bool:
    return mono - one.at < WINDOW_MS
