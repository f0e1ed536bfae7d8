"""Amounts and days as banks write them. PURE."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import Money, parse_money
from billing.period import NAIROBI
from controller.payments.statements.statement import StatementUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNED = re.compile(
    r"(?:KES|KSH|USD)?\.?\s*([-+(]?)\s*(?:KES|KSH|USD)?\.?\s*([0-9.,' ]*[0-9][0-9.,' ]*)(\)|-)?"
    r"\s*(CR|DR|C|D)?",
    re.IGNORECASE | re.ASCII,
)


def amount_in(
    text: str, *, field: str, line: int, currency: str = "KES", comma: bool = False
) -> Money | None:
    """A signed amount; None for an empty cell. ``comma`` says that cents stand after a comma.

    Below zero is ``-5.00``, ``5.00-``, ``(5.00)``, ``5.00 DR``. Raises `StatementUnreadable`.
    """
    shown = text.strip().strip("'")
    if shown in {"", "-", "--"}:
        return None
    found = _SIGNED.fullmatch(shown)
    if found is None:
        raise StatementUnreadable(field, f"{shown[:20]!r} is no amount", line=line)
    before, digits, after, mark = found.groups(default="")
    plain = digits.replace(" ", "").replace("'", "")
    if comma:
        plain = plain.replace(".", "").replace(",", ".")
    try:
        amount = parse_money(plain.removesuffix("."), currency)
    except InvalidField as error:
        raise StatementUnreadable(field, error.problem, line=line) from None
    is_negative = before in {"-", "("} or bool(after) or mark.upper().startswith("D")
    return Money(-amount.minor if is_negative else amount.minor, currency)


def moment_in(text: str, formats: Sequence[str], *, field: str, line: int) -> datetime:
    """A moment in Nairobi's time (midnight where only a day is told), in UTC.

    Raises `StatementUnreadable`.
    """
    shown = " ".join(text.split())
    for form in formats:
        try:
            return datetime.strptime(shown, form).replace(tzinfo=NAIROBI).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    raise StatementUnreadable(field, f"want a date like {formats[0]}", line=line)
