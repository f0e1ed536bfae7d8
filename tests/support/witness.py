"""A witness: packets and bytes as a namespace's own kernel saw them, whatever Lango says of them.

It counts in a table of its own, behind Lango's in the same hook, so that what Lango dropped is not
in it. Unlike a socket of ours, a kernel counts also while this machine is too busy to read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.sandbox.lab.meter import UDP_PORT
from controller.sandbox.lab.site import SITE_V4
from tests.support.lab import Used

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.sandbox.lab.device import Device
    from controller.sandbox.lab.namespace import Namespace

TABLE = "witness"
AFTER_LANGO = 10
"""Of the hook's priorities."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What went by."""

    packets: int
    byte_count: int


class Witness:
    """Counters of one namespace. ``rules`` name a counter, the hook it hangs in, what it counts."""

    def __init__(self, ns: Namespace, rules: Iterable[tuple[str, str, str]]) -> None:
        self._ns = ns
        lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
        asked = tuple(rules)
        lines += [f"  counter {name} {{ }}" for name in dict.fromkeys(rule[0] for rule in asked)]
        for hook in dict.fromkeys(rule[1] for rule in asked):
            lines.append(f"  chain at_{hook} {{ type filter hook {hook} priority {AFTER_LANGO};")
            lines += [f"    {what} counter name {name}" for name, at, what in asked if at == hook]
            lines.append("  }")
        ns.run("nft", "-f", "-", stdin="\n".join([*lines, "}", ""]))

    def seen(self) -> Mapping[str, Seen]:
        """What each counter has."""
        told = json.loads(self._ns.run("nft", "-j", "list", "counters", "table", "inet", TABLE))
        counters = (entry["counter"] for entry in told["nftables"] if "counter" in entry)
        return {one["name"]: Seen(one["packets"], one["bytes"]) for one in counters}


class Passage:
    """Counts at the gateway what passes to and from each of some devices."""

    def __init__(self, gateway: Namespace, devices: Iterable[Device]) -> None:
        self._witness = Witness(gateway, (rule for one in devices for rule in _passing(one)))

    def used(self, device: Device) -> Used:
        """Layer-3 bytes that passed to and from the device since the witness came."""
        seen = self._witness.seen()
        return Used(
            *(seen[f"{way}{device.number}"].byte_count for way in ("down", "up")),
        )


class Ends:
    """Counts the UDP flows of one device at both of their ends."""

    def __init__(self, device: Device, internet: Namespace) -> None:
        asked, answered = f"udp dport {UDP_PORT}", f"udp sport {UDP_PORT}"
        self._device = Witness(
            device.ns, [("left", "output", asked), ("arrived", "input", answered)]
        )
        addresses = f"{device.ipv4}, {SITE_V4}"
        self._internet = Witness(
            internet,
            [
                ("arrived", "input", f"ip saddr {{ {addresses} }} {asked}"),
                ("left", "output", f"ip daddr {{ {addresses} }} {answered}"),
            ],
        )

    def lost(self) -> int:
        """Packets that left one end and have not arrived at the other, both ways."""
        here, there = self._device.seen(), self._internet.seen()
        up = here["left"].packets - there["arrived"].packets
        return up + there["left"].packets - here["arrived"].packets


def _passing(device: Device) -> Iterable[tuple[str, str, str]]:
    for way, side in (("down", "daddr"), ("up", "saddr")):
        name = f"{way}{device.number}"
        yield name, "forward", f"ip {side} {device.ipv4}"
        yield name, "forward", f"ip6 {side} {device.ipv6}"
