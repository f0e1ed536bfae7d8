"""``dhcp``: who on the LAN hands out addresses. One question, and nothing is accepted."""

from __future__ import annotations

import secrets
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from agent.probes.asked import ProbeRefused
from agent.probes.child import machine
from agent.probes.child.sending import exchange, link_end, raw_end

if TYPE_CHECKING:
    from agent.probes.asked import Place, Wish
    from agent.probes.child.sending import Budget

ETHER_IPV4 = 0x0800
CLIENT_PORT, SERVER_PORT = 68, 67
LISTEN_MS = 4_000
SERVERS_MAX = 20
_BROADCAST = 0x8000
_OFFER = _REPLY = 2


class Offers:
    """The servers that offered something, in answer to one question."""

    def __init__(self, number: int, own: str, mac: str) -> None:
        self.servers: dict[str, dict[str, Any]] = {}
        self._number, self._own, self._mac = number, own, mac

    def of_others(self, frame: bytes) -> None:
        """Take what came over the wire."""
        packet = Ether(frame)
        self._take(packet, str(packet.src))

    def of_this_machine(self, message: bytes) -> None:
        """Take what this machine's own server said: such packets touch no wire."""
        packet = IP(message)
        # The kernel lets in nothing from outside that says that we sent it.
        if packet.src == self._own:
            self._take(packet, self._mac)

    def _take(self, packet: Any, mac: str) -> None:
        boot, options = packet.getlayer(BOOTP), packet.getlayer(DHCP)
        if boot is None or options is None or (boot.xid, boot.op) != (self._number, _REPLY):
            return
        said = {one[0]: one[1:] for one in options.options if isinstance(one, tuple)}
        if said.get("message-type") != (_OFFER,) or len(self.servers) >= SERVERS_MAX:
            return
        server = str((said.get("server_id") or (packet[IP].src,))[0])
        self.servers[f"{server} {mac}"] = {
            "server": server,
            "mac": mac,
            "ours": (server, mac) == (self._own, self._mac),
            "offers": str(boot.yiaddr),
            "gateway": str((said.get("router") or ("",))[0]),
            "names": str((said.get("name_server") or ("",))[0]),
        }


def seen(_: Wish, place: Place, budget: Budget) -> dict[str, Any]:
    """Ask once, as a new device would, and collect every offer of the next seconds."""
    if place.lan is None:
        raise ProbeRefused(f"lan: {place.wiring.lan} has no IPv4 address")
    own, lan = str(place.lan.ip), place.wiring.lan
    mac, number = machine.mac(lan), secrets.randbelow(1 << 32)
    offers = Offers(number, own, mac)
    with (
        link_end(lan, ETHER_IPV4, udp_port=CLIENT_PORT) as wire,
        raw_end(lan, socket.IPPROTO_UDP, udp_port=CLIENT_PORT) as inside,
        raw_end(lan, socket.IPPROTO_RAW) as end,
    ):

        def heard(ear: socket.socket, message: bytes, _at: int) -> bool:
            if ear is wire:
                offers.of_others(message)
            else:
                offers.of_this_machine(message)
            return False

        question = bytes(_question(own, mac, number))
        # By the kernel's own road: it also reaches the server of this machine.
        send = partial(end.sendto, question, ("255.255.255.255", 0))
        exchange([send], [wire, inside], heard, budget=budget, per_s=10, listen_ms=LISTEN_MS)
    found = list(offers.servers.values())
    odd = [
        f"{one['server']} ({one['mac']}) hands out addresses, and is not ours"
        for one in found
        if not one["ours"]
    ]
    return {"odd": odd, "servers": found}


def _question(own: str, mac: str, number: int) -> Any:
    boot = BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=number, flags=_BROADCAST)
    wanted = [1, 3, 6, 51]
    options = [("message-type", "discover"), ("param_req_list", wanted), "end"]
    ports = UDP(sport=CLIENT_PORT, dport=SERVER_PORT)
    return IP(src=own, dst="255.255.255.255", ttl=1) / ports / boot / DHCP(options=options)
