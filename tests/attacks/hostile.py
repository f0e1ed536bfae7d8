"""What nobody means well with: texts, numbers and moments, and where in a body each can stand."""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Path = tuple[str | int, ...]

EACH_EVERYWHERE = bool(os.environ.get("ATTACK_ALL"))
"""Whether every value is sent in every field, and not only each somewhere."""

MARK = "owned"
SCRIPT = f"<script>window.{MARK}=1</script>"
"""In a page this must never stand as it is."""

PRINTABLE = (
    f"../..'\"><img src=x onerror=window.{MARK}=1>{SCRIPT}{{{{7*7}}}}${{7*7}}'; DROP TABLE plan;--"
)
HALF = "\ud800"
"""Half a character: JSON can say it, UTF-8 cannot."""

FORMULA = '=HYPERLINK("http://evil.example/","x")'
TEXTS = (
    PRINTABLE,
    FORMULA,
    "x\r\nSet-Cookie: lango_staff=1\r\n\r\n<p>",
    "nul\0here",
    "\u202etxt.exe\u2066",
    "x" * 10_000,
    HALF,
    "//[",
)
NUMBERS = (-1, 0, 2**63, -(2**63) - 1, 10**40, 1.5, True)
MOMENTS = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "+275760-09-13T00:00:00Z",
    "2026-02-30T00:00:00Z",
)
DAYS = ("0001-01-01", "9999-12-31", "2026-02-30", "-2026-01-01")
TYPED_NUMBERS = ("-1", "9" * 30, "1e309", "NaN", "\u0663", "0x10")
"""Numbers as forms send them."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
_DAY = re.compile(r"\d{4}-\d\d-\d\d$")
_NUMBER = re.compile(r"[0-9.,]+$")


def instead_of(value: Any) -> tuple[Any, ...]:
    """What is sent where this value would be right."""
    if isinstance(value, bool):
        return (HALF, 2)
    if isinstance(value, int):
        return (*NUMBERS, HALF)
    if not isinstance(value, str):
        return ()
    if _MOMENT.match(value):
        return (*MOMENTS, HALF)
    return (*TEXTS, *DAYS) if _DAY.match(value) else TEXTS


def typed_instead_of(value: str) -> tuple[str, ...]:
    """The same for a field of a form, which has no surrogates but numbers as text."""
    texts = tuple(text for text in TEXTS if text != HALF)
    more = DAYS if _DAY.match(value) else ()
    return (*texts, *more, *(TYPED_NUMBERS if _NUMBER.match(value) else ()))


def places(content: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of a body and where it stands."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from places(value, (*at, name))
    elif isinstance(content, list):
        for n, value in enumerate(content):
            yield from places(value, (*at, n))
    else:
        yield at, content


def with_at(content: Any, at: Path, value: Any) -> Any:
    """The body with another value at one place."""
    if not at:
        return value
    if isinstance(content, dict):
        return {**content, at[0]: with_at(content[at[0]], at[1:], value)}
    n = at[0]
    assert isinstance(n, int)
    return [*content[:n], with_at(content[n], at[1:], value), *content[n + 1 :]]


def one_by_one(
    content: Any,
    bad_for: Callable[[Path, Any], tuple[Any, ...]] = lambda _, value: instead_of(value),
) -> Iterator[Any]:
    """The body with one bad value at a time.

    Of the fields of one kind each has its turn, until every bad value of that kind was sent.
    """
    of_kind: dict[str, tuple[list[Path], tuple[Any, ...]]] = {}
    for at, value in places(content):
        if bad := bad_for(at, value):
            of_kind.setdefault(repr(bad), ([], bad))[0].append(at)
    for fields, bad in of_kind.values():
        for at, value in _turns(fields, bad):
            yield with_at(content, at, value)


def _turns(fields: list[Path], bad: tuple[Any, ...]) -> Iterator[tuple[Path, Any]]:
    if EACH_EVERYWHERE:
        return itertools.product(fields, bad)
    turns = range(max(len(fields), len(bad)))
    return ((fields[n % len(fields)], bad[n % len(bad)]) for n in turns)
