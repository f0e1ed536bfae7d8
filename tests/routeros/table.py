"""The rows of one menu: ids, order, names that may stand once only, and who watches. PURE."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.routeros.schema import BAD_VALUE, MISSING_ITEM, Trap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.routeros.schema import Menu


LOOKED_UP = frozenset({"name", "user", "address", "mac-address"})
"""Words by which rows are found without looking at all of them."""


@dataclass(slots=True)
class Tally:
    """Bytes and packets since this counter began: ``up`` is what the device sent."""

    up: int = 0
    down: int = 0
    packets_up: int = 0
    packets_down: int = 0

    def add(self, up: int, down: int) -> None:
        """Count traffic, in full-size packets."""
        self.up += up
        self.down += down
        self.packets_up += -(-up // 1400)
        self.packets_down += -(-down // 1400)


@dataclass(slots=True, eq=False)
class Row:
    """One item: what is stored, since when (seconds of the box's clock), and what it counted."""

    number: int
    words: dict[str, str]
    born_s: float = 0.0
    tally: Tally = field(default_factory=Tally)
    ends_s: float | None = None
    marks: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The row's id as it is printed: a star and capital hex."""
        return f"*{self.number:X}"

    def on(self, flag: str) -> bool:
        """Whether a flag of the row is set."""
        return self.words.get(flag) == "true"


@dataclass(slots=True)
class Table:
    """All rows of one menu, in the order in which they are printed."""

    menu: Menu
    by_number: dict[int, Row] = field(default_factory=dict)
    by_key: dict[tuple[str, ...], Row] = field(default_factory=dict)
    by_word: dict[tuple[str, str], dict[int, Row]] = field(default_factory=dict)
    watchers: list[Callable[[Row, bool], None]] = field(default_factory=list)
    refers: Counter[tuple[str, str]] = field(default_factory=Counter)
    next_number: int = 0
    version: int = 0

    def __post_init__(self) -> None:
        self.next_number = self.menu.first_id

    def references(self, words: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
        """(attribute, menu, name) of what a row with these words points at by name."""
        for name, path in self.menu.points_at.items():
            for part in words.get(name, "").split("/"):
                if part:
                    yield name, path, part

    def __iter__(self) -> Iterator[Row]:
        return iter(self.by_number.values())

    def __len__(self) -> int:
        return len(self.by_number)

    def keys(self, words: Mapping[str, str]) -> list[tuple[str, ...]]:
        """What may stand once in this table, of a row with these words."""
        return [
            (*key, *(words.get(name, "") for name in key))
            for key in self.menu.unique
            if words.get(key[0])
        ]

    def clash(self, words: Mapping[str, str], beside: Row | None = None) -> Row | None:
        """Another row that already has what must stand once; ``server=all`` meets every server."""
        for key in self.keys(words):
            found = self.by_key.get(key)
            if found is not None and found is not beside:
                return found
        if "server" in self.menu.attributes and ("name", "server") in self.menu.unique:
            return self._clash_of_servers(words, beside)
        return None

    def _clash_of_servers(self, words: Mapping[str, str], beside: Row | None) -> Row | None:
        server = words.get("server", "all")
        for other in self.having("name", words.get("name", "")):
            if other is not beside and "all" in (server, other.words.get("server", "all")):
                return other
        return None

    def add(self, words: dict[str, str], born_s: float, number: int | None = None) -> Row:
        """A new row at the end. Raises Trap when something of it stands already."""
        if self.clash(words):
            raise Trap(self.menu.duplicate)
        if number is None:
            number, self.next_number = self.next_number, self.next_number + 1
        row = Row(number, words, born_s)
        self.by_number[number] = row
        self._enter(row)
        self.tell(row)
        return row

    def change(self, row: Row, words: Mapping[str, str | None]) -> None:
        """Words of a row become these; None takes one away. Raises Trap for what stands already."""
        merged = {**row.words, **words}
        left = {name: value for name, value in merged.items() if value is not None}
        if self.clash(left, beside=row):
            raise Trap(self.menu.duplicate)
        self._leave(row)
        row.words = left
        self._enter(row)
        self.tell(row)

    def remove(self, row: Row) -> None:
        """The row is gone; its id does not come back before a reboot."""
        del self.by_number[row.number]
        self._leave(row)
        self.tell(row, dead=True)

    def _enter(self, row: Row) -> None:
        self.by_key.update((key, row) for key in self.keys(row.words))
        self.refers.update((path, name) for _, path, name in self.references(row.words))
        for name in LOOKED_UP & row.words.keys():
            self.by_word.setdefault((name, row.words[name]), {})[row.number] = row

    def _leave(self, row: Row) -> None:
        for key in self.keys(row.words):
            if self.by_key.get(key) is row:
                del self.by_key[key]
        self.refers.subtract((path, name) for _, path, name in self.references(row.words))
        for name in LOOKED_UP & row.words.keys():
            rows = self.by_word.get((name, row.words[name]), {})
            rows.pop(row.number, None)
            if not rows:
                self.by_word.pop((name, row.words[name]), None)

    def tell(self, row: Row, *, dead: bool = False) -> None:
        """Everybody who watches hears of a changed row; figures that only count are not told."""
        self.version += 1
        for watcher in tuple(self.watchers):
            watcher(row, dead)

    def place(self, row: Row, before: Row | None) -> None:
        """The row stands in front of ``before``, or last."""
        del self.by_number[row.number]
        rows = list(self)
        rows.insert(len(rows) if before is None else rows.index(before), row)
        self.by_number = {r.number: r for r in rows}
        self.version += 1

    def find(self, told: str) -> Row | None:
        """The row that an id or a name stands for."""
        if told.startswith("*"):
            try:
                return self.by_number.get(int(told[1:], 16))
            except ValueError:
                return None
        return self.first("name", told)

    def having(self, word: str, value: str) -> list[Row]:
        """Every row whose ``word``, one of `LOOKED_UP`, is ``value``."""
        return list(self.by_word.get((word, value), {}).values())

    def first(self, word: str, value: str) -> Row | None:
        """One such row; None when there is none."""
        return next(iter(self.by_word.get((word, value), {}).values()), None)

    def picked(self, told: str) -> list[Row]:
        """The rows of a comma list of ids or names. Raises Trap when one of them is not there."""
        rows = [self.find(part) for part in told.split(",")]
        if any(row is None for row in rows) or not told:
            raise Trap("no such item", MISSING_ITEM)
        return [row for row in rows if row is not None]

    def only(self) -> Row:
        """The one row of a menu that has just one."""
        return next(iter(self))

    def renumber(self, kept: set[int]) -> None:
        """A reboot: rows that are not kept vanish unheard, and ids begin again behind the rest."""
        self.by_number = {r.number: r for r in self if r.number in kept}
        self.by_key, self.by_word, self.refers = {}, {}, Counter()
        for row in self:
            self._enter(row)
            row.tally = Tally()
        ours = [r.number for r in self if r.number < 0xFFFF_FF00]
        self.next_number = max([self.menu.first_id - 1, *ours]) + 1
        self.watchers.clear()
        self.version += 1


def bad_value(name: str) -> Trap:
    """The refusal of a value."""
    return Trap(f"invalid value for argument {name}", BAD_VALUE)
