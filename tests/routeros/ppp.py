"""PPPoE: who is online, on which interface, and what is written when he hangs up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.routeros import hotspot
from tests.routeros.schema import BAD_VALUE, Trap
from tests.routeros.table import Row
from tests.routeros.texts import SECOND_US, Version, duration, seconds

if TYPE_CHECKING:
    from tests.routeros.box import Box

ACTIVE, SECRET, PROFILE = "/ppp/active", "/ppp/secret", "/ppp/profile"
CAUSES_ARE_KEPT = Version(6, 45)


def online_at(box: Box, address: str) -> Row | None:
    """Who is online at an address."""
    return box.table(ACTIVE).first("address", address)


def interface_of(name: str) -> str:
    """The interface that the box makes for somebody who is online."""
    return f"<pppoe-{name}>"


def dialled(box: Box, name: str, password: str, mac: str) -> str:
    """Somebody comes online; his address. Raises Trap when he is refused."""
    secret = box.table(SECRET).find(name)
    refused = secret is None or secret.on("disabled") or secret.words["password"] != password
    if secret is None or refused or secret.words["service"] not in ("any", "pppoe"):
        box.log("pppoe,ppp,error", f"<{name}>: user {name} authentication failed")
        raise Trap(f"user {name} authentication failed", BAD_VALUE)
    profile = box.table(PROFILE).find(secret.words["profile"]) or box.table(PROFILE).only()
    for before in box.table(ACTIVE).having("name", name):
        if profile.words.get("only-one") == "yes":
            hung_up(box, before, "hung-up")
    address = _address(box, secret, profile)
    row = _active(box, name, mac, address)
    box.end_in(ACTIVE, row, seconds(profile.words.get("session-timeout", "none")) or None)
    hotspot.dynamic_rows(box, interface_of(name), interface_of(name), profile, address)
    return address


def online(
    box: Box,
    name: str,
    mac: str,
    address: str,
    *,
    rate_limit: str,
    listed: str,
    session_s: int | None,
) -> Row:
    """Somebody comes online as a server has it: its words stand in for a profile's."""
    row = _active(box, name, mac, address)
    row.words["radius"] = "true"
    box.end_in(ACTIVE, row, session_s)
    told = {"rate-limit": rate_limit, "address-list": listed}
    profile = Row(0, {key: value for key, value in told.items() if value})
    hotspot.dynamic_rows(box, interface_of(name), interface_of(name), profile, address)
    return row


def slowed(box: Box, row: Row, rate_limit: str) -> None:
    """A session has another speed from now on; its queue counts on."""
    table = box.table(hotspot.QUEUE)
    queue = table.find(interface_of(row.words["name"]))
    if queue is not None:
        none = dict.fromkeys(("burst-limit", "burst-threshold"), "0/0")
        table.change(queue, {**none, "burst-time": "0s/0s", **hotspot.queue_words(rate_limit)})


def _active(box: Box, name: str, mac: str, address: str) -> Row:
    words = {"name": name, "service": "pppoe", "caller-id": mac, "address": address}
    table = box.table(ACTIVE)
    words["session-id"] = f"0x{0x8100_0000 + table.next_number % 0x8000_0000:x}"
    row = table.add({**table.menu.defaults(), **words}, box.now_s)
    _interface(box, name)
    box.log("pppoe,ppp,info", f"{interface_of(name)}: connected")
    return row


def _address(box: Box, secret: Row, profile: Row) -> str:
    told = secret.words.get("remote-address") or profile.words.get("remote-address", "")
    if told and told[0].isdigit():
        return told
    return hotspot.free_address(box, told or "pppoe-pool", ACTIVE)


def _interface(box: Box, name: str) -> None:
    table = box.table("/interface")
    words = {"name": interface_of(name), "type": "pppoe-in", "mtu": "1480", "actual-mtu": "1480"}
    full = {**table.menu.defaults(), **words, "dynamic": "true", "last-link-up-time": box.stamp}
    table.add(full, box.now_s)


def hung_up(box: Box, row: Row, cause: str) -> None:
    """Somebody goes offline; interface, queue and list entry go with him."""
    name, address = row.words["name"], row.words["address"]
    if box.radius is not None:
        box.radius.ended(row, cause)
    box.table(ACTIVE).remove(row)
    interface = box.table("/interface").find(interface_of(name))
    if interface is not None:
        box.table("/interface").remove(interface)
    hotspot.drop_dynamic_rows(box, interface_of(name), address)
    secret = box.table(SECRET).find(name)
    if secret is not None:
        secret.words["last-logged-out"] = box.stamp
        if box.version >= CAUSES_ARE_KEPT:
            caller = row.words["caller-id"]
            secret.words.update({"last-caller-id": caller, "last-disconnect-reason": cause})
    box.log("pppoe,ppp,info", f"{interface_of(name)}: disconnected")


def active_figures(box: Box, row: Row) -> dict[str, str]:
    """How long somebody is online. Bytes are not told here: they are the interface's."""
    return {"uptime": duration(int(box.now_s - row.born_s) * SECOND_US)}
