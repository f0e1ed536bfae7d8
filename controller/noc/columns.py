"""Which columns of a long table are shown: the address says it, and nothing is kept. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELD = "cols"
"""Of the address: names of columns, apart by `APART`."""

APART = "."


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a table can show, each with its heading, and those that it shows.

    ``asked`` is what the address says of it; "" shows every column.
    """

    known: Mapping[str, str]
    shown: frozenset[str]
    asked: str


def columns(query: Mapping[str, str], known: Mapping[str, str]) -> Columns:
    """The columns that an address asks for. Raises `InvalidField` (``cols``)."""
    asked = query.get(FIELD, "")
    named = frozenset(asked.split(APART)) if asked else frozenset(known)
    if named - known.keys():
        raise InvalidField(FIELD, f"want some of {', '.join(known)}")
    return Columns(known, named, asked)
