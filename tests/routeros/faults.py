"""What goes wrong on purpose. The same seed goes wrong in the same way."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MANGLED = ("missing", "empty", "bytes", "extra", "nonsense")
PART_BYTES_MAX = 7


@dataclass(frozen=True, slots=True)
class Faults:
    """What a box does wrong.

    Counts are of sentences that it sends, or gets, from the moment on that these faults are put
    in; each counted fault strikes ``times`` connections, then is over.

    hang_after        it answers no more, and keeps the connection
    cut_after         the next sentence breaks off in the middle of a word, then silence
    reset_after       the connection is reset instead of the next sentence: what was asked is done
    fatal_after       ``!fatal`` and the end
    reboot_after      it reboots after carrying out that many commands, before it answers
    trap_after        the next command is refused twice over and not carried out
    slow_s            it waits that long before every answer; ``slow_menu``: of that menu only
    broken_share      of printed rows, this share lacks words or has nonsense in them
    doubled_share     of printed rows, this share comes twice
    out_of_order      answers to tagged commands overtake each other
    small_parts       sentences come in parts of 1 to 7 bytes
    """

    seed: int = 1
    hang_after: int | None = None
    cut_after: int | None = None
    reset_after: int | None = None
    fatal_after: int | None = None
    reboot_after: int | None = None
    trap_after: int | None = None
    times: int = 1
    slow_s: float = 0.0
    slow_menu: str = ""
    broken_share: float = 0.0
    doubled_share: float = 0.0
    out_of_order: bool = False
    small_parts: bool = False


@dataclass(slots=True)
class Struck:
    """How far the counted faults have come."""

    faults: Faults
    sent: int = 0
    got: int = 0
    times: dict[str, int] = field(default_factory=dict)
    chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.chance.seed(self.faults.seed)

    def sending(self) -> str | None:
        """What befalls the sentence that is to be sent now."""
        self.sent += 1
        f = self.faults
        limits = (
            ("hang", f.hang_after),
            ("cut", f.cut_after),
            ("reset", f.reset_after),
            ("fatal", f.fatal_after),
        )
        return self._due(limits, self.sent - 1)

    def getting(self) -> str | None:
        """What befalls the command that has arrived now."""
        self.got += 1
        limits = (("trap", self.faults.trap_after), ("reboot", self.faults.reboot_after))
        return self._due(limits, self.got - 1)

    def _due(self, limits: Iterable[tuple[str, int | None]], count: int) -> str | None:
        for name, after in limits:
            first = 1 if name == "reboot" else 0
            if after is not None and count >= after - first:
                struck = self.times.get(name, 0)
                if struck < self.faults.times:
                    self.times[name] = struck + 1
                    return name
        return None

    def rows(self, path: str, sentences: list[list[str]]) -> list[list[str]]:
        """Printed rows, the unlucky ones of them broken or doubled; always the same ones."""
        f = self.faults
        if not f.broken_share and not f.doubled_share:
            return sentences
        shown = []
        for words in sentences:
            luck = self._luck(path, words)
            row = self._broken(words, luck) if luck.random() < f.broken_share else words
            shown += [row, row] if luck.random() < f.doubled_share else [row]
        return shown

    def _luck(self, path: str, words: list[str]) -> random.Random:
        identity = next((w for w in words if w.startswith("=.id=")), "")
        return random.Random(zlib.crc32(f"{self.faults.seed} {path} {identity}".encode()))

    def _broken(self, words: list[str], luck: random.Random) -> list[str]:
        places = [n for n, w in enumerate(words) if n and not w.startswith("=.id=")]
        if not places:
            return words
        place, how = luck.choice(places), luck.choice(MANGLED)
        name = words[place].split("=")[1]
        instead = {
            "missing": [],
            "empty": [f"={name}="],
            "bytes": [f"={name}=\udce9\udcff\udc80"],
            "extra": [words[place], "=unheard-of=1=2"],
            "nonsense": [f"={name}=(unknown)"],
        }[how]
        return [*words[:place], *instead, *words[place + 1 :]]

    def parts(self, octets: bytes) -> list[bytes]:
        """Bytes as they go out: in one piece, or in small parts."""
        if not self.faults.small_parts:
            return [octets]
        cuts, at = [], 0
        while at < len(octets):
            size = self.chance.randint(1, PART_BYTES_MAX)
            cuts.append(octets[at : at + size])
            at += size
        return cuts
