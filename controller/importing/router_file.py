"""The file of ``lango-agent router read``. PURE."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from billing.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORM = "lango.router/1"
ROWS_MAX = 50_000
VALUE_MAX = 4_000

HOTSPOT_USERS, HOTSPOT_PROFILES = "/ip/hotspot/user", "/ip/hotspot/user/profile"
ACTIVE, COOKIES = "/ip/hotspot/active", "/ip/hotspot/cookie"
SECRETS, PPP_PROFILES, PPP_ACTIVE = "/ppp/secret", "/ppp/profile", "/ppp/active"
QUEUES, LEASES = "/queue/simple", "/ip/dhcp-server/lease"
MENUS = (
    HOTSPOT_PROFILES,
    HOTSPOT_USERS,
    ACTIVE,
    COOKIES,
    PPP_PROFILES,
    SECRETS,
    PPP_ACTIVE,
    QUEUES,
    LEASES,
)


@dataclass(frozen=True, slots=True)
class RouterFile:
    """A router's rows by menu, printable. ``broken`` counts what is no row at all."""

    version: str
    rows: Mapping[str, Sequence[dict[str, str]]]
    broken: Mapping[str, int] = field(default_factory=dict)

    def of(self, menu: str) -> Sequence[dict[str, str]]:
        """The rows of a menu; none where it was not read."""
        return self.rows.get(menu, ())


def read(text: str) -> RouterFile:
    """What a file says. Raises `InvalidField` (``file``)."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as strange:
        raise InvalidField("file", "it is no JSON") from strange
    if not isinstance(told, dict) or told.get("form") != FORM:
        raise InvalidField("file", f"want what `lango-agent router read` writes ({FORM})")
    menus = told.get("rows")
    if not isinstance(menus, dict):
        raise InvalidField("file.rows", "want rows by menu")
    if sum(len(rows) for rows in menus.values() if isinstance(rows, list)) > ROWS_MAX:
        raise InvalidField("file.rows", f"want at most {ROWS_MAX:,}")
    rows: dict[str, list[dict[str, str]]] = {}
    broken: dict[str, int] = {}
    for menu in MENUS:
        listed = menus.get(menu, [])
        if not isinstance(listed, list):
            raise InvalidField(f"file.rows.{menu}", "want a list")
        rows[menu] = [_printable(row) for row in listed if _is_row(row)]
        if len(rows[menu]) < len(listed):
            broken[menu] = len(listed) - len(rows[menu])
    version = told.get("version")
    return RouterFile(version if isinstance(version, str) else "", rows, broken)


def _printable(row: dict[str, str]) -> dict[str, str]:
    """A row with a blank for what is no letter and what would steer a terminal, or part a key."""
    return {word: value if value.isprintable() else _shown(value) for word, value in row.items()}


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and all(
        isinstance(value, str) and len(value) <= VALUE_MAX and "\0" not in value
        for value in row.values()
    )
