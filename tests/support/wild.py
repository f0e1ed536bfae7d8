"""A site with an internet of its own that can go wrong: namespaces without an agent.

A gateway with two devices on its LAN, an internet provider's router, and a far network behind it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Self

from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GATEWAY, ISP, LIAR, FAR = "10.77.0.1", "198.51.100.1", "198.51.100.3", "203.0.113.10"
DEVICES = ("10.77.0.11", "10.77.0.12")
NAME = "shop.example"
CAPTURE_BYTES = 16 << 20
_OUTGOING, _IGMP = 4, 2
_CONFIG = """
state_dir = "{state}"
[lan]
interface = "br-lan"
[wan]
interface = "wan0"
[network]
address = "10.77.0.1/16"
range = "10.77.1.1-10.77.1.200"
upstreams = [{upstreams}]
"""
_DNSMASQ = ("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=")
_QUIET = ("--user=root", "--group=root", "--no-resolv", "--no-hosts", "--log-facility=/dev/null")


class Wild:
    """The site. Enter it to build it; leave it and it is gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = contextlib.ExitStack()
        self.config = self.configured(ISP)

    def __enter__(self) -> Self:
        self.gateway, self.isp, self.far, *self.devices = [
            self._held.enter_context(Namespace(name))
            for name in ("gateway", "isp", "far", "device1", "device2")
        ]
        self._wire()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def configured(self, *upstreams: str) -> Path:
        """A configuration of the gateway with these resolvers."""
        path = self._folder / f"agent-{'-'.join(upstreams)}.toml"
        state = self._folder / "state"
        state.mkdir(exist_ok=True)
        quoted = ", ".join(f'"{one}"' for one in upstreams)
        path.write_text(_CONFIG.format(state=state, upstreams=quoted))
        return path

    def probe(self, *words: str, config: Path | None = None) -> dict[str, Any]:
        """What ``lango-agent probe --json`` saw on the gateway."""
        done = self.probed(*words, "--json", config=config)
        assert done.stdout, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def probed(self, *words: str, config: Path | None = None) -> subprocess.CompletedProcess[str]:
        """What became of ``lango-agent probe`` on the gateway."""
        argv = (sys.executable, "-m", "agent.main", "probe", *words)
        return subprocess.run(
            self.gateway.argv(*argv, "--config", str(config or self.config)),
            pass_fds=(self.gateway.fd,),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextlib.contextmanager
    def serving(self, ns: Namespace, *argv: str) -> Iterator[int]:
        """A dnsmasq, once it listens; its pid."""
        child = ns.popen(*_DNSMASQ, *_QUIET, *argv, stderr=subprocess.PIPE)
        try:
            _until_listening(ns)
            yield child.pid
        finally:
            child.kill()
            child.wait()
            assert child.stderr is not None
            child.stderr.close()

    def leased(self, ns: Namespace, interface: str, first: str, last: str) -> Any:
        """A DHCP server on an interface."""
        return self.serving(
            ns,
            f"--interface={interface}",
            "--bind-dynamic",
            f"--dhcp-range={first},{last},2m",
            f"--dhcp-leasefile={self._folder / ns.label}.leases",
        )

    @contextlib.contextmanager
    def captured(self) -> Iterator[list[tuple[str, IPv4Address]]]:
        """What the gateway sends while the block runs: interface, and where to in IPv4 or ARP."""
        seen: list[tuple[str, IPv4Address]] = []

        def opened() -> socket.socket:
            every = socket.htons(3)
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, every)
            made.setsockopt(socket.SOL_SOCKET, 33, CAPTURE_BYTES)  # SO_RCVBUFFORCE
            made.settimeout(0)
            return made

        self.gateway.ip("neigh flush all")  # the kernel asks by itself after whom it knew before
        with self.gateway.call(opened) as made:
            yield seen
            with contextlib.suppress(BlockingIOError):
                while True:
                    frame, (interface, _, kind, *_) = made.recvfrom(65_535)
                    to = _destination(frame)
                    if kind == _OUTGOING and to is not None:
                        seen.append((interface, to))

    def _wire(self) -> None:
        # Only IPv4 is looked at; the kernel's own IPv6 talk would be in every capture.
        self.gateway.sysctl(
            {"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1"}
        )
        self.gateway.ip(
            "link set lo up",
            "link add br-lan type bridge forward_delay 0",
            "addr add 10.77.0.1/16 dev br-lan",
            "link set br-lan up",
            f"link add wan0 type veth peer name isp0 netns {self.isp.path}",
            "addr add 198.51.100.2/24 dev wan0",
            "link set wan0 up",
            lend=(self.isp,),
        )
        self.isp.ip(
            "link set lo up",
            f"addr add {ISP}/24 dev isp0",
            f"addr add {LIAR}/24 dev isp0",
            "link set isp0 up",
            f"link add isp1 type veth peer name far0 netns {self.far.path}",
            "addr add 203.0.113.1/24 dev isp1",
            "link set isp1 up",
            lend=(self.far,),
        )
        self.far.ip(
            "link set lo up",
            f"addr add {FAR}/24 dev far0",
            "link set far0 up",
            "route add default via 203.0.113.1",
        )
        self.isp.sysctl({"ipv4/ip_forward": "1"})
        for number, (ns, address) in enumerate(zip(self.devices, DEVICES, strict=True), 1):
            self.gateway.ip(
                f"link add lan{number} type veth peer name eth0 netns {ns.path}",
                f"link set lan{number} master br-lan up",
                lend=(ns,),
            )
            ns.ip(
                "link set lo up",
                f"link set eth0 address 02:00:00:00:00:{number:02x}",
                f"addr add {address}/16 dev eth0",
                "link set eth0 up",
                f"route add default via {GATEWAY}",
            )
        self.gateway.ip(f"route add default via {ISP}")


def _until_listening(ns: Namespace) -> None:
    """Wait until some UDP socket of the namespace is bound to port 53."""

    def bound() -> bool:
        with open("/proc/thread-self/net/udp", encoding="ascii") as table:  # noqa: PTH123 - of this namespace
            return ":0035 " in table.read()

    for _ in range(400):
        if ns.call(bound):
            return
        subprocess.run(("sleep", "0.02"), check=True)
    raise AssertionError("dnsmasq does not listen")


def _destination(frame: bytes) -> IPv4Address | None:
    """Where IPv4 or ARP goes; None for what the kernels say of themselves (IPv6, IGMP)."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == _IGMP:
        return None
    if kind == b"\x08\x00":
        return IPv4Address(frame[30:34])
    return IPv4Address(frame[38:42]) if kind == b"\x08\x06" else None
