"""``dhcp``: who on the LAN hands out addresses. One question, and nothing is accepted."""

from __future__ import annotations

import secrets
import socket
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
_OFFER = 2


def seen(_: Wish, place: Place, budget: Budget) -> dict[str, Any]:
    """Ask once, as a new device would, and collect every offer of the next seconds."""
    if place.lan is None:
        raise ProbeRefused(f"lan: {place.wiring.lan} has no IPv4 address")
    own, lan = place.lan.ip, place.wiring.lan
    number = secrets.randbelow(1 << 32)
    servers: dict[str, dict[str, Any]] = {}

    def heard(_: socket.socket, frame: bytes, _at: int) -> bool:
        packet = Ether(frame)
        boot, options = packet.getlayer(BOOTP), packet.getlayer(DHCP)
        if boot is None or options is None or boot.xid != number or boot.op != _OFFER:
            return False
        said = {one[0]: one[1:] for one in options.options if isinstance(one, tuple)}
        if said.get("message-type") != (_OFFER,) or len(servers) >= SERVERS_MAX:
            return False
        server = str((said.get("server_id") or (packet[IP].src,))[0])
        servers[f"{server} {packet.src}"] = {
            "server": server,
            "mac": str(packet.src),
            "ours": server == str(own) and str(packet.src) == machine.mac(lan),
            "offers": str(boot.yiaddr),
            "gateway": str((said.get("router") or ("",))[0]),
            "names": str((said.get("name_server") or ("",))[0]),
        }
        return False

    with (
        link_end(lan, ETHER_IPV4, udp_port=CLIENT_PORT) as ear,
        raw_end(lan, socket.IPPROTO_RAW) as end,
    ):
        question = bytes(_question(str(own), machine.mac(lan), number))
        # By the kernel's own road: it also reaches the server of this machine.
        sends = [lambda: end.sendto(question, ("255.255.255.255", 0))]
        exchange(sends, [ear], heard, budget=budget, per_s=10, listen_ms=LISTEN_MS)
    strangers = [one for one in servers.values() if not one["ours"]]
    odd = [
        f"{one['server']} ({one['mac']}) hands out addresses, and is not ours" for one in strangers
    ]
    return {"odd": odd, "servers": list(servers.values())}


def _question(own: str, mac: str, number: int) -> Any:
    boot = BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=number, flags=_BROADCAST)
    wanted = [1, 3, 6, 51]
    options = [("message-type", "discover"), ("param_req_list", wanted), "end"]
    ports = UDP(sport=CLIENT_PORT, dport=SERVER_PORT)
    return IP(src=own, dst="255.255.255.255", ttl=1) / ports / boot / DHCP(options=options)
