"""What an existing router knows of customers, as plain data for an import. Nothing is changed.

Passwords are not asked for, or sealed for the controller at once: whoever could read them in this
file could dial in as anybody. Counters and dates
are read only where they say what somebody has used of what they paid for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shaping.routeros.rows import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shaping.routeros.session import Talk

FORM = "lango.router/1"
MENUS: Mapping[str, tuple[str, ...]] = {
    "/ip/hotspot/user/profile": (
        "name", "rate-limit", "session-timeout", "shared-users", "default", "comment",
    ),
    "/ip/hotspot/user": (
        "name", "profile", "server", "mac-address", "limit-uptime", "limit-bytes-total",
        "limit-bytes-in", "limit-bytes-out", "uptime", "bytes-in", "bytes-out", "disabled",
        "dynamic", "default", "comment", "email",
    ),
    "/ip/hotspot/active": ("user", "mac-address", "uptime", "bytes-in", "bytes-out"),
    "/ip/hotspot/cookie": ("user", "mac-address"),
    "/ppp/profile": ("name", "rate-limit", "only-one", "default", "comment"),
    "/ppp/secret": (
        "name", "service", "profile", "caller-id", "remote-address", "disabled", "comment",
    ),
    "/ppp/active": ("name", "caller-id"),
    "/queue/simple": (
        "name", "target", "parent", "max-limit", "burst-limit", "burst-threshold", "burst-time",
        "disabled", "dynamic", "comment",
    ),
    "/ip/dhcp-server/lease": ("address", "mac-address", "disabled", "comment"),
}  # fmt: skip
"""The menus that are read, and what of each row; properties that a row lacks are left away."""


SECRETS, PASSWORD, SEALED = "/ppp/secret", "password", "sealed"


def read(talk: Talk, seal: Callable[[str], str] | None = None) -> dict[str, Any]:
    """Every row of those menus but our own; ``unread`` says what the router did not tell, and why.

    With ``seal`` the passwords of those who dial in are read as well, and stand there sealed.
    Raises OSError, LibRouterosError and ValueError, as the connection does.
    """
    more = {SECRETS: (PASSWORD,)} if seal is not None else {}
    asked = {menu: ",".join((*words, *more.get(menu, ()))) for menu, words in MENUS.items()}
    orders = [(f"{menu}/print", f"=.proplist={words}") for menu, words in asked.items()]
    answers = talk.ask(orders)
    rows, unread = {}, {}
    for (menu, words), answer in zip(MENUS.items(), answers, strict=True):
        theirs = [row for row in answer.rows if not row.get("comment", "").startswith(MARK)]
        rows[menu] = [{k: v for k, v in row.items() if k in words} for row in theirs]
        if answer.trap is not None:
            unread[menu] = answer.trap
        if seal is not None and menu == SECRETS:
            for kept, row in zip(rows[menu], theirs, strict=True):
                if row.get(PASSWORD):
                    kept[SEALED] = seal(row[PASSWORD])
    return {"form": FORM, "version": talk.version, "rows": rows, "unread": unread}
