"""What of the shaper is built once for many: roots and groups. A session's own is in `shaper.py`.

What belongs together goes in one send: the kernel does all of it before it hands out a packet.
"""

from __future__ import annotations

import os
import struct
from contextlib import closing

from shaping.linux import tc
from shaping.linux.attributes import attribute
from shaping.linux.netlink import NETLINK_ROUTE, NLM_F_CREATE, NLM_F_REPLACE, NetlinkSocket
from shaping.plane import PlaneError

_RTM_DELQDISC = 37
_TC_H_ROOT = 0xFFFFFFFF
_KIND, _OPTIONS = 1, 2
_HTB_INIT = 2
_HTB_VERSION, _RATE2QUANTUM = 3, 10


def build_root(ifindex: int, *, spare_bps: int) -> None:
    """Put our root on an interface, with its spare class. Raises `PlaneError`."""
    # Invariant: the spare class comes in the same send, before any packet could miss its class.
    spare = tc.ROOT_HANDLE | tc.SPARE_MINOR
    _build(_qdisc(ifindex, tc.ROOT_HANDLE, _TC_H_ROOT), _class(ifindex, spare, spare_bps))


def build_group(ifindex: int, group: int, *, spare_bps: int) -> None:
    """Put a group below our root: its class there, its own HTB, and the spare class of that.

    Raises `PlaneError`.
    """
    outer, inner = tc.ROOT_HANDLE | group, tc.group_handle(group)
    _build(
        _class(ifindex, outer, tc.GROUP_BPS),
        _qdisc(ifindex, inner, outer),
        _class(ifindex, inner | tc.SPARE_MINOR, spare_bps),
    )


def remove_root(ifindex: int) -> None:
    """Delete the root that has our number, and all below it. Raises `PlaneError`."""
    named = tc.plain_message(ifindex, handle=tc.ROOT_HANDLE, parent=_TC_H_ROOT)
    _send("removing a shaper", (_RTM_DELQDISC, 0, named))


def _build(*messages: tuple[int, int, bytes]) -> None:
    _send("building a shaper", *messages)


def _send(doing: str, *messages: tuple[int, int, bytes]) -> None:
    with closing(NetlinkSocket(NETLINK_ROUTE)) as netlink:
        refused = next(filter(None, netlink.request(messages)), 0)
    if refused:
        raise PlaneError(f"{doing}: {os.strerror(refused)}")


def _qdisc(ifindex: int, handle: int, parent: int) -> tuple[int, int, bytes]:
    told = struct.pack("=IIIII", _HTB_VERSION, _RATE2QUANTUM, tc.SPARE_MINOR, 0, 0)
    body = tc.plain_message(ifindex, handle=handle, parent=parent) + attribute(_KIND, b"htb\0")
    body += attribute(_OPTIONS, attribute(_HTB_INIT, told))
    return tc.RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, body


def _class(ifindex: int, classid: int, rate_bps: int) -> tuple[int, int, bytes]:
    return tc.RTM_NEWTCLASS, NLM_F_CREATE, tc.class_message(ifindex, classid, rate_bps)
