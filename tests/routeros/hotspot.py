"""The hotspot: hosts, bindings, who is signed in, and what ends a session.

Figures are the device's: ``in`` is what it sent. A user's own totals are written when a session
ends, never before: a power cut forgets the running session.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from tests.routeros.schema import BAD_VALUE, Trap
from tests.routeros.texts import SECOND_US, covers, duration, duration_us, rate_bps, seconds, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.routeros.box import Box
    from tests.routeros.table import Row, Table

ACTIVE, HOST, USER = "/ip/hotspot/active", "/ip/hotspot/host", "/ip/hotspot/user"
PROFILE, BINDING, COOKIE = (
    "/ip/hotspot/user/profile",
    "/ip/hotspot/ip-binding",
    "/ip/hotspot/cookie",
)
LIST, QUEUE, LEASE, ARP = (
    "/ip/firewall/address-list",
    "/queue/simple",
    "/ip/dhcp-server/lease",
    "/ip/arp",
)
KEEPALIVE_S = 120.0
IDLE_S = 300.0
"""An unauthorised host that sends nothing for this long is forgotten."""


def active_at(box: Box, address: str) -> Row | None:
    """The session of the device at an address."""
    return box.table(ACTIVE).first("address", address)


def server(box: Box) -> Row | None:
    """The hotspot server that runs; None when the LAN is open."""
    return next((s for s in box.table("/ip/hotspot") if not s.on("disabled")), None)


def binding_for(box: Box, mac: str, address: str) -> str:
    """What the first binding that fits says of a device: regular, bypassed or blocked."""
    exact, wide = box.drawn_from(BINDING, _bindings)
    near: list[tuple[int, Row]] = [*exact.get(mac, ()), *exact.get(address, ()), *wide]
    fits = (place_row for place_row in sorted(near, key=lambda p: p[0]))
    running = server(box)
    here = ("all", running.words["name"] if running else "all")
    for _, row in fits:
        w = row.words
        hardware = w.get("mac-address", mac) == mac
        if hardware and w["server"] in here and covers(w.get("address", "0.0.0.0/0"), address):
            return w["type"]
    return "regular"


def _bindings(table: Table) -> tuple[dict[str, list[tuple[int, Row]]], list[tuple[int, Row]]]:
    """Enabled bindings by the MAC or the one address they name, and those that name neither."""
    exact: dict[str, list[tuple[int, Row]]] = {}
    wide: list[tuple[int, Row]] = []
    for place, row in enumerate(table):
        if row.on("disabled"):
            continue
        key = row.words.get("mac-address") or row.words.get("address", "")
        if not key or "/" in key or "-" in key:
            wide.append((place, row))
        else:
            exact.setdefault(key, []).append((place, row))
    return exact, wide


def invented_mac(address: str) -> str:
    """A locally administered MAC that belongs to this address alone."""
    octets = (2, 0, *ip_address(address).packed[-4:])
    return ":".join(f"{o:02X}" for o in octets)


def known_mac(box: Box, address: str) -> str:
    """The MAC that the box's neighbour table has for an address, or an invented one."""
    row = box.table(ARP).first("address", address)
    return row.words.get("mac-address", "") if row else invented_mac(address)


def host_at(box: Box, address: str, mac: str) -> Row:
    """The host row of a device that shows itself; made when there is none, or by another MAC."""
    row = box.table(HOST).first("address", address)
    if row is not None and row.words["mac-address"] != mac:
        forget_host(box, row)
        row = None
    if row is None:
        row = new_host(box, address, mac)
    row.marks["heard_s"] = box.now_s
    if active_at(box, address) is None:
        box.end_in(HOST, row, IDLE_S)
    return row


def new_host(box: Box, address: str, mac: str) -> Row:
    """A device that was not known before."""
    running = server(box)
    leased = box.table(LEASE).first("address", address)
    words = {"mac-address": mac, "address": address, "to-address": address}
    words["server"] = running.words["name"] if running else "hotspot1"
    words.update({"bridge-port": "ether2", "DHCP": truth(leased)})
    words["found-by"] = "DHCP" if leased else "UDP"
    table = box.table(HOST)
    return table.add({**table.menu.defaults(), **words}, box.now_s)


def forget_host(box: Box, row: Row) -> None:
    """The box no longer knows a device; its session ends with it."""
    active = active_at(box, row.words["address"])
    if active is not None:
        signed_out(box, active, "lost-service")
    if row.number in box.table(HOST).by_number:
        box.table(HOST).remove(row)


def left(box: Box, address: str) -> None:
    """A device fell silent: nobody answers for its address, and its keepalive begins to run."""
    table = box.table(ARP)
    known = table.first("address", address)
    if known is not None and known.on("dynamic"):
        failed = {"status": "failed"} if "status" in table.menu.attributes else {}
        table.change(known, {"complete": "false", **failed})
    row = box.table(HOST).first("address", address)
    if row is not None:
        box.end_in(HOST, row, KEEPALIVE_S)


def joined(box: Box, mac: str, address: str, name: str) -> str:
    """A device asks for an address and gets its own, the one told, or the next free one."""
    table = box.table(LEASE)
    lease = box.table(LEASE).first("mac-address", mac)
    if lease is None:
        address = address or free_address(box, "hs-pool", LEASE)
        words = {"address": address, "mac-address": mac, "server": "dhcp1", "dynamic": "true"}
        lease = table.add({**table.menu.defaults(), **words}, box.now_s)
    address = lease.words["address"]
    bound: dict[str, str | None] = {
        "status": "bound",
        "active-address": address,
        "active-mac-address": mac,
        "active-client-id": f"1:{mac.lower()}",
        "active-server": "dhcp1",
        **({"host-name": name} if name else {}),
    }
    table.change(lease, bound)
    lease.marks["heard_s"] = box.now_s
    box.end_in(LEASE, lease, 3600.0)
    _neighbour(box, address, mac)
    _bridged(box, mac)
    host_at(box, address, mac)
    return address


def _bridged(box: Box, mac: str) -> None:
    """The bridge has learnt behind which port a device is."""
    table = box.table("/interface/bridge/host")
    if table.first("mac-address", mac) is None:
        words = {"mac-address": mac, "interface": "ether2", "on-interface": "ether2"}
        table.add({**table.menu.defaults(), **words, "bridge": "bridge"}, box.now_s)


def unbound(box: Box, lease: Row) -> None:
    """A fixed lease ran out: it stays, and waits."""
    told = ("address", "mac-address", "client-id", "server")
    gone: dict[str, str | None] = dict.fromkeys(f"active-{name}" for name in told)
    box.table(LEASE).change(lease, {**gone, "status": "waiting"})


def _neighbour(box: Box, address: str, mac: str) -> None:
    table = box.table(ARP)
    known = box.table(ARP).first("address", address)
    words = {"address": address, "mac-address": mac, "interface": "bridge"}
    words.update({"dynamic": "true", "DHCP": "true", "complete": "true"})
    words.update({"status": "reachable"} if "status" in table.menu.attributes else {})
    if known is None:
        table.add({**table.menu.defaults(), **words}, box.now_s)
    elif known.on("dynamic"):
        table.change(known, dict(words))


def free_address(box: Box, pool: str, menu: str) -> str:
    """The next address of a pool that no row of ``menu`` has. Raises Trap when there is none."""
    row = box.table("/ip/pool").find(pool)
    first, _, last = (row.words["ranges"] if row else "").partition("-")
    if row is not None:
        start = int(row.marks.get("next", int(ip_address(first))))
        for number in range(start, int(ip_address(last)) + 1):
            if box.table(menu).first("address", str(ip_address(number))) is None:
                row.marks["next"] = number + 1.0
                return str(ip_address(number))
    raise Trap("no more free addresses in pool")


def sign_in(box: Box, user: str, password: str, address: str, *, how: str, mac: str = "") -> None:
    """A session begins. Raises Trap with the words of the sign-in page."""
    mac = mac or known_mac(box, address)
    account = box.table(USER).find(user)
    if account is None or account.on("disabled") or account.on("default"):
        raise Trap("invalid username or password", BAD_VALUE)
    may_sign_in(box, account, password, mac)
    host_at(box, address, mac)
    if (before := active_at(box, address)) is not None:
        signed_out(box, before, "user-request")
    begun(box, account, address, mac, how)


def may_sign_in(box: Box, account: Row, password: str, mac: str) -> None:
    """Raises Trap when this account may not begin a session."""
    words, profile = account.words, profile_of(box, account)
    user = words["name"]
    if words["password"] != password or words.get("mac-address", mac) != mac:
        raise Trap("invalid username or password", BAD_VALUE)
    shared = profile.words["shared-users"]
    online = len(box.table(ACTIVE).having("user", user))
    if shared != "unlimited" and online >= int(shared):
        raise Trap(f"no more sessions are allowed for user {user}")
    if "limit-uptime" in words and uptime_left_s(account) == 0:
        raise Trap(f"user {user} has reached uptime limit")
    if any(left == 0 for left in bytes_left(account).values()):
        raise Trap(f"user {user} has reached traffic limit")


def uptime_left_s(account: Row) -> int | None:
    """Seconds an account may still be online; None without a limit. 0 is no limit either."""
    limit = seconds(account.words.get("limit-uptime", "0s"))
    return max(0, limit - seconds(account.words["uptime"])) if limit else None


def bytes_left(account: Row) -> dict[str, int]:
    """What an account may still move, for each limit that it has: in, out, total."""
    words = account.words
    used = {"in": int(words["bytes-in"]), "out": int(words["bytes-out"])}
    used["total"] = used["in"] + used["out"]
    limits = {way: int(words.get(f"limit-bytes-{way}", "0")) for way in used}
    return {way: max(0, limit - used[way]) for way, limit in limits.items() if limit}


def profile_of(box: Box, account: Row) -> Row:
    """The profile of an account, or the default one when it is gone."""
    table = box.table(PROFILE)
    return table.find(account.words["profile"]) or table.picked("default")[0]


def begun(box: Box, account: Row, address: str, mac: str, how: str) -> None:
    """The rows that a session consists of: itself, its queue, its list entry, its cookie."""
    profile, user = profile_of(box, account), account.words["name"]
    running = server(box)
    words = {"server": running.words["name"] if running else "hotspot1", "user": user}
    words.update({"address": address, "mac-address": mac, "login-by": how, "radius": "false"})
    keepalive = profile.words["keepalive-timeout"]
    words.update({"keepalive-timeout": keepalive} if keepalive != "none" else {})
    for way, left in bytes_left(account).items():
        words[f"limit-bytes-{way}"] = str(left)
    if comment := account.words.get("comment"):
        words["comment"] = comment
    table = box.table(ACTIVE)
    number = int.from_bytes(ip_address(address).packed[::-1], "big")
    row = table.add(words, box.now_s, number)
    row.marks["heard_s"] = box.now_s
    box.end_in(ACTIVE, row, _session_s(account, profile))
    dynamic_rows(box, f"<hotspot-{user}>", f"{address}/32", profile, address)
    if host := box.table(HOST).first("address", address):
        box.end_in(HOST, host, None)
        box.table(HOST).tell(host)
    if profile.on("add-mac-cookie") and how != "admin":
        _cookie(box, user, mac, profile)
    box.log("hotspot,account,info,debug", f"{user} ({address}): logged in")


def _session_s(account: Row, profile: Row) -> float | None:
    limits = [uptime_left_s(account), seconds(profile.words.get("session-timeout", "none"))]
    return min((float(limit) for limit in limits if limit), default=None)


def _cookie(box: Box, user: str, mac: str, profile: Row) -> None:
    for old in box.table(COOKIE).having("mac-address", mac):
        box.table(COOKIE).remove(old)
    words = {"user": user, "mac-address": mac, "mac-cookie": "true"}
    row = box.table(COOKIE).add(words, box.now_s)
    box.end_in(COOKIE, row, seconds(profile.words["mac-cookie-timeout"]))


def dynamic_rows(box: Box, name: str, target: str, profile: Row, address: str) -> None:
    """A profile's queue and list entry for somebody who came online."""
    table = box.table(QUEUE)
    if limits := queue_words(profile.words.get("rate-limit", "")):
        kinds = {"queue": "hotspot-default/hotspot-default"} if "hotspot" in name else {}
        words = {"name": name, "target": target, "dynamic": "true", **kinds, **limits}
        parent = profile.words.get("parent-queue", "none")
        table.add({**table.menu.defaults(), **words, "parent": parent}, box.now_s)
    if listed := profile.words.get("address-list"):
        entry = {"list": listed, "address": address, "dynamic": "true"}
        lists = box.table(LIST)
        if lists.clash(entry) is None:
            lists.add({**entry, "creation-time": box.stamp, "disabled": "false"}, box.now_s)


def drop_dynamic_rows(box: Box, name: str, address: str) -> None:
    """Those rows go with the session."""
    for path, row in _rows_of(box, name, address):
        box.table(path).remove(row)


def _rows_of(box: Box, name: str, address: str) -> Iterator[tuple[str, Row]]:
    queue = box.table(QUEUE).find(name)
    if queue is not None:
        yield QUEUE, queue
    entries = box.table(LIST).having("address", address)
    yield from ((LIST, e) for e in entries if e.on("dynamic") and e.ends_s is None)


def queue_words(rate_limit: str) -> dict[str, str]:
    """A profile's rate-limit as the words of a queue; nothing without one."""
    if not rate_limit:
        return {}
    sides = [part.split("/") for part in rate_limit.split()]
    pairs = [(p[0], p[-1]) for p in sides]
    names = ("max-limit", "burst-limit", "burst-threshold")
    rates = {
        name: "/".join(str(rate_bps(side) or 0) for side in two)
        for name, two in zip(names, pairs, strict=False)
    }
    if len(pairs) > len(names):
        spans = (duration_us(side) or 0 for side in pairs[len(names)])
        rates["burst-time"] = "/".join(duration(us) for us in spans)
    return rates


def signed_out(box: Box, row: Row, cause: str) -> None:
    """A session ends: now the account's own totals are written."""
    table, words = box.table(ACTIVE), row.words
    user, address = words["user"], words["address"]
    table.remove(row)
    for account in box.table(USER).having("name", user):
        _written(box, account, row)
    drop_dynamic_rows(box, f"<hotspot-{user}>", address)
    if cause in ("user-request", "admin-reset", "session-timeout", "traffic-limit"):
        for cookie in box.table(COOKIE).having("user", user):
            box.table(COOKIE).remove(cookie)
    if host := box.table(HOST).first("address", address):
        box.table(HOST).tell(host)
    box.log("hotspot,account,info,debug", f"{user} ({address}): logged out: {cause}")


def _written(box: Box, account: Row, session: Row) -> None:
    words, tally = account.words, session.tally
    online = int(box.now_s - session.born_s) * SECOND_US
    words["uptime"] = duration((duration_us(words["uptime"]) or 0) + online)
    counted = (tally.up, tally.down, tally.packets_up, tally.packets_down)
    names = ("bytes-in", "bytes-out", "packets-in", "packets-out")
    for name, count in zip(names, counted, strict=True):
        words[name] = str(int(words[name]) + count)


def admits(box: Box, host: Row, to: str) -> bool:
    """Whether the hotspot lets a host's packets pass: bound by, signed in, or to the garden."""
    address = host.words["address"]
    bound = binding_for(box, host.words["mac-address"], address)
    if bound == "blocked":
        return False
    return bound == "bypassed" or active_at(box, address) is not None or in_garden(box, address, to)


def in_garden(box: Box, address: str, to: str) -> bool:
    """Whether ``to``, a name or an address, may be reached without signing in."""
    if not to:
        return False
    for rule in box.table("/ip/hotspot/walled-garden/ip"):
        if _garden_rule(box, rule, address, to):
            return rule.words["action"] == "accept"
    for rule in box.table("/ip/hotspot/walled-garden"):
        if _garden_rule(box, rule, address, to):
            rule.words["hits"] = str(int(rule.words["hits"]) + 1)
            return rule.words["action"] == "allow"
    return False


def _garden_rule(box: Box, rule: Row, address: str, to: str) -> bool:
    words = rule.words
    named = not to[-1].isdigit()
    listed = words.get("dst-address-list")
    return not rule.on("disabled") and all(
        (
            covers(words.get("src-address", "0.0.0.0/0"), address),
            "dst-host" not in words or (named and _name_fits(words["dst-host"], to)),
            "dst-address" not in words or (not named and covers(words["dst-address"], to)),
            listed is None or (not named and on_list(box, listed, to)),
        )
    )


def _name_fits(pattern: str, name: str) -> bool:
    """``*`` stands for any run of letters, dots among them."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    return name.startswith(first) and name.endswith(rest[-1])


def on_list(box: Box, name: str, address: str) -> bool:
    """Whether an address list (``!`` in front: anything not on it) holds an address."""
    if name.startswith("!"):
        return not on_list(box, name[1:], address)
    exact, wide = box.drawn_from(LIST, _lists)
    return (name, address) in exact or any(covers(w, address) for w in wide.get(name, ()))


def _lists(table: Table) -> tuple[set[tuple[str, str]], dict[str, list[str]]]:
    exact: set[tuple[str, str]] = set()
    wide: dict[str, list[str]] = {}
    for row in table:
        name, address = row.words["list"], row.words["address"]
        if row.on("disabled"):
            continue
        if "/" in address or "-" in address:
            wide.setdefault(name, []).append(address)
        else:
            exact.add((name, address))
    return exact, wide


def host_figures(box: Box, row: Row) -> dict[str, str]:
    """What only the moment knows of a host."""
    address = row.words["address"]
    bound = binding_for(box, row.words["mac-address"], address)
    flags = {
        "bypassed": truth(bound == "bypassed"),
        "authorized": truth(active_at(box, address) is not None),
    }
    blocked = {"blocked": "true"} if bound == "blocked" else {}
    return {**_heard(box, row), **_counted(row), **flags, **blocked}


def active_figures(box: Box, row: Row) -> dict[str, str]:
    """What only the moment knows of a session."""
    left = {}
    if row.ends_s is not None:
        left["session-time-left"] = duration(int(row.ends_s - box.now_s) * SECOND_US)
    return {**_heard(box, row), **_counted(row), **left}


def cookie_figures(box: Box, row: Row) -> dict[str, str]:
    """How long a cookie still holds."""
    return {"expires-in": duration(int((row.ends_s or box.now_s) - box.now_s) * SECOND_US)}


def _heard(box: Box, row: Row) -> dict[str, str]:
    idle = int(box.now_s - row.marks.get("heard_s", box.now_s))
    online = int(box.now_s - row.born_s)
    return {"uptime": duration(online * SECOND_US), "idle-time": duration(idle * SECOND_US)}


def _counted(row: Row) -> dict[str, str]:
    tally = row.tally
    return {
        "bytes-in": str(tally.up),
        "bytes-out": str(tally.down),
        "packets-in": str(tally.packets_up),
        "packets-out": str(tally.packets_down),
    }
