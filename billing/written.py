"""Terms that are kept as JSON text: each value is what it should be, or a refusal names it. PURE.

Tariffs, dunning policies and promotions are plain values; in tables they are text. Reading is
strict: nothing is guessed, nothing unknown is passed over.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from billing.errors import InvalidField
from billing.money import Money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from enum import StrEnum

E = TypeVar("E", bound="StrEnum")

TEXT_MAX = 20_000
"""Terms are no longer than this many characters."""


def written(found: Mapping[str, Any]) -> str:
    """JSON text that is always the same for the same values."""
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def read(text: str, field: str) -> dict[str, Any]:
    """The object that a text holds. Raises `InvalidField` naming ``field`` for anything else."""
    if len(text) > TEXT_MAX:
        raise InvalidField(field, f"want at most {TEXT_MAX:,} characters")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidField(field, "is not JSON") from None
    return an_object(found, field)


def an_object(found: object, field: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(found, dict):
        raise InvalidField(field, "want an object")
    return found


def only(found: Mapping[str, Any], names: Sequence[str], field: str) -> None:
    """Refuse an object with a name that means nothing here."""
    for name in found:
        if name not in names:
            raise InvalidField(f"{field}.{name[:40]}", f"want only {', '.join(names)}")


def a_list(found: Mapping[str, Any], name: str, field: str) -> list[Any]:
    """A list; empty when there is none."""
    value = found.get(name, [])
    if not isinstance(value, list):
        raise InvalidField(f"{field}.{name}", "want a list")
    return value


def an_int(found: Mapping[str, Any], name: str, field: str) -> int:
    """A whole number that has to be there."""
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidField(f"{field}.{name}", "want a whole number")
    return value


def maybe_int(found: Mapping[str, Any], name: str, field: str) -> int | None:
    """A whole number, or none."""
    return None if found.get(name) is None else an_int(found, name, field)


def a_word(found: Mapping[str, Any], name: str, field: str) -> str:
    """A text that has to be there."""
    value = found.get(name)
    if not isinstance(value, str):
        raise InvalidField(f"{field}.{name}", "want a text")
    return value


def words(found: Mapping[str, Any], name: str, field: str) -> tuple[str, ...]:
    """A list of texts."""
    values = a_list(found, name, field)
    if not all(isinstance(value, str) for value in values):
        raise InvalidField(f"{field}.{name}", "want a list of texts")
    return tuple(values)


def one_of(kinds: type[E], found: Mapping[str, Any], name: str, field: str) -> E:
    """A word of a set."""
    word = a_word(found, name, field)
    if word not in list(kinds):
        raise InvalidField(f"{field}.{name}", f"want one of {', '.join(kinds)}")
    return kinds(word)


def some_money(found: Mapping[str, Any], name: str, field: str) -> Money:
    """An amount: ``{"minor": 5000, "currency": "KES"}``."""
    where = f"{field}.{name}"
    amount = an_object(found.get(name), where)
    only(amount, ("minor", "currency"), where)
    return Money(an_int(amount, "minor", where), a_word(amount, "currency", where))


def maybe_money(found: Mapping[str, Any], name: str, field: str) -> Money | None:
    """An amount, or none."""
    return None if found.get(name) is None else some_money(found, name, field)


def money_written(amount: Money | None) -> dict[str, Any] | None:
    """An amount as JSON holds it."""
    return None if amount is None else {"minor": amount.minor, "currency": amount.currency}


def maybe_instant(found: Mapping[str, Any], name: str, field: str) -> datetime | None:
    """An instant in UTC, or none."""
    if found.get(name) is None:
        return None
    try:
        at = datetime.fromisoformat(a_word(found, name, field))
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidField(f"{field}.{name}", "want an instant like 2026-12-01T00:00:00+03:00")
