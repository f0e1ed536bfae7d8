"""Where bytes go: what lets them pass, and which rows count them.

A device is either online by PPPoE, which the hotspot does not touch, or it stands on the bridge
behind the hotspot, when one runs. There it passes when a binding says ``bypassed``, when it is
signed in, or when it only wants into the walled garden. What the hotspot lets through meets the
chain ``forward``: of an established flow, so that a rule for new or invalid ones does not apply.

Counted are: host, session, the rules that were met, the first simple queue that fits and its
parents' (or its fitting children), tree queues by packet mark, and interfaces. Fasttrack passes
queues by. Nothing is slowed down: a rate is a row here, not a limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.routeros import hotspot, ppp
from tests.routeros.texts import commas, covers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.routeros.box import Box
    from tests.routeros.table import Row, Table

LAN, WAN = "bridge", "ether1"
EXTERNAL = "203.0.113.80"
"""Stands for the internet at large."""

QUIET = ("passthrough", "log", "add-src-to-address-list", "add-dst-to-address-list")
"""Actions after which the next rule is asked."""

NOT_ASKED = (
    "src-port", "connection-nat-state", "connection-mark", "layer7-protocol", "limit",
    "in-interface-list", "out-interface-list",
)  # fmt: skip
"""Conditions about which nothing is known here: rules with one of them are passed over."""


class Passed(NamedTuple):
    """Bytes that got through, each way."""

    up: int
    down: int


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of what a device does."""

    src: str
    dst: str
    mac: str
    into: str
    out: str
    size: int
    signed_in: bool


@dataclass(slots=True)
class Drawn:
    """Simple queues of one parent, by the one address they name, or otherwise."""

    exact: dict[str, list[tuple[int, Row]]] = field(default_factory=dict)
    wide: list[tuple[int, Row]] = field(default_factory=list)


def is_named(wanted: str | None, interface: str) -> bool:
    """Whether a rule's interface is this one, or with ``!`` any other."""
    if wanted is None:
        return True
    return (wanted.lstrip("!") == interface) != wanted.startswith("!")


def passed(box: Box, address: str, up: int, down: int, *, mac: str, to: str) -> Passed:
    """Let a device's bytes try to pass, count those that do."""
    online = ppp.online_at(box, address)
    mac = mac or hotspot.known_mac(box, address)
    host = None
    if online is None and hotspot.server(box) is not None:
        host = hotspot.host_at(box, address, mac)
        if not hotspot.admits(box, host, to):
            return Passed(0, 0)
    session = hotspot.active_at(box, address) if host is not None else None
    up, down = within_limits(session, up, down)
    lan = ppp.interface_of(online.words["name"]) if online else LAN
    far = to if to and to[-1].isdigit() else EXTERNAL
    flows = (
        Flow(address, far, mac, lan, WAN, up, session is not None),
        Flow(far, address, "", WAN, lan, down, session is not None),
    )
    verdicts = [forwarded(box, flow) or "accept" for flow in flows]
    got = Passed(*(0 if v == "drop" else f.size for v, f in zip(verdicts, flows, strict=True)))
    marks = [mark(box, flow, size) for flow, size in zip(flows, got, strict=True)]
    count(box, address, lan, got, fast="fasttrack" in verdicts, marks=marks)
    for row in (host, session):
        if row is not None:
            row.tally.add(*got)
            row.marks["heard_s"] = box.now_s
    if online is not None:
        ppp.counted(box, online)
    if session is not None and 0 in left_bytes(session).values():
        hotspot.signed_out(box, session, "traffic-limit")
    return got


def left_bytes(session: Row) -> dict[str, int]:
    """What a session may still move, for each limit that it has."""
    up, down = session.tally.up, session.tally.down
    used = {"in": up, "out": down, "total": up + down}
    limits = {way: session.words.get(f"limit-bytes-{way}") for way in used}
    return {w: max(0, int(limit) - used[w]) for w, limit in limits.items() if limit}


def within_limits(session: Row | None, up: int, down: int) -> tuple[int, int]:
    """The bytes that still fit into a session's limits."""
    left = left_bytes(session) if session is not None else {}
    up = min(up, left.get("in", up), left.get("total", up))
    down = min(down, left.get("out", down), max(0, left.get("total", up + down) - up))
    return up, down


def forwarded(box: Box, flow: Flow, chain: str = "forward") -> str | None:
    """What a chain says: accept, fasttrack or drop, None for nothing. Rules that are met count."""
    for rule in box.table("/ip/firewall/filter"):
        if rule.words["chain"] != chain or not flow.size or not meets(box, rule, flow):
            continue
        rule.tally.add(flow.size, 0)
        action = rule.words["action"]
        if action == "jump":
            said = forwarded(box, flow, rule.words["jump-target"])
            if said is not None:
                return said
        elif action == "return":
            return None
        elif action in ("drop", "reject", "tarpit"):
            return "drop"
        elif action == "fasttrack-connection":
            return "fasttrack"
        elif action not in QUIET:
            return "accept"
    return None


def meets(box: Box, rule: Row, flow: Flow) -> bool:
    """Whether a rule is about a flow."""
    words = rule.words
    if rule.on("disabled") or any(name in words for name in NOT_ASKED):
        return False
    src_list, dst_list = words.get("src-address-list"), words.get("dst-address-list")
    signed_in = {"auth": True, "!auth": False}.get(words.get("hotspot", ""))
    return (
        covers(words.get("src-address", "0.0.0.0/0"), flow.src)
        and covers(words.get("dst-address", "0.0.0.0/0"), flow.dst)
        and (src_list is None or hotspot.on_list(box, src_list, flow.src))
        and (dst_list is None or hotspot.on_list(box, dst_list, flow.dst))
        and words.get("src-mac-address", flow.mac) == flow.mac
        and is_named(words.get("in-interface"), flow.into)
        and is_named(words.get("out-interface"), flow.out)
        and words.get("protocol", "tcp") == "tcp"
        and words.get("dst-port", "443") == "443"
        and "established" in words.get("connection-state", "established")
        and (signed_in is None or signed_in == flow.signed_in)
    )


def mark(box: Box, flow: Flow, size: int) -> str:
    """Mangle rules count, and what they mark is counted by the tree queues of that mark.

    Answers the mark that the flow has in the end, "" for none.
    """
    marked = ""
    for rule in box.table("/ip/firewall/mangle"):
        if not size or not meets(box, rule, flow):
            continue
        rule.tally.add(size, 0)
        if rule.words["action"] == "mark-packet":
            marked = rule.words.get("new-packet-mark", "")
            for queue in box.drawn_from("/queue/tree", _by_mark).get(marked, ()):
                queue.tally.add(size, 0)
        if rule.words["action"] == "accept" or not rule.on("passthrough"):
            break
    return marked


def _by_mark(table: Table) -> dict[str, list[Row]]:
    marked: dict[str, list[Row]] = {}
    for row in table:
        if not row.on("disabled"):
            marked.setdefault(row.words["packet-mark"], []).append(row)
    return marked


def count(
    box: Box, address: str, lan: str, got: Passed, *, fast: bool, marks: Sequence[str] = ("", "")
) -> None:
    """Interfaces and queues count what passed."""
    interfaces = box.table("/interface")
    for name, (received, sent) in ((lan, got), (WAN, (got.down, got.up))):
        row = interfaces.find(name)
        if row is not None:
            row.tally.add(received, sent)
    for way, size, marked in zip((0, 1), got, marks, strict=True):
        for queue in () if fast or not size else queues_met(box, address, lan, marked):
            queue.tally.add(*((size, 0) if way == 0 else (0, size)))


def queues_met(box: Box, address: str, interface: str, marked: str = "") -> Iterator[Row]:
    """The first queue that fits, its first fitting child, and so on down."""
    drawn = box.drawn_from("/queue/simple", _by_target)
    parent = "none"
    while parent in drawn:
        of_parent = drawn[parent]
        near = [*of_parent.exact.get(address, ()), *of_parent.exact.get(interface, ())]
        far = ((p, row) for p, row in of_parent.wide if _fits(row, address, interface))
        fits = (one for one in [*near, *far] if _takes(one[1], marked))
        row = min(fits, key=lambda place: place[0], default=(0, None))[1]
        if row is None:
            return
        yield row
        parent = row.words["name"]


def _by_target(table: Table) -> dict[str, Drawn]:
    drawn: dict[str, Drawn] = {}
    for place, row in enumerate(table):
        if row.on("disabled") or row.on("invalid"):
            continue
        of_parent = drawn.setdefault(row.words["parent"], Drawn())
        target = row.words["target"].removesuffix("/32")
        if target and "/" not in target and "," not in target:
            of_parent.exact.setdefault(target, []).append((place, row))
        else:
            of_parent.wide.append((place, row))
    return drawn


def _takes(row: Row, marked: str) -> bool:
    """Whether a queue is for packets with this mark ("" none): one that names no mark takes all."""
    names = commas(row.words["packet-marks"])
    return not names or (marked or "no-mark") in names


def _fits(row: Row, address: str, interface: str) -> bool:
    targets = commas(row.words["target"])
    return not targets or any(t == interface or covers(t, address) for t in targets)
