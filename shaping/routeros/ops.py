"""What a router holds, what it should hold, and the sentences from one to the other. PURE.

Sentences go in rounds: within a round they do not depend on one another and may be under way
together; the next round begins when each was answered. What ends access goes first, and what gives
it goes after what counts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from shaping.plane import POOL_DEPTH_MAX, Counter, MonotonicMs, SessionKey
from shaping.routeros.ppp import ACTIVE, IPV6, PASSWORD, PROFILES, SECRETS, SERVICE
from shaping.routeros.rows import (
    BOOT,
    FILTER,
    FILTER6,
    GARDEN,
    LISTS,
    MANGLE,
    MARK,
    NAT,
    OPEN,
    QUEUES,
    TOLERANCE_MS,
    Place,
    boot_mark,
)
from shaping.routeros.texts import TIMEOUT_MAX_S, span, span_ms, up_down

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from shaping.routeros.rows import Name, Row

_RULE_WORDS = (
    "action",
    "chain",
    "disabled",
    "dst-address",
    "dst-address-list",
    "dst-port",
    "dynamic",
    "in-interface",
    "jump-target",
    "new-packet-mark",
    "out-interface",
    "passthrough",
    "protocol",
    "reject-with",
    "src-address",
    "src-address-list",
    "src-mac-address",
    "src-port",
    "to-addresses",
    "to-ports",
)
_QUEUE_WORDS = (
    "name",
    "target",
    "parent",
    "packet-marks",
    "max-limit",
    "burst-limit",
    "burst-threshold",
    "burst-time",
    "bytes",
    "disabled",
    "dynamic",
)
PROPERTIES: Mapping[str, tuple[str, ...]] = {
    LISTS: ("list", "address", "timeout", "disabled", "dynamic"),
    QUEUES: _QUEUE_WORDS,
    FILTER: _RULE_WORDS,
    FILTER6: _RULE_WORDS,
    MANGLE: _RULE_WORDS,
    NAT: _RULE_WORDS,
    PROFILES: ("name", "local-address", "only-one", IPV6, "rate-limit"),
    SECRETS: ("name", "service", "profile", "remote-address", "disabled"),
}
"""The menus that rows of ours are in, and what is read of each row besides its id and comment."""

PLACE_BEFORE = "place-before"
"""Before which row a new one is put: not a word of the row, and said only when it is added."""

CALLERS = ("name", "service", "address", "caller-id", "session-id", "uptime")
"""What is read of those who are dialled in; they are nobody's rows."""

OUR_LISTS = (OPEN, GARDEN, BOOT)
RULES = (FILTER, FILTER6, MANGLE, NAT)
TAKING = frozenset(
    {"drop", "reject", "tarpit", "log", "passthrough", "add-src-to-address-list"}
    | {"add-dst-to-address-list", "change-mss", "strip-ipv4-options"}
)
"""What a stranger's rule may do before ours: nothing of this lets a packet past us."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as the router told it at ``at``."""

    id: str
    words: Mapping[str, str]
    at: MonotonicMs

    @property
    def mark(self) -> str:
        """Its comment, when that says that the row is ours; else nothing."""
        comment = self.words.get("comment", "")
        return comment if comment.startswith(MARK) and not self.dynamic_queue else ""

    @property
    def dynamic_queue(self) -> bool:
        """Whether the router made this queue by itself, copying somebody's comment."""
        return "target" in self.words and self.is_so("dynamic")

    @property
    def until(self) -> MonotonicMs | None:
        """When the router will drop it, None never."""
        left = span_ms(self.words.get("timeout", ""))
        return None if left is None else MonotonicMs(self.at + left)

    def is_so(self, word: str) -> bool:
        """Whether a condition is true of it."""
        return self.words.get(word) in ("true", "yes")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One order to the router, and the row that it is for."""

    command: str
    words: Mapping[str, str]
    name: Name

    def text(self) -> str:
        """The sentence as people read it."""
        words = (f"{key}={value}" for key, value in self.words.items() if key != PASSWORD)
        hidden = (f"{PASSWORD}=..." for key in self.words if key == PASSWORD)
        return " ".join((self.command, *words, *hidden))


def steps(
    seen: Mapping[str, Sequence[Seen]], wanted: Sequence[Row], *, now: MonotonicMs
) -> tuple[tuple[Sentence, ...], ...]:
    """The rounds that bring the router from what was ``seen`` to ``wanted``; none when it is there.

    A menu that is not among ``seen`` is not on this router. A row that was added to a chain may
    have to be moved then: that is told when it has been seen.
    """
    orders = sorted(_orders(seen, wanted, now), key=lambda order: order[0])
    return tuple(
        tuple(sentence for _, sentence in group)
        for _, group in groupby(orders, key=lambda order: order[0])
    )


_CUT, _LESS, _BLOCK, _END, _POOLS, _RATES, _METERS, _THIN, _GIVE, _RULES, _MOVES = range(
    0, 1_100, 100
)
"""When what is done: ends, strangers' changes, blocks, gone meters, pools from the outermost in,
speeds, new meters, gone pools from the innermost out, ways, rules one by one, their order."""

_HANG_UP, _GONE = _CUT + 1, _CUT + 2
"""Within what ends: nobody dials in anew, then nobody is in, then the secret may go."""

_AHEAD = 1_000_000
"""When queues of ours go before a stranger's: last, and all of them together."""

_DIAL = 2_000_000
"""When somebody may dial in: when all is there that decides what they may do then."""


def _orders(
    seen: Mapping[str, Sequence[Seen]], wanted: Sequence[Row], now: MonotonicMs
) -> Iterator[tuple[int, Sentence]]:
    held, doubles = _ours(seen)
    names = {row.name for row in wanted}
    strays = [(name, have) for name, have in held.items() if name not in names]
    for name, stray in (*strays, *doubles):
        if name[0] == SECRETS and not stray.is_so("disabled"):
            yield _CUT, Sentence(f"{SECRETS}/set", {".id": stray.id, "disabled": "yes"}, name)
        yield _gone(name, stray, seen[QUEUES])
    yield from ((_HANG_UP, sentence) for sentence in hang_ups(seen, wanted))
    turn = _RULES
    rival = _strangers_queue(seen[QUEUES])
    for row in wanted:
        if row.menu not in seen:
            continue
        turn += 1
        have = held.get(row.name)
        when = _when(row, turn)
        if have is None:
            yield when, _add(row, now, rival)
            continue
        words = differing(row, have)
        if words and row.menu == LISTS and words.keys() != {"timeout"}:
            yield when - 1, Sentence(f"{row.menu}/remove", {".id": have.id}, row.name)
            yield when, _add(row, now, rival)
        elif words:
            when = _RATES if when == _METERS else when
            when = _CUT if words.get("disabled") == "true" else when
            words = {**words, **_timeout(row, now)} if "timeout" in words else words
            yield when, Sentence(f"{row.menu}/set", {".id": have.id, **words}, row.name)
    for number, sentence in enumerate(_moves(seen, wanted, held)):
        yield _MOVES + number, sentence
    for sentence in _ahead(seen[QUEUES], wanted, held):
        yield _AHEAD, sentence


def _ours(
    seen: Mapping[str, Sequence[Seen]],
) -> tuple[dict[Name, Seen], list[tuple[Name, Seen]]]:
    """Our rows by name, and those that are there a second time."""
    held: dict[Name, Seen] = {}
    doubles = []
    for menu, rows in seen.items():
        for row in rows if menu != ACTIVE else ():
            if not row.mark:
                continue
            if (menu, row.mark) in held:
                doubles.append(((menu, row.mark), row))
            else:
                held[menu, row.mark] = row
    return held, doubles


def _gone(name: Name, row: Seen, queues: Sequence[Seen]) -> tuple[int, Sentence]:
    menu, mark = name
    when = {LISTS: _CUT, SECRETS: _GONE}.get(menu, _LESS)
    if menu == QUEUES:
        pool = mark.startswith(f"{MARK}pool ")
        when = _THIN + POOL_DEPTH_MAX - _depth(row, queues) if pool else _END
    return when, Sentence(f"{menu}/remove", {".id": row.id}, name)


def hang_ups(seen: Mapping[str, Sequence[Seen]], wanted: Sequence[Row]) -> Iterator[Sentence]:
    """End the dials of our secrets by which nobody may be in, or not at that address.

    A secret that is disabled, or gone, ends nothing by itself. What is dialled in by a stranger's
    secret of the same name is the stranger's.
    """
    rows = seen.get(SECRETS, ())
    theirs = strangers_names(rows)
    ours = {row.words.get("name", ""): row.words.get("remote-address") for row in rows if row.mark}
    may = {
        row.words["name"]: row.words["remote-address"]
        for row in wanted
        if row.menu == SECRETS and row.words["disabled"] == "false"
    }
    for one in seen.get(ACTIVE, ()):
        name, address = one.words.get("name", ""), one.words.get("address")
        if name not in ours or one.words.get("service") != SERVICE:
            continue
        if name in theirs and address != ours[name]:
            continue
        if may.get(name) != address:
            mark = f"{MARK}line {name}"
            yield Sentence(f"{ACTIVE}/remove", {".id": one.id}, (ACTIVE, mark))


def strangers_names(secrets: Iterable[Seen]) -> set[str]:
    """By what names people dial in with secrets that are not ours."""
    return {
        row.words.get("name", "")
        for row in secrets
        if not row.mark and row.words.get("service") in {SERVICE, "any"}
    }


def strangers_addresses(
    secrets: Iterable[Seen], active: Iterable[Seen], ours: Collection[str]
) -> set[str]:
    """What addresses secrets have that are not ours, and who is in by none of the names ``ours``.

    Somebody else there would pass by what is paid for the line that has the address.
    """
    kept = {row.words.get("remote-address", "") for row in secrets if not row.mark}
    return kept | {
        row.words.get("address", "") for row in active if row.words.get("name", "") not in ours
    }


def _depth(row: Seen, queues: Sequence[Seen]) -> int:
    """How many queues this one is inside of."""
    parents = {one.words.get("name", ""): one.words.get("parent", "none") for one in queues}
    depth, at = 0, row.words.get("parent", "none")
    while at in parents and depth < POOL_DEPTH_MAX:
        depth, at = depth + 1, parents[at]
    return depth


def _when(row: Row, turn: int) -> int:
    if row.menu == QUEUES:
        return _METERS if row.depth > POOL_DEPTH_MAX else _POOLS + row.depth
    if row.menu == LISTS:
        return _GIVE
    if row.menu in {PROFILES, SECRETS}:
        return _DIAL + (row.menu == SECRETS)
    return turn if row.place is not Place.ANYWHERE else _BLOCK


def _add(row: Row, now: MonotonicMs, rival: Seen | None) -> Sentence:
    words = {"comment": row.mark, **row.words, **_timeout(row, now)}
    if rival is not None and _is_outer_queue(row):
        words[PLACE_BEFORE] = rival.id
    return Sentence(f"{row.menu}/add", words, row.name)


def _timeout(row: Row, now: MonotonicMs) -> dict[str, str]:
    """For how long the router keeps it: whole seconds, never none, which would mean for ever."""
    if row.until is None:
        return {}
    left_s = -((now - row.until) // 1_000)
    return {"timeout": span(min(max(1, left_s), TIMEOUT_MAX_S))}


def differing(row: Row, have: Seen) -> dict[str, str]:
    """The words of ``row`` that the router has otherwise; ``timeout`` where the end is another."""
    words = {
        key: value
        for key, value in row.words.items()
        if not _same(key, have.words.get(key, ""), value)
    }
    if have.is_so("disabled") and "disabled" not in row.words:
        words["disabled"] = "no"
    if row.menu != LISTS:
        return words
    until = have.until
    if row.until is None or until is None:
        # An entry without end is of another kind, and cannot be made one that ends.
        return words if row.until is until else {**words, "timeout": "", "dynamic": ""}
    if not row.until - row.slack_ms <= until <= row.until + TOLERANCE_MS:
        words["timeout"] = ""
    return words


_YES = {"yes": "true", "no": "false"}


def _same(key: str, have: str, want: str) -> bool:
    if have == want:
        return True
    if key == "target":
        return set(have.split(",")) == set(want.split(","))
    if key == "burst-time":
        return [span_ms(one) for one in have.split("/")] == [span_ms(x) for x in want.split("/")]
    return _YES.get(have, have) == want


def _moves(
    seen: Mapping[str, Sequence[Seen]], wanted: Sequence[Row], held: Mapping[Name, Seen]
) -> Iterator[Sentence]:
    for menu in (*RULES, QUEUES):
        if menu in seen:
            placed = [row for row in wanted if row.menu == menu and row.name in held]
            places = {row.id: number for number, row in enumerate(seen[menu])}
            yield from _turns(menu, placed, held, places)
            yield from _firsts(menu, placed, held, seen[menu])


def _turns(
    menu: str, placed: Sequence[Row], held: Mapping[Name, Seen], places: Mapping[str, int]
) -> Iterator[Sentence]:
    """Put the rules of our own chains in their order."""
    chains: dict[str, list[Row]] = {}
    for row in placed:
        if row.place is Place.IN_TURN:
            chains.setdefault(row.words["chain"], []).append(row)
    for chain in chains.values():
        ids = [held[row.name].id for row in chain]
        if ids == sorted(ids, key=places.__getitem__):
            continue
        for number in range(len(ids) - 2, -1, -1):
            yield _move(menu, ids[number], ids[number + 1], chain[number].name)


def _firsts(
    menu: str, placed: Sequence[Row], held: Mapping[Name, Seen], rows: Sequence[Seen]
) -> Iterator[Sentence]:
    """Put what must come before strangers' permissions there."""
    places = {row.id: number for number, row in enumerate(rows)}
    for row in placed:
        if row.place is not Place.FIRST:
            continue
        mine = held[row.name]
        rivals = [one for one in rows if _rival(menu, row, one)]
        if rivals and places[rivals[0].id] < places[mine.id]:
            yield _move(menu, mine.id, rivals[0].id, row.name)


def _rival(menu: str, row: Row, one: Seen) -> bool:
    """Whether ``one`` must not come before ``row``: then packets never reach it."""
    if menu == QUEUES:
        return one.mark != row.mark and (bool(one.mark) or _is_strangers(one))
    same_chain = one.words.get("chain") == row.words["chain"]
    asleep = one.is_so("disabled") or one.is_so("dynamic")
    return same_chain and not (one.mark or asleep or one.words.get("action") in TAKING)


def _ahead(
    queues: Sequence[Seen], wanted: Sequence[Row], held: Mapping[Name, Seen]
) -> Iterator[Sentence]:
    """Put our queues before strangers': the first that fits a packet has it, and it alone counts.

    Many operators have one queue around their whole LAN.
    """
    rival = _strangers_queue(queues)
    if rival is None:
        return
    behind = {row.id for row in queues[queues.index(rival) :]}
    for row in wanted:
        if row.name in held and held[row.name].id in behind and _is_outer_queue(row):
            yield _move(QUEUES, held[row.name].id, rival.id, row.name)


def _strangers_queue(queues: Sequence[Seen]) -> Seen | None:
    """The first queue of somebody else that could have packets of our devices."""
    return next((one for one in queues if _is_strangers(one)), None)


def _is_strangers(one: Seen) -> bool:
    """Whether it is somebody else's queue inside of no other; what the router made is passed by."""
    asleep = one.is_so("disabled") or one.is_so("dynamic")
    return not (one.mark or asleep) and one.words.get("parent", "none") == "none"


def _is_outer_queue(row: Row) -> bool:
    """Whether it is a queue of devices that is inside of no other."""
    return row.menu == QUEUES and row.words.get("parent") == "none"


def _move(menu: str, what: str, before: str, name: Name) -> Sentence:
    return Sentence(f"{menu}/move", {"numbers": what, "destination": before}, name)


def boot_of(lists: Iterable[Seen]) -> str | None:
    """Which life of the router this is; None when its power was off, or somebody took the mark."""
    start = boot_mark("")
    found = [row.mark.removeprefix(start) for row in lists if row.mark.startswith(start)]
    return found[0] if len(found) == 1 else None


def epochs_of(queues: Iterable[Seen], boot: str) -> dict[SessionKey, str]:
    """The sessions whose meters run since a moment of this life of the router."""
    return {key: epoch for key, epoch, _ in _meters(queues, boot)}


def counted(queues: Iterable[Seen], boot: str) -> dict[SessionKey, Counter]:
    """What each running meter shows."""
    counters = {}
    for key, epoch, row in _meters(queues, boot):
        shown = up_down(row.words.get("bytes", ""))
        if shown is not None:
            counters[key] = Counter(epoch, down_bytes_total=shown[1], up_bytes_total=shown[0])
    return counters


def _meters(queues: Iterable[Seen], boot: str) -> Iterator[tuple[SessionKey, str, Seen]]:
    for row in queues:
        kind, _, rest = row.mark.removeprefix(MARK).partition(" ")
        key, _, epoch = rest.partition(" ")
        if kind == "session" and epoch.startswith(f"{boot}-"):
            yield SessionKey(key), epoch, row


def said(name: Name, text: str) -> str:
    """What staff read about a row of ours that was changed by hand, or that was not taken."""
    kind, _, rest = name[1].removeprefix(MARK).partition(" ")
    first, _, second = rest.partition(" ")
    words = {
        "way": f"{second} of {first}",
        "session": f"the queue of {first}",
        "pool": f"the pool {rest}",
        "garden": "the walled garden",
        "block": f"the block of {rest}",
        "secret": f"the secret of {rest}",
        "line": f"the line of {rest}",
    }
    return f"{words.get(kind, f'the {kind} {rest} in {name[0]}')} {text}"


def drift(
    seen: Mapping[str, Sequence[Seen]], believed: Sequence[Row], *, now: MonotonicMs
) -> tuple[str, ...]:
    """What was as it should be when last looked at, and is no more."""
    held, _ = _ours(seen)
    words: dict[str, None] = {}
    for row in believed:
        if row.menu not in seen or (row.until is not None and row.until <= now + TOLERANCE_MS):
            continue
        have = held.get(row.name)
        if have is None and row.menu in {LISTS, SECRETS} and "garden" not in row.mark:
            words[said(row.name, "was removed")] = None
        elif have is None or differing(row, have):
            words[said(row.name, "was changed")] = None
    for sentence in _moves(seen, believed, held):
        words[said(sentence.name, "was moved")] = None
    return tuple(words)
