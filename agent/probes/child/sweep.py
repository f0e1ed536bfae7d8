"""``arp``: who is on the LAN, and which address two of them use."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from scapy.layers.l2 import ARP, Ether

from agent.probes import asked
from agent.probes.child import machine
from agent.probes.child.sending import exchange, link_end

if TYPE_CHECKING:
    import socket

    from agent.probes.asked import Place, Wish
    from agent.probes.child.sending import Budget

ETHER_ARP = 0x0806
PER_S = 250
LISTEN_MS = 1_500
ROUNDS_MAX = 2
_IS_AT = 2


def seen(wish: Wish, place: Place, budget: Budget) -> dict[str, Any]:
    """Ask every address of the LAN, those that are silent once more where packets are left."""
    network = asked.swept(wish, place)
    assert place.lan is not None, "what is swept is part of the LAN"
    own, own_mac = place.lan, machine.mac(place.wiring.lan)
    found: dict[IPv4Address, set[str]] = {}

    def heard(_: socket.socket, frame: bytes, _at: int) -> bool:
        said = Ether(frame).getlayer(ARP)
        if said is None or said.op != _IS_AT or said.hwlen != 6 or said.plen != 4:  # noqa: PLR2004 - of Ethernet and IPv4
            return False
        address = IPv4Address(said.psrc)
        if (address in network or address == own.ip) and str(said.hwsrc) != own_mac:
            found.setdefault(address, set()).add(str(said.hwsrc))
        return False

    with link_end(place.wiring.lan, ETHER_ARP) as end:

        def ask(address: IPv4Address) -> object:
            # Asked for our own address, nobody answers us; who was asked by nobody's address does.
            asker = "0.0.0.0" if address == own.ip else str(own.ip)
            question = ARP(op=1, hwsrc=own_mac, psrc=asker, pdst=str(address))
            return end.send(bytes(Ether(src=own_mac, dst="ff:ff:ff:ff:ff:ff") / question))

        everybody = [own.ip, *asked.hosts(network, own)]
        for _ in range(ROUNDS_MAX):
            silent = [one for one in everybody if one not in found]
            if budget.sent + len(silent) > asked.PACKETS_MAX:
                break
            sends = [partial(ask, one) for one in silent]
            exchange(sends, [end], heard, budget=budget, per_s=PER_S, listen_ms=LISTEN_MS)
    return _told(found, own.ip) | {"swept": str(network), "lan": str(own.network)}


def _told(found: dict[IPv4Address, set[str]], own: IPv4Address) -> dict[str, Any]:
    theft = [f"{mac} says that it has the gateway's address {own}" for mac in found.pop(own, ())]
    twice = [
        f"{address} is used by {' and '.join(sorted(macs))}"
        for address, macs in sorted(found.items())
        if len(macs) > 1
    ]
    devices = [f"{one} {mac}" for one, macs in sorted(found.items()) for mac in sorted(macs)]
    return {"found": len(found), "odd": [*theft, *twice], "devices": devices}
