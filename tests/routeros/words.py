"""Length prefixes, words and sentences, as the public description of the API gives them. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONTROL_BYTE = 0xF8
"""First bytes from here up are reserved: who gets one cannot go on."""

WIDTHS = ((0x80, 1, 0x00), (0x4000, 2, 0x80), (0x20_0000, 3, 0xC0), (0x1000_0000, 4, 0xE0))
"""(lengths below this, bytes of the prefix, bits that mark it)."""


class ControlByte(Exception):  # noqa: N818 - a sentence, as the house names refusals
    """A reserved first byte arrived: the stream cannot be read any further."""


def prefix(length: int) -> bytes:
    """How a word of ``length`` bytes announces itself."""
    for below, width, mark in WIDTHS:
        if length < below:
            return (length | mark << 8 * (width - 1)).to_bytes(width, "big")
    return b"\xf0" + length.to_bytes(4, "big")


def prefix_width(first: int) -> int:
    """How many bytes a prefix has that begins with ``first``.

    Raises ControlByte.
    """
    if first >= CONTROL_BYTE:
        raise ControlByte(hex(first))
    return next((w for w, top in ((1, 0x80), (2, 0xC0), (3, 0xE0), (4, 0xF0)) if first < top), 5)


def encoded(words: Iterable[str]) -> bytes:
    """One sentence as bytes. Bytes that are no UTF-8 travel as surrogates and come out as were."""
    parts: list[bytes] = []
    for word in words:
        octets = word.encode("utf-8", "surrogateescape")
        parts += (prefix(len(octets)), octets)
    return b"".join(parts) + b"\x00"


@dataclass(slots=True)
class Parser:
    """Sentences out of a stream that is cut anywhere."""

    octets: bytearray = field(default_factory=bytearray)
    words: list[str] = field(default_factory=list)

    def feed(self, octets: bytes) -> Iterator[list[str]]:
        """What has become whole by these ``octets``; empty sentences are passed over.

        Raises ControlByte.
        """
        self.octets += octets
        at = 0
        while (found := self._word_at(at)) is not None:
            word, at = found
            if word:
                self.words.append(word.decode("utf-8", "surrogateescape"))
            elif self.words:
                whole, self.words = self.words, []
                yield whole
        del self.octets[:at]

    def _word_at(self, at: int) -> tuple[bytes, int] | None:
        """The word that begins at ``at`` and where the next begins; None when it is not whole."""
        if at >= len(self.octets):
            return None
        first = self.octets[at]
        if first < WIDTHS[0][0]:
            ends = at + 1 + first
            return (bytes(self.octets[at + 1 : ends]), ends) if ends <= len(self.octets) else None
        width = prefix_width(first)
        number = int.from_bytes(self.octets[at : at + width], "big")
        length = number & (1 << 7 * width) - 1 if width < len(WIDTHS) + 1 else number & 0xFFFF_FFFF
        begins, ends = at + width, at + width + length
        return (bytes(self.octets[begins:ends]), ends) if ends <= len(self.octets) else None
