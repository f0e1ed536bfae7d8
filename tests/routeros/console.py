r"""The console's scripting language, as much of it as people's scripts mostly use.

Statements are told apart by ``;`` or the end of a line; ``[ ]`` is what a command answers, ``( )``
an expression, ``{ }`` a block. In double quotes ``\\`` escapes and ``$name`` is filled in. A word
of a menu without a leading ``/`` belongs to the menu of the command that it stands in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.routeros.commands import Caller, run
from tests.routeros.schema import Trap
from tests.routeros.texts import commas

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.routeros.box import Box

NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
WORD = re.compile(r"[^\s;{}\[\]()\"$=]+")
KEY = re.compile(r"[A-Za-z.][A-Za-z0-9.-]*(?==)")
CONDITION = re.compile(r"([a-z][a-z0-9-]*)(!=|=|~)")
STEPS_MAX = 10_000


class ScriptError(Exception):
    """The script stopped here, as the console says it."""


@dataclass(slots=True)
class Shell:
    """One run of a script by somebody: its variables and what it has printed."""

    box: Box
    caller: Caller
    names: dict[str, Any] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    steps: int = 0

    def run(self, text: str) -> Any:
        """Everything that a script says; what it returns. Raises ScriptError."""
        return _Reader(self, text).block()


def pasted(box: Box, text: str) -> list[str]:
    """What the console prints when an administrator pastes this. Raises ScriptError."""
    shell = Shell(box, Caller.staff())
    shell.run(text)
    return shell.printed


def scheduled(box: Box, text: str, policy: str) -> None:
    """A scheduler's event, with its rights; where it fails, the box's log says so."""
    rights = frozenset(p for p in commas(policy) if not p.startswith("!"))
    try:
        Shell(box, Caller("admin", rights)).run(text)
    except ScriptError as error:
        box.log("script,error", str(error))


class _Return(Exception):  # noqa: N818 - a way out, not an error
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Reader:
    """Reads and carries out at once; what is not to be carried out is read with ``live`` off."""

    def __init__(self, shell: Shell, text: str, menu: str = "") -> None:
        self.shell, self.text, self.at, self.menu = shell, text, 0, menu
        self.live = True

    def block(self, end: str = "") -> Any:
        try:
            while True:
                self.blank(more=";\r\n")
                if self.at >= len(self.text):
                    if end:
                        raise ScriptError(f"expected {end} (line 1 column {self.at})")
                    return None
                if end and self.text[self.at] == end:
                    self.at += 1
                    return None
                self.statement()
        except _Return as left:
            if end:
                raise
            return left.value

    def blank(self, more: str = "") -> None:
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter == "#":
                self.at = (self.text.find("\n", self.at) + 1 or len(self.text) + 1) - 1
            elif letter in " \t" or letter in more:
                self.at += 1
            else:
                return

    def sees(self, token: str) -> bool:
        self.blank()
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def must(self, token: str) -> None:
        if not self.sees(token):
            near = self.text[self.at : self.at + 20]
            raise ScriptError(f"syntax error: expected {token} before {near!r}")

    def word(self, shape: re.Pattern[str]) -> str:
        self.blank()
        found = shape.match(self.text, self.at)
        if found is None:
            near = self.text[self.at : self.at + 20]
            raise ScriptError(f"syntax error near {near!r}")
        self.at = found.end()
        return found[0]

    def statement(self) -> Any:
        self.shell.steps += self.live
        if self.shell.steps > STEPS_MAX:
            raise ScriptError("the script does not end")
        if self.sees("{"):
            return self.block("}")
        if self.sees(":"):
            return self.colon(self.word(NAME))
        return self.command()

    def colon(self, verb: str) -> Any:
        special: Callable[[], Any] | None = getattr(self, f"do_{verb}", None)
        if special is not None:
            return special()
        value = self.value()
        if not self.live:
            return None
        if verb == "put":
            self.shell.printed.append(shown(value))
        elif verb == "error":
            raise ScriptError(shown(value))
        elif verb == "return":
            raise _Return(value)
        elif verb == "len":
            return len(value) if isinstance(value, list) else len(shown(value))
        elif verb == "parse":
            return Code(shown(value))
        elif verb == "delay":
            return None
        else:
            raise ScriptError(f"bad command name {verb}")
        return None

    def do_local(self) -> None:
        name = self.word(NAME)
        value = self.value()
        if self.live:
            self.shell.names[name] = value

    def do_set(self) -> None:
        name = self.word(NAME)
        if self.live and name not in self.shell.names:
            raise ScriptError(f"variable {name} is not known")
        self.do_local_of(name)

    def do_local_of(self, name: str) -> None:
        value = self.value()
        if self.live:
            self.shell.names[name] = value

    def do_pick(self) -> Any:
        many, at = self.value(), int(shown(self.value() or 0))
        return many[at] if self.live else None

    def do_if(self) -> None:
        holds = truth(self.value())
        self.must("do={")
        self.body(live=holds)
        if self.sees("else={"):
            self.body(live=not holds)

    def do_while(self) -> None:
        before = self.at
        while True:
            self.at = before
            holds = truth(self.value())
            self.must("do={")
            self.body(live=holds)
            if not (holds and self.live):
                return

    def do_do(self) -> None:
        self.must("{")
        began = self.at
        try:
            self.block("}")
            failed = False
        except ScriptError:
            if not self.live:
                raise
            failed = True
            self.at = began
            self.body(live=False)
        if self.sees("on-error={"):
            self.body(live=failed)

    def body(self, *, live: bool) -> None:
        was, self.live = self.live, self.live and live
        try:
            self.block("}")
        finally:
            self.live = was

    def value(self) -> Any:
        self.blank()
        if self.sees('"'):
            return self.quoted()
        if self.sees("!"):
            return not truth(self.value())
        if self.sees("$"):
            return self.named(self.word(NAME))
        if self.sees("("):
            return self.expression()
        if self.sees("["):
            return self.answer()
        return plain(self.word(WORD))

    def named(self, name: str) -> Any:
        if not self.live:
            return None
        if name not in self.shell.names:
            raise ScriptError(f"variable {name} is not known")
        return self.shell.names[name]

    def quoted(self) -> str:
        parts: list[str] = []
        while True:
            if self.at >= len(self.text):
                raise ScriptError("expected end of string")
            letter = self.text[self.at]
            self.at += 1
            if letter == '"':
                return "".join(parts)
            if letter == "\\":
                parts.append(self.text[self.at])
                self.at += 1
            elif letter == "$":
                parts.append(shown(self.named(self.word(NAME))))
            else:
                parts.append(letter)

    def answer(self) -> Any:
        self.blank()
        if self.text.startswith(("$", "["), self.at):
            value = self.value()
            self.must("]")
            return Shell.run(self.shell, value) if self.live else None
        value = self.statement()
        self.must("]")
        return value

    def expression(self) -> Any:
        """``||`` and ``&&`` bind least, then comparisons, then ``.`` and ``+``."""
        value = self.compared()
        while not self.sees(")"):
            if self.sees("&&"):
                other = self.compared()
                value = truth(value) and truth(other)
            elif self.sees("||"):
                other = self.compared()
                value = truth(value) or truth(other)
            else:
                self.must(")")
        return value

    def compared(self) -> Any:
        left = self.joined()
        for sign in ("!=", "=", ">", "<"):
            if self.sees(sign):
                right = self.joined()
                if not self.live:
                    return False
                if sign in "><":
                    bigger = int(left) > int(right)
                    return bigger if sign == ">" else int(left) < int(right)
                return (shown(left) == shown(right)) == (sign == "=")
        return left

    def joined(self) -> Any:
        value = self.value()
        while True:
            if self.sees("."):
                value = shown(value) + shown(self.value())
            elif self.sees("+"):
                other = self.value()
                value = int(value) + int(other) if self.live else 0
            else:
                return value

    def command(self) -> Any:
        menu = self.menu
        if self.sees("/"):
            menu = ""
        verb = self.word(WORD)
        while f"{menu}/{verb}" in self.shell.box.tables or any(
            path.startswith(f"{menu}/{verb}/") for path in self.shell.box.tables
        ):
            menu = f"{menu}/{verb}"
            verb = self.word(WORD)
        if menu not in self.shell.box.tables:
            raise ScriptError(f"bad command name {verb}")
        was, self.menu = self.menu, menu
        try:
            return self.found(menu) if verb == "find" else self.changed(menu, verb)
        finally:
            self.menu = was

    def found(self, menu: str) -> list[str]:
        asked: list[tuple[str, str, str]] = []
        if self.sees("where"):
            self.blank()
            while sign := CONDITION.match(self.text, self.at):
                self.at = sign.end()
                asked.append((sign[1], sign[2], shown(self.value())))
                self.blank()
        if not self.live:
            return []
        rows = self.shell.box.rows(menu)
        return [row[".id"] for row in rows if all(holds(row, *one) for one in asked)]

    def changed(self, menu: str, verb: str) -> Any:
        told: list[str] = []
        loose: list[Any] = []
        while not self.ended():
            if key := KEY.match(self.text, self.at):
                self.at = key.end() + 1
                bare = self.text[self.at : self.at + 1] in " ;]})\r\n"
                told.append(f"={key[0]}={'' if bare else shown(self.value())}")
            else:
                loose.append(self.value())
        if not self.live:
            return None
        return self.carried_out(menu, verb, loose, told)

    def ended(self) -> bool:
        self.blank()
        return self.at >= len(self.text) or self.text[self.at] in ";]})\r\n"

    def carried_out(self, menu: str, verb: str, loose: list[Any], told: list[str]) -> Any:
        if verb in ("remove", "set", "enable", "disable") and loose == [[]]:
            return None
        if loose:
            told.append(f"=numbers={shown(loose[0])}")
        try:
            if verb == "get":
                table = self.shell.box.table(menu)
                (row,) = [table.only()] if table.menu.single else table.picked(shown(loose[0]))
                return typed(self.shell.box.shown(menu, row).get(loose[-1], ""))
            answer = run(self.shell.box, self.shell.caller, [f"{menu}/{verb}", *told])
        except (Trap, ValueError) as refused:
            raise ScriptError(str(refused)) from refused
        return answer.last[1].removeprefix("=ret=") if len(answer.last) > 1 else None


class Code(str):
    """What ``:parse`` made of a text: a command that may be called."""

    __slots__ = ()


def plain(word: str) -> Any:
    """A bare word: a number, a truth, or itself."""
    return int(word) if word.isdigit() else {"true": True, "false": False}.get(word, word)


def typed(text: str) -> Any:
    """A property as scripts get it: truths are truths."""
    return {"true": True, "false": False}.get(text, text)


def truth(value: Any) -> bool:
    """Whether a condition holds. Raises ScriptError for what is none."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise ScriptError("conditional not boolean")


def shown(value: Any) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(shown, value))
    return "" if value is None else str(value)


def holds(row: dict[str, str], name: str, sign: str, wanted: str) -> bool:
    """One condition of ``find where``; yes and no are truths."""
    has = row.get(name, "false" if wanted in ("no", "false") else "")
    if sign == "~":
        return re.search(wanted, has) is not None
    if has in ("true", "false"):
        wanted = {"yes": "true", "no": "false"}.get(wanted, wanted)
    return (has == wanted) == (sign == "=")
