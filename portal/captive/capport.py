"""The captive portal API of RFC 8908. PURE.

Phones learn its address by DHCP option 114 (RFC 8910). The member ``user-portal-url`` must be
https by the RFC, so it is said only when the site has such an address.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.captive.gate import AccessView

MEDIA_TYPE = "application/captive+json"


def wanted(accept: str) -> bool:
    """Whether the Accept header names the API's media type anywhere in its list."""
    for media_range in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in media_range.split(";"))
        if kind == MEDIA_TYPE:
            return not any(_refuses(p) for p in parameters)
    return False


def state(access: AccessView | None, *, portal_url: str | None) -> bytes:
    """The API's answer for one device. What has no limit is left out, as the RFC wants."""
    members: dict[str, bool | int | str] = {"captive": access is None, "can-extend-session": True}
    if portal_url is not None:
        members["user-portal-url"] = portal_url
    if access is not None and access.seconds_left is not None:
        members["seconds-remaining"] = access.seconds_left
    if access is not None and access.bytes_left is not None:
        members["bytes-remaining"] = access.bytes_left
    return json.dumps(members).encode()


def _refuses(parameter: str) -> bool:
    """``q=0``, with any number of decimals, means "not this"."""
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().strip("0.") == "" and value.strip() != ""
