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
SERVER = "/interface/pppoe-server/server"
LIMITS = ("limit-bytes-in", "limit-bytes-out")
CAUSES_ARE_KEPT = Version(6, 45)


def online_at(box: Box, address: str) -> Row | None:
    """Who is online at an address."""
    return box.table(ACTIVE).first("address", address)


def interface_of(name: str) -> str:
    """The interface that the box makes for somebody who is online."""
    return f"<pppoe-{name}>"


def dialled(box: Box, name: str, password: str, mac: str) -> str:
    """Somebody comes online; his address. Raises Trap when he is refused."""
    server = _server(box)
    secret = next(
        (one for one in box.table(SECRET).having("name", name) if _is_for(one, mac)), None
    )
    if secret is None or secret.words["password"] != password:
        box.log("pppoe,ppp,error", f"<{name}>: user {name} authentication failed")
        raise Trap(f"user {name} authentication failed", BAD_VALUE)
    profile = box.table(PROFILE).find(secret.words["profile"]) or box.table(PROFILE).only()
    for before in list(box.table(ACTIVE)):
        again = server.on("one-session-per-host") and before.words["caller-id"] == mac
        doubled = profile.words.get("only-one") == "yes" and before.words["name"] == name
        if again or doubled:
            hung_up(box, before, "hung-up")
    address = _address(box, secret, profile)
    row = _active(box, name, mac, address)
    shown = {word: secret.words[word] for word in LIMITS}
    if "comment" in secret.words:
        shown["comment"] = secret.words["comment"]
    row.words.update(shown)
    box.end_in(ACTIVE, row, seconds(profile.words.get("session-timeout", "none")) or None)
    hotspot.dynamic_rows(box, interface_of(name), interface_of(name), profile, address)
    return address


def _server(box: Box) -> Row:
    """Who answers a PPPoE client. Raises Trap when nobody does."""
    found = next((row for row in box.table(SERVER) if not row.on("disabled")), None)
    if found is None:
        raise Trap("no answer", BAD_VALUE)
    return found


def _is_for(secret: Row, mac: str) -> bool:
    """Whether somebody may dial in by PPPoE with this secret, from this device."""
    words = secret.words
    for_all = words["service"] in ("any", "pppoe") and words["caller-id"] in ("", mac)
    return for_all and not secret.on("disabled")


def counted(box: Box, row: Row) -> None:
    """Bytes passed: who has used up what a secret lets pass in one dial is put out."""
    interface = box.table("/interface").find(interface_of(row.words["name"]))
    if interface is None:
        return
    passed = (interface.tally.up, interface.tally.down)
    limits = (int(row.words[word]) for word in LIMITS)
    if any(limit and size >= limit for size, limit in zip(passed, limits, strict=True)):
        hung_up(box, row, "traffic-limit")


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
