"""What a menu is: its attributes, what each takes, and what it is printed as. PURE.

Menus are written as tables in text, one attribute a line::

    name       text
    max-limit  rates   =0/0
    comment    text              an attribute without a default is absent until it is set
    bytes      text    ro        the box alone writes it
    otp-secret text    7.21+     since that version;  <7 before it
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from tests.routeros.texts import (
    Version,
    address_text,
    commas,
    day_of,
    duration,
    duration_us,
    joined,
    mac,
    prefix_text,
    rate_bps,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MISSING_ITEM = 0
BAD_VALUE = 1
INTERRUPTED = 2
VERBS = (
    "print",
    "getall",
    "listen",
    "get",
    "add",
    "set",
    "remove",
    "unset",
    "enable",
    "disable",
    "comment",
)
VERSION_MIN = Version(0)
VERSION_MAX = Version(99)


class Trap(Exception):  # noqa: N818 - the protocol's own word for a refusal
    """What the box answers instead of doing it: ``!trap`` with this message and category."""

    def __init__(self, message: str, category: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.category = category


class Names(Protocol):
    """What a kind may ask of the box: which names another menu holds."""

    def named(self, path: str, name: str) -> str | None:
        """The full name of the row of ``path`` that ``name`` or an id stands for."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One property of a menu's rows."""

    name: str
    kind: str
    default: str | None = None
    read_only: bool = False
    since: Version = VERSION_MIN
    before: Version = VERSION_MAX

    def stored(self, written: str, names: Names) -> str:
        """``written`` as the box keeps it. Raises Trap for what it does not take."""
        kind, _, argument = self.kind.partition(":")
        kept = KINDS[kind](written, argument, names)
        if kept is None and kind in ("enum", "ref", "refs"):
            raise Trap(f"input does not match any value of {self.name}", BAD_VALUE)
        if kept is None and kind == "int" and written.isdigit():
            low, _, high = argument.partition("-")
            raise Trap(f"value of {self.name} out of range ({low}..{high})", BAD_VALUE)
        if kept is None:
            raise Trap(f"invalid value for argument {self.name}", BAD_VALUE)
        return kept


@dataclass(frozen=True)
class Menu:
    """One place of the tree: what its rows have and what may be asked of it."""

    path: str
    lines: tuple[Attribute, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    duplicate: str = "failure: already have such entry"
    single: bool = False
    ordered: bool = False
    verbs: frozenset[str] = frozenset(VERBS)
    rights: str = "write"
    first_id: int = 1
    secrets: frozenset[str] = frozenset()
    since: Version = VERSION_MIN
    before: Version = VERSION_MAX
    starts: tuple[Mapping[str, str], ...] = ()

    @cached_property
    def points_at(self) -> dict[str, str]:
        """Which attributes hold the name of a row elsewhere, and of which menu."""
        return {
            a.name: a.kind.partition(":")[2].split(",")[0]
            for a in self.attributes.values()
            if a.kind.startswith("ref")
        }

    def at(self, version: Version) -> Menu:
        """This menu as ``version`` has it."""
        kept = {a.name: a for a in self.lines if a.since <= version < a.before}
        return replace(self, attributes=kept)

    def written(self, words: Mapping[str, str], names: Names) -> dict[str, str]:
        """``words`` as the box keeps them. Raises Trap for an attribute that cannot be set."""
        kept = {}
        for name, value in words.items():
            attribute = self.attributes.get(name)
            if attribute is None or attribute.read_only:
                raise Trap(f"unknown parameter {name}")
            kept[name] = attribute.stored(value, names)
        return kept

    def defaults(self) -> dict[str, str]:
        """What the box fills in by itself."""
        return {a.name: a.default for a in self.attributes.values() if a.default is not None}


def attributes(table: str) -> tuple[Attribute, ...]:
    """The attributes that a table in text lists; one of several versions stands there twice."""
    lines = (line.split() for line in table.splitlines() if line.strip())
    return tuple(attribute(name, kind, *marks) for name, kind, *marks in lines)


def attribute(name: str, kind: str, *marks: str) -> Attribute:
    """One line of such a table."""
    default, read_only, since, before = None, False, VERSION_MIN, VERSION_MAX
    for mark in marks:
        if mark.startswith("="):
            default = mark[1:]
        elif mark == "ro":
            read_only = True
        elif mark.endswith("+"):
            since = Version.of(mark[:-1])
        else:
            before = Version.of(mark.removeprefix("<"))
    return Attribute(name, kind, default, read_only, since, before)


def menu(
    path: str,
    table: str,
    *,
    more: str = "",
    less: str = "",
    required: str = "",
    unique: str = "",
    **rest: object,
) -> Menu:
    """A menu from its table; ``more`` and ``less`` are verbs, ``unique`` is ``a+b c``."""
    verbs = (frozenset(VERBS) | frozenset(more.split())) - frozenset(less.split())
    keys = tuple(tuple(key.split("+")) for key in unique.split())
    told = {"verbs": verbs, "required": tuple(required.split()), "unique": keys, **rest}
    return Menu(path, attributes(table), **told)  # type: ignore[arg-type]


def _int(text: str, argument: str, _: Names) -> str | None:
    low, _dash, high = argument.partition("-")
    whole = text.isascii() and text.isdigit()
    fits = whole and int(low or 0) <= int(text) <= int(high or 2**64 - 1)
    return str(int(text)) if fits else None


def _figure(text: str, argument: str, names: Names) -> str | None:
    """``figure:word,word``: a whole number or one of the words."""
    return text if text in argument.split(",") else _int(text, "", names)


def _date(text: str, argument: str, _: Names) -> str | None:
    try:
        return str(day_of(text))
    except ValueError:
        return None


def _bool(text: str, argument: str, _: Names) -> str | None:
    told = {"yes": True, "true": True, "no": False, "false": False}.get(text)
    shown = argument.split(",") if argument else ["false", "true"]
    return None if told is None else shown[told]


def _enum(text: str, argument: str, _: Names) -> str | None:
    return text if text in argument.split(",") else None


def _set(text: str, argument: str, _: Names) -> str | None:
    parts = commas(text)
    return joined(parts) if set(parts) <= set(argument.split(",")) else None


def _time(text: str, argument: str, _: Names) -> str | None:
    if argument and text in argument.split(","):
        return text
    us = duration_us(text)
    return None if us is None else duration(us)


def _rate(text: str, argument: str, _: Names) -> str | None:
    bps = rate_bps(text)
    return None if bps is None else str(bps)


def _pairs(one: Callable[[str], str | None], text: str) -> str | None:
    """Both sides by ``one``; a single value stands for both."""
    up, slash, down = text.partition("/")
    sides = [one(up), one(down if slash else up)]
    return "/".join(side for side in sides if side is not None) if None not in sides else None


def _rates(text: str, argument: str, names: Names) -> str | None:
    return _pairs(lambda side: _rate(side, argument, names), text)


def _times(text: str, argument: str, names: Names) -> str | None:
    return _pairs(lambda side: _time(side, argument, names), text)


def _ints(text: str, argument: str, names: Names) -> str | None:
    return _pairs(lambda side: _int(side, argument, names), text)


def _refs(text: str, argument: str, names: Names) -> str | None:
    return _pairs(lambda side: _ref(side, argument, names), text)


def _ref(text: str, argument: str, names: Names) -> str | None:
    """``ref:/menu,word,word``: a row of that menu by name or id, or one of the words.

    The word ``!`` stands for any row but the one named after it.
    """
    path, *words = argument.split(",")
    if "!" in words and text.startswith("!"):
        name = names.named(path, text[1:])
        return None if name is None else f"!{name}"
    return text if text in words else names.named(path, text)


def _mac(text: str, argument: str, _: Names) -> str | None:
    if argument == "not" and text.startswith("!"):
        return f"!{mac(text[1:])}" if mac(text[1:]) else None
    return mac(text)


def _ip(text: str, argument: str, _: Names) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return text if text in argument.split(",") and text else None


def _addresses(text: str, argument: str, _: Names) -> str | None:
    inner = text.removeprefix("!")
    kept = address_text(inner)
    return None if kept is None else text[: len(text) - len(inner)] + kept


def _prefix(text: str, argument: str, _: Names) -> str | None:
    return prefix_text(text)


def _target(text: str, argument: str, names: Names) -> str | None:
    """A simple queue's targets: addresses get a width, interfaces must exist."""
    kept = [prefix_text(p, host_bits=False) or names.named("/interface", p) for p in commas(text)]
    return joined(k for k in kept if k) if all(kept) else None


def _prefixes(text: str, argument: str, _: Names) -> str | None:
    kept = [prefix_text(p, host_bits=False) for p in commas(text)]
    return joined(k for k in kept if k) if all(kept) else None


def _host_or_addresses(text: str, argument: str, names: Names) -> str | None:
    """An entry of an address list: an address, a network, a range, or a name to be looked up."""
    kept = _addresses(text, argument, names)
    looks_like_name = any(letter.isalpha() for letter in text) and "/" not in text
    return kept or (text if looks_like_name and " " not in text and ":" not in text else None)


def _policy(text: str, argument: str, _: Names) -> str | None:
    """Rights, each printed: those not given with ``!`` in front."""
    given = {p for p in commas(text) if not p.startswith("!")}
    every = argument.split(",")
    bare = {p.removeprefix("!") for p in commas(text)}
    shown = [p for p in every if p in given] + [f"!{p}" for p in every if p not in given]
    return joined(shown) if bare <= set(every) else None


def _limit(text: str, argument: str, names: Names) -> str | None:
    """A rate limit, echoed as written: rates, bursts, thresholds, times, priority, least rates."""
    kinds = (_rates, _rates, _rates, _times, _ints, _rates)
    parts = text.split()
    sound = [k(p, "", names) is not None for k, p in zip(kinds, parts, strict=False)]
    return text if all(sound) and len(parts) <= len(kinds) else None


def _text(text: str, argument: str, _: Names) -> str | None:
    return text


KINDS: dict[str, Callable[[str, str, Names], str | None]] = {
    "text": _text,
    "int": _int,
    "ints": _ints,
    "bool": _bool,
    "enum": _enum,
    "set": _set,
    "time": _time,
    "times": _times,
    "rate": _rate,
    "rates": _rates,
    "ref": _ref,
    "refs": _refs,
    "mac": _mac,
    "ip": _ip,
    "addresses": _addresses,
    "prefix": _prefix,
    "prefixes": _prefixes,
    "target": _target,
    "host": _host_or_addresses,
    "policy": _policy,
    "limit": _limit,
    "figure": _figure,
    "date": _date,
}
"""Every kind by the word that tables use."""
