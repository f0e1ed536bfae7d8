"""A file becomes a statement: its format is told by what is in it. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.payments.statements.camt import is_camt, read_camt
from controller.payments.statements.columns import read_columns
from controller.payments.statements.mt940 import is_mt940, read_mt940
from controller.payments.statements.portal import is_portal, read_portal
from controller.payments.statements.statement import BYTES_MAX, StatementUnreadable

if TYPE_CHECKING:
    from controller.payments.statements.profile import Profile
    from controller.payments.statements.statement import Statement

_ZIPPED = b"PK"  # what spreadsheets of today begin with
_OLD_SHEET = b"\xd0\xcf\x11\xe0"


def read_statement(data: bytes, *, name: str = "", profile: Profile | None = None) -> Statement:
    """What a statement file tells. ``name`` is shown in refusals, and believed in nothing.

    ``profile`` says how to read a bank's CSV; the other formats need none. Raises
    `StatementUnreadable`.
    """
    if len(data) > BYTES_MAX:
        raise StatementUnreadable("file", f"want at most {BYTES_MAX:,} bytes")
    if data.startswith((_ZIPPED, _OLD_SHEET)):
        raise StatementUnreadable("file", "is a spreadsheet; save it as CSV")
    text = _decoded(data)
    if is_camt(text):
        return read_camt(data)
    if is_mt940(text):
        return read_mt940(text)
    if is_portal(text):
        return read_portal(text)
    if profile is not None:
        return read_columns(text, profile)
    shown = "".join(c for c in name if c.isprintable())[:60] or "this"
    raise StatementUnreadable(
        "file", f"{shown} is no MT940, no camt.053 and no M-PESA CSV; another needs a profile"
    )


def _decoded(data: bytes) -> str:
    if b"\0" in data[:4_000] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise StatementUnreadable("file", "is no text")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
