"""Where a request comes from: the address that spoke to us, or to a proxy of ours. PURE.

A list of forwarding addresses grows to the right, and only what our own proxies wrote is known to
be true: the first address from the right that is not one of theirs. What stands further left anyone
may have written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import HTTPConnection

ADDRESS_CHARS_MAX = 45
HOPS_MAX = 16


def source_of(peer: str, forwarded: str, *, proxies: Collection[str]) -> str:
    """The address of who asks; ``forwarded`` is the header X-Forwarded-For, "" without one."""
    if peer not in proxies:
        return peer
    for hop in reversed(forwarded.split(",")[-HOPS_MAX:]):
        address = hop.strip()[:ADDRESS_CHARS_MAX]
        if address and address not in proxies:
            return address
    return peer


def client_address(request: HTTPConnection) -> str:
    """Who asks of us, as far as our own proxies (``http.proxies``) say so; "" where nobody does.

    A proxy may add a line of its own (X-Forwarded-For) below one that was sent to it.
    """
    return asker_of(request, proxies=request.app.state.deps.settings.http.proxies)


def asker_of(request: HTTPConnection, *, proxies: Collection[str]) -> str:
    """The same, for an application that knows no `Deps`."""
    peer = request.client.host if request.client else ""
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    return source_of(peer, forwarded, proxies=proxies)
