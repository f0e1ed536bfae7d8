"""What the API's commands do to a box: one sentence in, an `Answer` out. Nothing waits here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.routeros import behaviour
from tests.routeros.queries import passes
from tests.routeros.schema import BAD_VALUE, MISSING_ITEM, Trap
from tests.routeros.texts import SECOND_US, Version, commas, duration_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.routeros.box import Box
    from tests.routeros.table import Row, Table

STREAMS = ("follow", "follow-only", "interval")
LOOKS = ("count-only", "detail", "stats", "without-paging", "brief", "terse", "file", "append")
PRINT_WORDS = frozenset(
    (*STREAMS, *LOOKS, "value-list", "as-value", "from", "numbers", ".id", ".proplist")
)
SINGLE_VERBS = ("print", "getall", "listen", "get", "set")
EVERY_RIGHT = frozenset({"read", "write", "policy", "sensitive", "reboot", "test", "api", "ftp"})
NO_RIGHT = "not enough permissions (9)"
SHOW_SENSITIVE = Version(7, 21)
EMPTY_IS_SAID = Version(7, 18)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who gives a command, and what he may do."""

    name: str
    rights: frozenset[str]

    @classmethod
    def staff(cls) -> Caller:
        """Somebody at the box's own console."""
        return cls("admin", EVERY_RIGHT)

    def must(self, right: str) -> None:
        """Raises Trap without that right."""
        if right not in self.rights:
            raise Trap(NO_RIGHT)


@dataclass(frozen=True, slots=True)
class Stream:
    """What goes on after the first rows, until it is cancelled: changes of a menu, or repeats."""

    path: str
    ask: Ask
    every_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, then the last sentence; with a `stream` the last one comes when it is cancelled."""

    rows: list[list[str]] = field(default_factory=list)
    last: tuple[str, ...] = ("!done",)
    stream: Stream | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """What one print wants to see."""

    queries: tuple[str, ...]
    wanted: frozenset[str] | None
    hidden: frozenset[str]

    def sees(self, shown: Mapping[str, str]) -> bool:
        """Whether a row is asked for. Raises Trap for a query that is none."""
        try:
            return passes(shown, self.queries)
        except ValueError as error:
            raise Trap(f"syntax error in query {error}") from error

    def sentence(self, shown: Mapping[str, str]) -> list[str]:
        """A row as it is sent."""
        wanted = self.wanted
        return ["!re"] + [
            f"={name}={value}"
            for name, value in shown.items()
            if (wanted is None or name in wanted) and name not in self.hidden
        ]


def run(box: Box, caller: Caller, sentence: Sequence[str]) -> Answer:
    """Carry out one command of any menu. Raises Trap; then nothing of it was done."""
    box.settle()
    path, _, verb = sentence[0].rpartition("/")
    words = attributes_of(sentence)
    special = behaviour.SPECIAL.get(sentence[0])
    if special is not None and (path not in box.tables or verb in box.table(path).menu.verbs):
        return special(box, caller, words) or Answer()
    if path not in box.tables:
        raise Trap("no such command prefix", MISSING_ITEM)
    table = box.table(path)
    if verb not in table.menu.verbs or (table.menu.single and verb not in SINGLE_VERBS):
        raise Trap("no such command", MISSING_ITEM)
    if verb in ("print", "getall", "listen"):
        caller.must("read")
        ask = asked(box, caller, table, sentence)
        return printed(box, table, ask, words, silent=verb == "listen" or "follow-only" in words)
    caller.must("read" if verb == "get" else "write")
    if verb != "get" and table.menu.rights not in caller.rights:
        raise Trap(NO_RIGHT)
    return CHANGES[verb](box, table, words)


def attributes_of(sentence: Sequence[str]) -> dict[str, str]:
    """The attribute words of a sentence, by name."""
    words = {}
    for word in sentence[1:]:
        if word.startswith("="):
            name, _, value = word[1:].partition("=")
            words[name] = value
    return words


def written_by_hand(words: Mapping[str, str | None]) -> list[str]:
    """Attribute words from a Python call: underscores are dashes; None is left away."""
    told = ((name.replace("_", "-"), value) for name, value in words.items())
    return [f"={name}={value}" for name, value in told if value is not None]


def printed(box: Box, table: Table, ask: Ask, words: Mapping[str, str], *, silent: bool) -> Answer:
    """The rows of a menu that are asked for; ``silent``: only what changes from now on."""
    streams = silent or any(name in words for name in STREAMS)
    found = [] if silent else rows_asked(box, table, ask, words)
    if "count-only" in words:
        return Answer(last=("!done", f"=ret={len(found)}"))
    rows = [ask.sentence(shown) for shown in found]
    if streams:
        every = interval_s(words["interval"]) if "interval" in words else None
        return Answer(rows, stream=Stream(table.menu.path, ask, every))
    if not rows and box.version >= EMPTY_IS_SAID:
        return Answer([["!empty"]])
    return Answer(rows)


def interval_s(text: str) -> float:
    """Seconds between repeats. Raises Trap for what is no time."""
    us = duration_us(text)
    if not us:
        raise Trap("invalid value for argument interval", BAD_VALUE)
    return us / SECOND_US


def asked(box: Box, caller: Caller, table: Table, sentence: Sequence[str]) -> Ask:
    """What a print names: its conditions and its properties. Raises Trap for other words."""
    words = attributes_of(sentence)
    known = PRINT_WORDS | ({"show-sensitive"} if box.version >= SHOW_SENSITIVE else set())
    if unknown := set(words) - known:
        raise Trap(f"unknown parameter {min(unknown)}")
    wanted = frozenset(commas(words[".proplist"])) if ".proplist" in words else None
    hidden = frozenset() if "sensitive" in caller.rights else table.menu.secrets
    if table.menu.path == "/user":
        hidden = frozenset({"password"})
    return Ask(tuple(w for w in sentence[1:] if w.startswith("?")), wanted or None, hidden)


def rows_asked(box: Box, table: Table, ask: Ask, words: Mapping[str, str]) -> list[dict[str, str]]:
    """Every row that passes, as it is shown."""
    told = words.get("numbers", words.get(".id", words.get("from")))
    rows = table if told is None else table.picked(told)
    path = table.menu.path
    near = looked_up(table, ask.queries) if told is None else None
    shown = (box.shown(path, row) for row in (rows if near is None else near))
    return [row for row in shown if ask.sees(row)]


def looked_up(table: Table, queries: Sequence[str]) -> list[Row] | None:
    """The rows that a first plain condition on name or id leaves; None when there is none such."""
    if not queries or any(q.startswith("?#") for q in queries):
        return None
    name, equals, value = queries[0][1:].removeprefix("=").partition("=")
    if name not in (".id", "name") or not equals:
        return None
    found = table.having("name", value) if name == "name" else [table.find(value)]
    return [row for row in found if row is not None]


def add(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """A new row, with everything that the box fills in."""
    menu = table.menu
    place = words.pop("place-before", None) if menu.ordered else None
    model = table.picked(words.pop("copy-from"))[0].words if "copy-from" in words else {}
    before = None if place is None else table.picked(place)[0]
    kept = {**model, **menu.written(words, box)}
    missing = [name for name in menu.required if name not in kept]
    if missing:
        raise Trap(f"missing value(s) of argument(s) {' '.join(missing)}")
    full = {**menu.defaults(), **kept}
    if ("name",) in menu.unique and not full.get("name"):
        full["name"] = free_name(table)
    behaviour.filled_in(box, menu.path, full)
    row = table.add(full, box.now_s)
    if before is not None:
        table.place(row, before)
    behaviour.added(box, menu.path, row)
    return Answer(last=("!done", f"=ret={row.id}"))


def free_name(table: Table) -> str:
    """The name that a box gives to what is added without one."""
    stem = table.menu.path.strip("/").split("/")[-1].rstrip("s")
    stem = {"simple": "queue", "tree": "queue", "dhcp-server": "dhcp"}.get(stem, stem)
    number = len(table) + 1
    while table.find(f"{stem}{number}"):
        number += 1
    return f"{stem}{number}"


def picked(table: Table, words: dict[str, str]) -> list[Row]:
    """The rows that a changing command names, which must be there."""
    if table.menu.single:
        return [table.only()]
    told = words.pop(".id", None) or words.pop("numbers", None)
    if told is None:
        raise Trap("missing value(s) of argument(s) numbers")
    return table.picked(told)


def changeable(box: Box, table: Table, words: dict[str, str]) -> list[Row]:
    """The rows that a command names, none of which the box itself keeps."""
    rows = picked(table, words)
    for row in rows:
        behaviour.must_be_changeable(table.menu.path, row)
    return rows


def set_words(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """Words of rows become others."""
    rows = changeable(box, table, words)
    kept = table.menu.written(words, box)
    for row in rows:
        change(box, table, row, kept)
    return Answer()


def change(box: Box, table: Table, row: Row, kept: Mapping[str, str | None]) -> None:
    """A row's words become these, and what follows from it follows."""
    name = row.words.get("name")
    behaviour.must_fit(box, table.menu.path, row, kept)
    table.change(row, kept)
    if name and row.words.get("name") not in (None, name):
        repoint(box, table.menu.path, name, row.words["name"])
    behaviour.changed(box, table.menu.path, row, kept)


def repoint(box: Box, path: str, name: str, now: str) -> None:
    """Who pointed at a row by its name follows its new one; at a removed one, shows its id."""
    for table in box.tables.values():
        if table.refers[path, name] <= 0:
            continue
        for row in table:
            told: dict[str, str | None] = {
                attribute: "/".join(
                    now if p == name else p for p in row.words[attribute].split("/")
                )
                for attribute, where, part in table.references(row.words)
                if (where, part) == (path, name)
            }
            if told:
                table.change(row, told)
                behaviour.repointed(box, table.menu.path, row, lost=now.startswith("*"))


def remove(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """Rows go, and what hung on them."""
    rows = picked(table, words)
    for row in rows:
        behaviour.must_be_removable(table.menu.path, row)
    for row in rows:
        if row.number in table.by_number:
            discard(box, table, row)
    return Answer()


def discard(box: Box, table: Table, row: Row) -> None:
    """One row goes."""
    if behaviour.removed(box, table.menu.path, row):
        return
    table.remove(row)
    if "name" in row.words:
        repoint(box, table.menu.path, row.words["name"], row.id)


def switched(disabled: str) -> Callable[[Box, Table, dict[str, str]], Answer]:
    """The command enable or disable."""

    def switch(box: Box, table: Table, words: dict[str, str]) -> Answer:
        if "disabled" not in table.menu.attributes:
            raise Trap("no such command", MISSING_ITEM)
        for row in changeable(box, table, words):
            change(box, table, row, {"disabled": disabled})
        return Answer()

    return switch


def unset(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """Words of rows become absent, or what the box fills in."""
    names = commas(words.pop("value-name", ""))
    rows = changeable(box, table, words)
    defaults = table.menu.defaults()
    for name in names:
        if name not in table.menu.attributes or table.menu.attributes[name].read_only:
            raise Trap(f"unknown parameter {name}")
    for row in rows:
        change(box, table, row, {name: defaults.get(name) for name in names})
    return Answer()


def get(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """One value of one row."""
    name = words.pop("value-name", "")
    shown = box.shown(table.menu.path, picked(table, words)[0])
    if name not in shown:
        raise Trap(f"unknown parameter {name}")
    return Answer(last=("!done", f"=ret={shown[name]}"))


def move(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """Rows stand in front of another, or last."""
    destination = words.pop("destination", None)
    before = table.picked(destination)[0] if destination else None
    for row in picked(table, words):
        if row is not before:
            table.place(row, before)
    return Answer()


def reset_counters(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """Rows count from nothing again."""
    for row in picked(table, words):
        behaviour.count_anew(box, table.menu.path, row)
    return Answer()


def reset_all(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """Every row counts from nothing again."""
    for row in table:
        behaviour.count_anew(box, table.menu.path, row)
    return Answer()


def remark(box: Box, table: Table, words: dict[str, str]) -> Answer:
    """Rows get another comment."""
    if "comment" not in table.menu.attributes:
        raise Trap("no such command", MISSING_ITEM)
    return set_words(box, table, words)


CHANGES: dict[str, Callable[[Box, Table, dict[str, str]], Answer]] = {
    "add": add,
    "set": set_words,
    "remove": remove,
    "unset": unset,
    "get": get,
    "enable": switched("false"),
    "disable": switched("true"),
    "comment": remark,
    "move": move,
    "reset-counters": reset_counters,
    "reset-counters-all": reset_all,
}
