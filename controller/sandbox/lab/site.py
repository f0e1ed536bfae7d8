"""The lab's topology: the internet, one site's gateway, and devices on its LAN.

All of it lives in namespaces that this process holds; nothing of the machine is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from controller.sandbox.lab import meter
from controller.sandbox.lab.device import (
    DEVICES_MAX,
    GATEWAY_V4,
    GATEWAY_V6,
    INTERNET_V4,
    INTERNET_V6,
    Device,
)
from controller.sandbox.lab.dns import ResolveError, resolve
from controller.sandbox.lab.namespace import Namespace, NamespaceError
from controller.sandbox.lab.pipe import pipe_to
from controller.sandbox.lab.web import serve_web
from controller.sandbox.lab.wire import HEAD_BYTES_MAX

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Visitor = Callable[[StreamReader, StreamWriter], Awaitable[None]]

CONTROLLER_V4 = "203.0.113.10"
"""Where the site finds its controller: an address of the internet's side."""

PORTAL_HOST = "wifi.lango"
SITE_V4 = "198.51.100.2"
SITE_V6 = "fd77:51::2"
READY_WAIT_S = 30.0
STOP_WAIT_S = 2.0
TOOLS = ("ip", "nsenter", "setpriv", "unshare", "dnsmasq")
"""System programs that the lab needs (Debian: iproute2, util-linux, dnsmasq-base)."""

_DNSMASQ = ("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=")
# A change of user or group would make the kernel forget to kill it with its parent.
_QUIET = ("--user=root", "--group=root", "--no-resolv", "--no-hosts", "--log-facility=/dev/null")

_BRIDGED = ("ip", "ip6", "arp")
_AWAY = f"""
table inet away {{
  chain arrivals {{ type filter hook input priority -300; ip daddr {CONTROLLER_V4} drop; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of this machine's loopback that the site reaches, by number, at `CONTROLLER_V4`."""

    edge: int = 8443
    join: int = 8444


def missing_tools() -> tuple[str, ...]:
    """Which of `TOOLS` this machine lacks."""
    return tuple(tool for tool in TOOLS if shutil.which(tool) is None)


class Site:
    """One lab. Enter it to build it; leave it, or die, and it is gone.

    Must be entered in the thread that runs the loop: children die with the thread that made them.
    ``own_names`` leaves names and addresses of the LAN to the agent; else a stand-in answers names.
    Raises `NamespaceError` when the kernel or a tool refuses.
    """

    def __init__(
        self,
        directory: Path,
        *,
        devices: int = 4,
        ports: Ports | None = None,
        own_names: bool = False,
    ) -> None:
        assert 1 <= devices <= DEVICES_MAX, f"want 1 to {DEVICES_MAX} devices"
        self.flows = meter.Flows()
        self._directory = directory
        self._ports = ports or Ports()
        self._wanted = devices
        self._own_names = own_names
        self._held = contextlib.AsyncExitStack()
        self._visits: dict[asyncio.Future[None], StreamWriter] = {}
        self.devices: list[Device] = []

    async def __aenter__(self) -> Self:
        if missing := missing_tools():
            raise NamespaceError(f"the lab needs these programs: {', '.join(missing)}")
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._build()
            await self._open()
        except BaseException:
            await self._held.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()

    def device(self, number: int) -> Device:
        """The device of that number, from 1."""
        return self.devices[number - 1]

    def link_down(self) -> None:
        """Cut the site's uplink: the gateway loses carrier, packets are lost, nobody is told."""
        self.internet.ip("link set isp0 down")

    def link_up(self) -> None:
        """Mend the uplink."""
        self.internet.ip("link set isp0 up", f"route replace fd77::/64 via {SITE_V6}")

    def controller_away(self) -> None:
        """Lose every packet to the controller, and nothing else: the rest of the internet stays."""
        self.internet.run("nft", "-f", "-", stdin=_AWAY)

    def controller_back(self) -> None:
        """Let the controller be reached again."""
        self.internet.run("nft", "delete", "table", "inet", "away")

    def _build(self) -> None:
        self.internet = self._held.enter_context(Namespace("internet"))
        self.gateway = self._held.enter_context(Namespace("site"))
        self._build_internet()
        self._build_gateway()
        for number in range(1, self._wanted + 1):
            self.devices.append(self._build_device(number))

    def _build_internet(self) -> None:
        self.internet.ip(
            "link set lo up",
            f"addr add {CONTROLLER_V4}/32 dev lo",
            f"link add isp0 type veth peer name wan0 netns {self.gateway.path}",
            f"addr add {INTERNET_V4}/24 dev isp0",
            lend=(self.gateway,),
        )
        # No route back to 10.77/16: a packet that left the site unmasqueraded gets no answer, but
        # is still seen, which is why the sources are not filtered.
        self.internet.sysctl(
            {
                "ipv4/conf/all/rp_filter": "0",
                "ipv4/conf/isp0/rp_filter": "0",
                "ipv6/conf/isp0/accept_dad": "0",
                "ipv6/conf/isp0/keep_addr_on_down": "1",
            }
        )
        self.internet.ip(
            f"addr add {INTERNET_V6}/64 dev isp0 nodad",
            "link set isp0 gso_max_segs 1 up",
            f"route add fd77::/64 via {SITE_V6}",
        )

    def _build_gateway(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # a kernel without br_netfilter
            # With it, frames within the bridge, and answers to them, take another road than on
            # most gateways: resets then never leave the LAN, whomever they are for.
            self.gateway.sysctl({f"bridge/bridge-nf-call-{of}tables": "0" for of in _BRIDGED})
        self.gateway.ip(
            "link set lo up", "link add br-lan type bridge forward_delay 0 mcast_snooping 0"
        )
        self.gateway.sysctl(
            {
                "ipv4/ip_forward": "1",
                "ipv4/conf/all/rp_filter": "0",
                "ipv6/conf/all/forwarding": "1",
                "ipv6/conf/all/accept_dad": "0",
                "ipv6/conf/br-lan/accept_dad": "0",
                "ipv6/conf/wan0/accept_dad": "0",
            }
        )
        self.gateway.ip(
            f"addr add {GATEWAY_V4}/16 dev br-lan",
            f"addr add {GATEWAY_V6}/64 dev br-lan nodad",
            f"addr add {SITE_V4}/24 dev wan0",
            f"addr add {SITE_V6}/64 dev wan0 nodad",
            "link set br-lan up",
            "link set wan0 gso_max_segs 1 up",
            f"route add default via {INTERNET_V4}",
            f"route add default via {INTERNET_V6}",
        )
        self.gateway.resolve_with(self._resolver("site", INTERNET_V4))

    def _build_device(self, number: int) -> Device:
        ns = self._held.enter_context(Namespace(f"device{number}"))
        device = Device(ns, number, flows=self.flows)
        self.gateway.ip(
            f"link add lan{number} type veth peer name eth0 netns {ns.path}",
            f"link set lan{number} master br-lan gso_max_segs 1 up",
            lend=(ns,),
        )
        ns.sysctl({"ipv6/conf/eth0/accept_dad": "0", "ipv6/conf/eth0/accept_ra": "0"})
        ns.ip(
            "link set lo up",
            f"link set eth0 address {device.mac} gso_max_segs 1 up",
            f"addr add {device.ipv4}/16 dev eth0",
            f"addr add {device.ipv6}/64 dev eth0 nodad",
            f"route add default via {GATEWAY_V4}",
            f"route add default via {GATEWAY_V6}",
        )
        ns.resolve_with(self._resolver("device", GATEWAY_V4))
        return device

    def _resolver(self, label: str, server: str) -> Path:
        path = self._directory / f"resolv-{label}.conf"
        path.write_text(f"nameserver {server}\n", encoding="ascii")
        return path

    async def _open(self) -> None:
        self._serve_names()
        for family, address in ((socket.AF_INET, INTERNET_V4), (socket.AF_INET6, INTERNET_V6)):
            await self._listen(serve_web, address, 80, family=family)
            await self._listen(meter.serve_tcp, address, meter.TCP_PORT, family=family)
            await self._count_udp(address, family=family)
        for port in (self._ports.edge, self._ports.join):
            await self._listen(pipe_to(port), CONTROLLER_V4, port)
        async for attempt in AsyncRetrying(
            stop=stop_after_delay(READY_WAIT_S),
            wait=wait_fixed(0.05),
            retry=retry_if_exception_type(ResolveError),
            reraise=True,
        ):
            with attempt:
                await self._ready()

    async def _ready(self) -> None:
        if not self._own_names:
            await resolve(self.devices[0].ns, "a.lab", server=GATEWAY_V4, wait_s=0.5)
        # IPv6 trusts a new link a second later than IPv4 does.
        outside = Device(self.gateway, 1, flows=self.flows)
        ways = [(outside, INTERNET_V6, 80)]
        if not self._own_names:
            ways += [(one, GATEWAY_V6, 53) for one in self.devices]
        for device, address, port in ways:
            if not await device.reaches(address, port, wait_s=1.0):
                raise ResolveError(f"the link to {address} of device {device.number} stays down")

    def _serve_names(self) -> None:
        self._child(
            self.internet,
            *(*_DNSMASQ, *_QUIET, "--bind-interfaces", f"--listen-address={INTERNET_V4}"),
            f"--address=/#/{INTERNET_V4}",
            f"--address=/#/{INTERNET_V6}",
            "--address=/dns.msftncsi.com/131.107.255.255",
        )
        if self._own_names:
            return
        self._child(
            self.gateway,
            *(*_DNSMASQ, *_QUIET, "--bind-interfaces", "--interface=br-lan"),
            *("--except-interface=lo", f"--server={INTERNET_V4}"),
            f"--address=/{PORTAL_HOST}/{GATEWAY_V4}",
            f"--address=/{PORTAL_HOST}/{GATEWAY_V6}",
        )

    def _child(self, ns: Namespace, *argv: str) -> None:
        child = ns.popen(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._held.callback(_stop, child)

    async def _listen(
        self,
        visitor: Visitor,
        address: str,
        port: int,
        *,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> None:
        made = self.internet.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port == meter.TCP_PORT:
            meter.limit_window(made)
        made.bind((address, port))

        def visit(reader: StreamReader, writer: StreamWriter) -> None:
            task = asyncio.ensure_future(visitor(reader, writer))
            self._visits[task] = writer
            task.add_done_callback(self._visits.pop)

        server = await asyncio.start_server(visit, sock=made, limit=HEAD_BYTES_MAX)
        self._held.push_async_callback(self._close, server)

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        await asyncio.sleep(0)  # connections accepted a moment ago become visits first
        visits = dict(self._visits)
        for visit, writer in visits.items():
            visit.cancel()
            writer.transport.abort()
        await asyncio.gather(*visits, return_exceptions=True)

    async def _count_udp(self, address: str, *, family: socket.AddressFamily) -> None:
        made = self.internet.socket(family, socket.SOCK_DGRAM)
        made.bind((address, meter.UDP_PORT))
        headers = meter.V6_HEADERS_BYTES if family == socket.AF_INET6 else meter.V4_HEADERS_BYTES
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: meter.UdpMeter(self.flows, headers_bytes=headers), sock=made
        )
        self._held.callback(transport.close)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_WAIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(STOP_WAIT_S)
