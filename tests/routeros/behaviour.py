"""What rows cause, menu by menu: figures of the moment, what the box fills in, what follows.

`commands` knows no menu by name; everything that is particular to one stands here.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.routeros import hotspot, ppp
from tests.routeros.schema import BAD_VALUE, Trap
from tests.routeros.table import Tally
from tests.routeros.texts import (
    SECOND_US,
    Version,
    date,
    date_time,
    day_of,
    duration,
    duration_us,
    pair,
    prefix_text,
    seconds,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.routeros.box import Box
    from tests.routeros.commands import Answer, Caller
    from tests.routeros.table import Row

ALWAYS_DYNAMIC = (
    "/ip/hotspot/active",
    "/ip/hotspot/host",
    "/ppp/active",
    "/user/active",
    "/log",
)
LIST, LIST6 = "/ip/firewall/address-list", "/ipv6/firewall/address-list"
LEASE = "/ip/dhcp-server/lease"


def live(box: Box, path: str, row: Row) -> dict[str, str]:
    """The figures of a row that only this moment knows."""
    figures = LIVE.get(path)
    return figures(box, row) if figures else {}


def since(box: Box, row: Row) -> str:
    """How long a row has been there, as it is printed."""
    return duration(int(box.now_s - row.born_s) * SECOND_US)


def time_left(box: Box, row: Row) -> dict[str, str]:
    """How long a row still has, in seconds; nothing when it does not end."""
    if row.ends_s is None:
        return {}
    return {"left": duration(int(row.ends_s - box.now_s) * SECOND_US)}


def wrapped(box: Box, count: int) -> str:
    """A counter as wide as this box's counters are."""
    return str(count % 2**box.setup.counter_bits)


def _simple_queue(box: Box, row: Row) -> dict[str, str]:
    t = row.tally
    wrap = 2**box.setup.counter_bits
    return {
        "bytes": pair(t.up % wrap, t.down % wrap),
        "packets": pair(t.packets_up % wrap, t.packets_down % wrap),
    }


def _one_way(box: Box, row: Row) -> dict[str, str]:
    t = row.tally
    return {
        "bytes": wrapped(box, t.up + t.down),
        "packets": wrapped(box, t.packets_up + t.packets_down),
    }


def _interface(box: Box, row: Row) -> dict[str, str]:
    t = row.tally
    return {
        "rx-byte": wrapped(box, t.up),
        "tx-byte": wrapped(box, t.down),
        "rx-packet": wrapped(box, t.packets_up),
        "tx-packet": wrapped(box, t.packets_down),
    }


def _resource(box: Box, row: Row) -> dict[str, str]:
    new = box.version >= Version(7)
    return {
        "uptime": duration(box.uptime_us),
        "version": f"{box.version} ({'stable' if new else 'long-term'})",
        "build-time": date_time(box.setup.starts_at - timedelta(days=90), box.version),
        "board-name": "hAP ax^2" if new else "RB951Ui-2HnD",
    }


def _clock(box: Box, row: Row) -> dict[str, str]:
    return {"time": f"{box.wall:%H:%M:%S}", "date": date(box.wall, box.version)}


def _address_list(box: Box, row: Row) -> dict[str, str]:
    left = time_left(box, row)
    return {"timeout": left["left"]} if left else {}


def _lease(box: Box, row: Row) -> dict[str, str]:
    left = time_left(box, row)
    heard = row.marks.get("heard_s")
    seen = {} if heard is None else {"last-seen": duration(int(box.now_s - heard) * SECOND_US)}
    return {**seen, **({"expires-after": left["left"]} if left else {})}


def _binding(box: Box, row: Row) -> dict[str, str]:
    kind = row.words["type"]
    return {"blocked": truth(kind == "blocked"), "bypassed": truth(kind == "bypassed")}


def _certificate(box: Box, row: Row) -> dict[str, str]:
    left = time_left(box, row)
    return {"expires-after": left["left"]} if left else {}


LIVE: dict[str, Callable[[Box, Row], dict[str, str]]] = {
    "/queue/simple": _simple_queue,
    "/queue/tree": _one_way,
    "/ip/firewall/filter": _one_way,
    "/ip/firewall/nat": _one_way,
    "/ip/firewall/mangle": _one_way,
    "/interface": _interface,
    "/system/resource": _resource,
    "/system/clock": _clock,
    LIST: _address_list,
    LIST6: _address_list,
    "/ipv6/firewall/filter": _one_way,
    "/ip/dhcp-server/lease": _lease,
    "/ip/hotspot/ip-binding": _binding,
    "/ip/hotspot/host": hotspot.host_figures,
    "/ip/hotspot/active": hotspot.active_figures,
    "/ip/hotspot/cookie": hotspot.cookie_figures,
    "/ppp/active": ppp.active_figures,
    "/certificate": _certificate,
}


def filled_in(box: Box, path: str, words: dict[str, str]) -> None:
    """What the box adds to a new row. Raises Trap for rows it will not have."""
    if path in (LIST, LIST6):
        words["creation-time"] = box.stamp
        words["dynamic"] = truth("timeout" in words)
    elif path == "/ip/address":
        address = prefix_text(words["address"], host_bits=False) or ""
        words.setdefault("network", address.split("/")[0])
        words["actual-interface"] = words["interface"]
    elif path in ("/system/script", "/system/scheduler"):
        words["owner"] = "admin"
    elif path == "/file":
        words.update(type=".txt file", size=str(len(words.get("contents", ""))))
        key = "last-modified" if box.version >= Version(7, 15) else "creation-time"
        words[key] = box.stamp
    elif path == LEASE and not words.get("mac-address") and not words.get("client-id"):
        raise Trap("failure: lease must have mac-address or client-id", BAD_VALUE)


def added(box: Box, path: str, row: Row) -> None:
    """What follows from a new row."""
    if path in (LIST, LIST6) and "timeout" in row.words:
        box.end_in(path, row, seconds(row.words["timeout"]))


def changed(box: Box, path: str, row: Row, words: Mapping[str, str | None]) -> None:
    """What follows from changed words."""
    if path in (LIST, LIST6) and "timeout" in words:
        timeout = words["timeout"]
        box.end_in(path, row, None if timeout is None else seconds(timeout))
        row.words["dynamic"] = truth(timeout is not None)
    elif path == "/ip/address":
        row.words["actual-interface"] = row.words["interface"]
    elif path == "/system/clock":
        _set_clock(box, words)
    elif path == "/radius/incoming" and box.radius is not None:
        box.radius.listen()
    elif path == "/file":
        row.words["size"] = str(len(row.words.get("contents", "")))


def _set_clock(box: Box, words: Mapping[str, str | None]) -> None:
    if told := words.get("date"):
        box.set_wall(datetime.combine(day_of(told), box.wall.time(), tzinfo=UTC))
    if told := words.get("time"):
        midnight = box.wall.replace(hour=0, minute=0, second=0)
        box.set_wall(midnight + timedelta(microseconds=duration_us(told) or 0))


def repointed(box: Box, path: str, row: Row, *, lost: bool) -> None:
    """What follows when the row that this one points at is renamed, or lost."""
    if "invalid" in row.words and lost:
        row.words["invalid"] = "true"


def removed(box: Box, path: str, row: Row) -> bool:
    """What follows from a row's end; whether the row was taken away on the way."""
    if path == "/ip/hotspot/active":
        hotspot.signed_out(box, row, "admin-reset")
        return True
    if path == "/ip/hotspot/host":
        hotspot.forget_host(box, row)
        return True
    if path == "/ppp/active":
        ppp.hung_up(box, row, "admin-request")
        return True
    return False


def run_out(box: Box, path: str, row: Row) -> None:
    """A row's time is over."""
    if path == "/ip/hotspot/active":
        hotspot.signed_out(box, row, "session-timeout")
    elif path == "/ip/hotspot/host":
        hotspot.forget_host(box, row)
    elif path == LEASE and row.words.get("dynamic") != "true":
        hotspot.unbound(box, row)
    elif path == "/ppp/active":
        ppp.hung_up(box, row, "session-timeout")
    elif path != "/certificate":
        box.table(path).remove(row)


def must_be_changeable(path: str, row: Row) -> None:
    """Raises Trap when the box itself keeps this row."""
    if row.on("dynamic") and path not in (LIST, LIST6):
        noun = " lease" if path == LEASE else ""
        raise Trap(f"failure: can not change dynamic{noun}")


def must_fit(box: Box, path: str, row: Row, words: Mapping[str, str | None]) -> None:
    """Raises Trap when a queue would be its own parent, at any distance."""
    if path != "/queue/simple":
        return
    above = words.get("parent")
    while above and above != "none":
        parent = box.table(path).find(above)
        if parent is row:
            raise Trap("failure: parent loop")
        above = parent.words["parent"] if parent else None


def must_be_removable(path: str, row: Row) -> None:
    """Raises Trap when this row stays."""
    if row.on("default"):
        raise Trap("failure: can not remove default")
    if row.on("dynamic") and path not in (LIST, LIST6, LEASE, "/ip/arp", *ALWAYS_DYNAMIC):
        raise Trap("failure: can not change dynamic")


def survives(path: str, row: Row) -> bool:
    """Whether a row is still there after the box was down."""
    if path in ALWAYS_DYNAMIC:
        return False
    return path == LEASE or not row.on("dynamic")


def count_anew(box: Box, path: str, row: Row) -> None:
    """A row's counters stand at nothing."""
    row.tally = Tally()
    if path == "/ip/hotspot/user":
        zero = dict.fromkeys(("bytes-in", "bytes-out", "packets-in", "packets-out"), "0")
        row.words.update(uptime="0s", **zero)


def _reboot(box: Box, caller: Caller, words: dict[str, str]) -> None:
    """The answer comes first; then the connection, and everything else, is gone."""
    caller.must("reboot")


def _sign_in(box: Box, caller: Caller, words: dict[str, str]) -> None:
    caller.must("write")
    user, address = words.get("user", ""), words.get("ip", "")
    if not address:
        raise Trap("missing value(s) of argument(s) ip")
    password = words.get("password", "")
    mac = words.get("mac-address", "")
    hotspot.sign_in(box, user, password, address, how="admin", mac=mac)


def _make_binding(box: Box, caller: Caller, words: dict[str, str]) -> None:
    caller.must("write")
    told = words.get("numbers", words.get(".id", ""))
    for row in box.table("/ip/hotspot/host").picked(told):
        binding = {
            "mac-address": row.words["mac-address"],
            "address": row.words["address"],
            "type": words.get("type", "regular"),
            **({"comment": words["comment"]} if "comment" in words else {}),
        }
        table = box.table("/ip/hotspot/ip-binding")
        full = {**table.menu.defaults(), **table.menu.written(binding, box)}
        table.add(full, box.now_s)


def _make_static(box: Box, caller: Caller, words: dict[str, str]) -> None:
    caller.must("write")
    table = box.table(LEASE)
    for row in table.picked(words.get("numbers", words.get(".id", ""))):
        table.change(row, {"dynamic": "false"})


def _run_script(box: Box, caller: Caller, words: dict[str, str]) -> None:
    """No script is understood here; that one ran is counted."""
    caller.must("write")
    table = box.table("/system/script")
    for row in table.picked(words.get("number", words.get("numbers", words.get(".id", "")))):
        count = str(int(row.words["run-count"]) + 1)
        table.change(row, {"run-count": count, "last-started": box.stamp})


def _sign(box: Box, caller: Caller, words: dict[str, str]) -> None:
    """A certificate becomes whole, by itself or by another one as authority."""
    caller.must("write")
    table = box.table("/certificate")
    for row in table.picked(words.get("numbers", words.get(".id", ""))):
        days = int(row.words["days-valid"])
        print_of = hashlib.sha256(f"{box.setup.seed} {row.words['name']}".encode()).hexdigest()
        box.end_in("/certificate", row, days * 86_400.0)
        table.change(
            row,
            {
                "private-key": "true",
                "fingerprint": print_of,
                "invalid-before": box.stamp,
                "invalid-after": date_time(box.wall + timedelta(days=days), box.version),
                "ca": words.get("ca"),
                "authority": truth("ca" not in words),
                "issued": truth("ca" in words),
            },
        )


SPECIAL: dict[str, Callable[[Box, Caller, dict[str, str]], Answer | None]] = {
    "/system/reboot": _reboot,
    "/ip/hotspot/active/login": _sign_in,
    "/ip/hotspot/host/make-binding": _make_binding,
    "/ip/dhcp-server/lease/make-static": _make_static,
    "/system/script/run": _run_script,
    "/certificate/sign": _sign,
}
