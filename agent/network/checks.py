"""What could keep the site's own network from working, and what to do about each."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.findings import Finding, Verdict
from agent.network import addresses, dnsmasq, files, situation
from agent.network.addresses import AddressError
from agent.network.dnsmasq import DnsmasqError
from agent.network.plan import PORTAL_TLS_PORT

if TYPE_CHECKING:
    from pathlib import Path

    from agent.model import Instant
    from agent.network.plan import Network

REACH_S = 3


async def findings(state_dir: Path, network: Network, now: Instant) -> list[Finding]:
    """Look at dnsmasq, at the LAN's address and at what phones are told of the portal."""
    # In a thread: what asks the kernel runs a loop of its own.
    found = [await asyncio.to_thread(_address, network)]
    try:
        built_with = dnsmasq.installed()
    except DnsmasqError as missing:
        fix = "apt install dnsmasq-base"
        return [*found, Finding("dnsmasq", Verdict.FAIL, str(missing), fix)]
    by_name = "nftset" in built_with
    return [
        *found,
        _running(state_dir, network, now, by_name=by_name),
        _garden(by_name=by_name),
        await _captive_api(network),
    ]


def _address(network: Network) -> Finding:
    check = "lan address"
    try:
        there = [address for name, address in addresses.addresses() if name == network.lan]
    except AddressError as broken:
        return Finding(check, Verdict.FAIL, str(broken), "run as root")
    if network.address in there:
        return Finding(check, Verdict.PASS, f"{network.address} is on {network.lan}")
    fix = "start the agent, or lango-agent network ensure; keep it in the machine's own set-up"
    shown = ", ".join(map(str, there)) or "no address"
    return Finding(check, Verdict.FAIL, f"{network.lan} has {shown}, not {network.address}", fix)


def _running(state_dir: Path, network: Network, now: Instant, *, by_name: bool) -> Finding:
    check = "dnsmasq"
    try:
        folder = files.folder(state_dir)
        wanted = dnsmasq.texts(situation.served(folder, network, now, by_name=by_name))
        processes = {name: dnsmasq.running(folder, name, text) for name, text in wanted.items()}
    except OSError as broken:
        return Finding(check, Verdict.FAIL, f"{state_dir}: {broken.strerror}", "run as root")
    dead = [name for name, process in processes.items() if process is None]
    if dead:
        fix = "start the agent; does another name server hold port 53 or 67 of the LAN?"
        return Finding(check, Verdict.FAIL, f"not running: {', '.join(dead)}", fix)
    if not all(process is not None and process.right for process in processes.values()):
        fix = "start the agent: it brings the configuration up to date"
        return Finding(check, Verdict.WARN, "runs with another configuration", fix)
    return Finding(check, Verdict.PASS, "serves addresses and names")


def _garden(*, by_name: bool) -> Finding:
    if by_name:
        return Finding("walled garden", Verdict.PASS, "names can be opened before payment")
    fix = "install a dnsmasq of 2.87 or newer that was built with nftset"
    text = "this dnsmasq was built without nftset: names in the garden stay closed"
    return Finding("walled garden", Verdict.WARN, text, fix)


async def _captive_api(network: Network) -> Finding:
    check = "option 114"
    if network.api_url is None:
        text = "phones are not told where the portal is, and find it by their own probe"
        fix = "set [portal] certificate and key, for a name that the site's certificate is for"
        return Finding(check, Verdict.WARN, text, fix)
    host = urlsplit(network.api_url).hostname
    try:
        async with asyncio.timeout(REACH_S):
            context = ssl.create_default_context()
            _, writer = await asyncio.open_connection(
                str(network.address.ip), PORTAL_TLS_PORT, ssl=context, server_hostname=host
            )
    except (OSError, TimeoutError) as broken:
        text = f"phones are told of {network.api_url}, which does not answer: {_said(broken)}"
        fix = "renew the certificate of [portal], or take it out: phones take this for broken"
        return Finding(check, Verdict.FAIL, text, fix)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Finding(check, Verdict.PASS, f"{network.api_url} answers")


def _said(broken: Exception) -> str:
    return str(broken) or "no answer in time"
