"""What an existing router knows of customers, as plain data for an import. Nothing is changed.

Passwords are not asked for: whoever reads this file could dial in as anybody. Counters and dates
are read only where they say what somebody has used of what they paid for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def read(talk: Talk) -> dict[str, Any]:
    """Every row of those menus; ``unread`` says which the router did not tell, and why.

    Raises OSError, LibRouterosError and ValueError, as the connection does.
    """
    orders = [(f"{menu}/print", f"=.proplist={','.join(words)}") for menu, words in MENUS.items()]
    answers = talk.ask(orders)
    rows, unread = {}, {}
    for (menu, words), answer in zip(MENUS.items(), answers, strict=True):
        rows[menu] = [{k: v for k, v in row.items() if k in words} for row in answer.rows]
        if answer.trap is not None:
            unread[menu] = answer.trap
    return {"form": FORM, "version": talk.version, "rows": rows, "unread": unread}
