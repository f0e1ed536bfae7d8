"""What could keep an agent from working on this machine, and what to do about each."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import tempfile
from datetime import UTC, datetime
from errno import EADDRINUSE, EADDRNOTAVAIL
from pathlib import Path
from typing import TYPE_CHECKING

from agent import identity as identities
from agent import router_checks, status
from agent.findings import Finding, Verdict
from agent.identity import IdentityError
from agent.radius.settings import with_secrets
from agent.status import PLAIN, RED
from agent.uplink.grpc import GrpcUplink
from agent.uplink.seam import UplinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config import Config
    from agent.model import Instant
    from agent.radius.settings import Radius

CAP_NET_ADMIN = 12
IPV6 = 6
SANE_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before this was never set."""

REACH_S = 10


async def examine(config: Config, at: Instant) -> list[Finding]:
    """Look at everything; a check that fails never keeps another from running."""
    now = at.wall
    findings = [_clock(now), _state_dir(config)]
    if config.plane == "linux":
        findings += [_capabilities(), _nftables(), _forwarding()]
        findings += [_interface("lan", config.lan), _interface("wan", config.wan)]
        if config.network is not None:
            # Deferred: it takes pyroute2, which only gateways have.
            from agent.network import checks

            findings += await checks.findings(config.state_dir, config.network, at)
    elif config.routers:
        looks = await asyncio.gather(*map(router_checks.findings, config.routers))
        findings += [one for found in looks for one in found]
    else:
        findings.append(_no_packets(config))
    if config.radius is not None:
        runs = status.read(config.state_dir, now=now) is not None
        findings += [_nas_secrets(config.radius), weak_nases(config.radius)]
        findings.append(_radius_ports(config.radius, runs=runs))
    findings += await _controller(config, now)
    return findings


def _clock(now: datetime) -> Finding:
    if now >= SANE_SINCE:
        return Finding("clock", Verdict.PASS, now.isoformat(timespec="seconds"))
    return Finding("clock", Verdict.WARN, f"{now:%Y-%m-%d} cannot be", "run an NTP client")


def _state_dir(config: Config) -> Finding:
    name = str(config.state_dir)
    try:
        config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=config.state_dir):
            pass
    except OSError as error:
        fix = "run as the user that owns it, or set state_dir"
        return Finding("journal", Verdict.FAIL, f"{name}: {error.strerror}", fix)
    return Finding("journal", Verdict.PASS, f"{name} can be written")


def _capabilities() -> Finding:
    held = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
    if held >> CAP_NET_ADMIN & 1:
        return Finding("capabilities", Verdict.PASS, "CAP_NET_ADMIN is held")
    fix = "run as root, or give the unit AmbientCapabilities=CAP_NET_ADMIN"
    return Finding("capabilities", Verdict.FAIL, "CAP_NET_ADMIN is missing", fix)


def _nftables() -> Finding:
    try:
        ctypes.CDLL("libnftables.so.1")
    except OSError:
        fix = "apt install libnftables1"
        return Finding("nftables", Verdict.FAIL, "libnftables.so.1 is not installed", fix)
    return Finding("nftables", Verdict.PASS, "libnftables.so.1 is there")


def _forwarding() -> Finding:
    def off(path: str) -> bool:
        try:
            return Path(path).read_text().strip() != "1"
        except OSError:
            return True

    if off("/proc/sys/net/ipv4/ip_forward"):
        fix = "sysctl -w net.ipv4.ip_forward=1, and keep it in /etc/sysctl.d"
        return Finding("forwarding", Verdict.FAIL, "IPv4 is not forwarded", fix)
    if off("/proc/sys/net/ipv6/conf/all/forwarding"):
        fix = "sysctl -w net.ipv6.conf.all.forwarding=1 if the site has IPv6"
        return Finding("forwarding", Verdict.WARN, "IPv6 is not forwarded", fix)
    return Finding("forwarding", Verdict.PASS, "IPv4 and IPv6 are forwarded")


def _interface(key: str, name: str) -> Finding:
    try:
        socket.if_nametoindex(name)
    except OSError:
        there = ", ".join(n for _, n in socket.if_nameindex() if n != "lo")
        fix = f"set [{key}] interface to one of {there}"
        return Finding(f"{key} interface", Verdict.FAIL, f"{name} is not there", fix)
    return Finding(f"{key} interface", Verdict.PASS, f"{name} is there")


async def _controller(config: Config, now: datetime) -> list[Finding]:
    try:
        identity = identities.load(config.state_dir)
        until = identity.valid_until
    except IdentityError as error:
        return [Finding("certificate", Verdict.FAIL, str(error), "get a token from the operator")]
    text = f"site {identity.site_id}, until {until:%Y-%m-%d %H:%M} UTC"
    if now > until:
        fix = "join again with a new token"
        return [Finding("certificate", Verdict.FAIL, f"it ended: {text}", fix)]
    return [Finding("certificate", Verdict.PASS, text), await _reached(identity)]


async def _reached(identity: identities.Identity) -> Finding:
    uplink = GrpcUplink(identity.credentials)
    try:
        async with asyncio.timeout(REACH_S):
            await uplink.ready()
    except (UplinkError, TimeoutError):
        fix = "is the address right, the port open, and the certificate not revoked?"
        text = f"{identity.edge_address} cannot be reached"
        return Finding("controller", Verdict.FAIL, text, fix)
    finally:
        await uplink.close()
    return Finding("controller", Verdict.PASS, f"{identity.edge_address} answers")


def _no_packets(config: Config) -> Finding:
    if config.plane == "radius":
        text = "no packet passes here: the NASes forward them"
        return Finding("plane", Verdict.PASS, text)
    fix = 'set plane = "linux" on a gateway'
    if config.radius is not None:
        fix += ', plane = "radius" where NASes forward'
    return Finding("plane", Verdict.WARN, "the memory plane moves no packets", fix)


def _radius_ports(radius: Radius, *, runs: bool) -> Finding:
    """Whether the ports are to be had; ``runs``: the agent is at work, and has them itself."""
    family = socket.AF_INET6 if radius.listen.version == IPV6 else socket.AF_INET
    for port in (radius.auth_port, radius.acct_port):
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            try:
                tried.bind((str(radius.listen), port))
            except OSError as error:
                if runs and error.errno == EADDRINUSE:
                    continue
                text = f"{radius.listen} port {port}: {error.strerror}"
                fix = "end the other program that has it (ss -lnup), or set other ports"
                if error.errno == EADDRNOTAVAIL:
                    fix = "set [radius] listen to an address of this machine (ip -4 address)"
                return Finding("radius ports", Verdict.FAIL, text, fix)
    ports = f"{radius.auth_port} and {radius.acct_port} at {radius.listen}"
    text = f"the agent answers at {ports}" if runs else f"{ports} are free"
    return Finding("radius ports", Verdict.PASS, text)


def _nas_secrets(radius: Radius) -> Finding:
    _, faults = with_secrets(radius)
    if faults:
        fix = "a file for each NAS, of 12 letters or more, that its owner alone can read"
        return Finding("radius secrets", Verdict.FAIL, "; ".join(faults), fix)
    return Finding("radius secrets", Verdict.PASS, "every NAS has one of its own")


def weak_nases(radius: Radius) -> Finding:
    """Whether every NAS proves what it asks."""
    if not radius.weak:
        return Finding("radius", Verdict.PASS, f"{len(radius.nases)} NAS, all of them sign")
    text = f"{', '.join(radius.weak)}: believed without a Message-Authenticator (CVE-2024-3596)"
    fix = (
        "upgrade to RouterOS 7.15, set require-message-auth, drop the exception; till then a tunnel"
    )
    return Finding("radius", Verdict.FAIL, text, fix)


def printed(
    findings: list[Finding], write: Callable[[str], object], *, colours: bool = False
) -> None:
    """Write findings for people: one line each, and what to do below it; failures in red."""
    for one in findings:
        red = colours and one.verdict is Verdict.FAIL
        before, after = (RED, PLAIN) if red else ("", "")
        write(f"{before}{one.verdict:4}  {one.check}: {one.text}{after}\n")
        if one.fix and one.verdict is not Verdict.PASS:
            write(f"      fix: {one.fix}\n")
