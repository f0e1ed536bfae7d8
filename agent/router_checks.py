"""What could keep an agent from working with its router, and what to do about each."""

from __future__ import annotations

import stat
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING

from agent import router as routers
from agent.findings import Finding, Verdict
from shaping.plane import PlaneError
from shaping.routeros.rows import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent.router import RouterOs
    from shaping.routeros.session import Answer, Talk, Words

LOOK_S = 20.0
NOT_YET = "0" * 64
"""A fingerprint as the shipped example has it: nobody's."""

SHOWN_MAX = 5
"""Of a long list, what is named."""


async def findings(router: RouterOs) -> list[Finding]:
    """Look at the router, which is told nothing; a check that fails keeps no other from running.

    Of several routers, each finding begins with the name of its own.
    """
    found = await _findings(router)
    if not router.name:
        return found
    return [replace(one, check=f"{router.name}: {one.check}") for one in found]


async def _findings(router: RouterOs) -> list[Finding]:
    found = [_secret(router), _link(router)]
    if found[0].verdict is Verdict.FAIL:
        return found
    try:
        lane = routers.lane(router, patience_s=LOOK_S)
    except PlaneError as error:
        return [*found, Finding("router", Verdict.FAIL, str(error), "write the password there")]
    try:
        return [*found, *await lane.run(lambda talk: list(_looked(talk, router)))]
    except PlaneError as error:
        fix = "is api-ssl on, this machine in its address list, and the fingerprint right?"
        return [*found, Finding("router", Verdict.FAIL, str(error), fix)]
    finally:
        lane.close()


def _secret(router: RouterOs) -> Finding:
    path = router.password_file
    try:
        mode = path.stat().st_mode
    except OSError as error:
        fix = "write the API user's password there"
        return Finding("router password", Verdict.FAIL, f"{path}: {error.strerror}", fix)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        fix = f"chmod 600 {path}"
        return Finding("router password", Verdict.WARN, f"others may read {path}", fix)
    return Finding("router password", Verdict.PASS, f"{path} is there for nobody else")


def _link(router: RouterOs) -> Finding:
    if router.fingerprint is None:
        fix = "give the router a certificate, set fingerprint, and take tls = false away"
        return Finding("router link", Verdict.WARN, "the password goes in clear", fix)
    if router.fingerprint == NOT_YET:
        fix = "lango-agent router adopt, and write the sha256 that the router prints there"
        return Finding("router link", Verdict.FAIL, "fingerprint is still all zeros", fix)
    return Finding("router link", Verdict.PASS, "TLS, its certificate pinned")


def _looked(talk: Talk, router: RouterOs) -> Iterator[Finding]:
    yield Finding("router", Verdict.PASS, f"{router.host} answers: RouterOS {talk.version}")
    for name in router.interfaces:
        yield from _interface(talk, name, router)
    if router.lines is not None:
        yield from _pppoe(talk, router.lines, router.user)


def _interface(talk: Talk, name: str, router: RouterOs) -> Iterator[Finding]:
    check = f"router interface {name}"
    (found,) = _rows(talk, ("/interface/print", "=.proplist=name,running", f"?name={name}"))
    if not found:
        yield Finding(check, Verdict.FAIL, "it is not there", "set interfaces to its name there")
        return
    words = ("/ip/address/print", "=.proplist=address,interface", f"?interface={name}")
    (addresses,) = _rows(talk, words)
    inside = [
        row["address"]
        for row in addresses
        if router.portal in IPv4Interface(row["address"]).network
    ]
    if inside:
        fix = "put this machine on another interface of the router"
        text = f"the portal {router.portal} is in the devices' own network {inside[0]}"
        yield Finding(check, Verdict.FAIL, text, fix)
    elif not addresses:
        yield Finding(check, Verdict.WARN, "the router has no address there", "give it one")
    else:
        yield Finding(check, Verdict.PASS, f"it is there, with {addresses[0]['address']}")
    yield from _arp(talk, name, check)


def _arp(talk: Talk, name: str, check: str) -> Iterator[Finding]:
    """Address lists know no MAC: the router's own ARP has to."""
    for menu in ("/interface/bridge", "/interface/vlan", "/interface/ethernet"):
        (rows,) = _rows(talk, (f"{menu}/print", "=.proplist=name,arp", f"?name={name}"))
        if rows and rows[0].get("arp", "reply-only") != "reply-only":
            fix = f"{menu} set {name} arp=reply-only, and add-arp=yes at its DHCP server"
            text = "who takes a paid device's address may use it"
            yield Finding(f"{check} arp", Verdict.WARN, text, fix)


def _pppoe(talk: Talk, network: IPv4Network, user: str) -> Iterator[Finding]:
    """Whether people can dial in, and nobody else's addresses are among theirs."""
    menu = "/interface/pppoe-server/server"
    (servers,) = _rows(talk, (f"{menu}/print", "=.proplist=interface,disabled"))
    open_at = [row.get("interface", "") for row in servers if row.get("disabled") != "true"]
    if open_at:
        yield Finding("router pppoe", Verdict.PASS, f"its server answers on {', '.join(open_at)}")
    else:
        fix = f"{menu} add interface=... disabled=no"
        yield Finding("router pppoe", Verdict.FAIL, "no PPPoE server runs", fix)
    inside = sorted(set(_strangers_in(talk, network)))
    if inside:
        text = f"pppoe_network {network} has {', '.join(inside[:SHOWN_MAX])}"
        fix = "take a network that the router uses for nothing else"
        yield Finding("router pppoe network", Verdict.FAIL, text, fix)
    else:
        yield Finding("router pppoe network", Verdict.PASS, f"{network} is nobody else's")
    yield from _sight(talk, user)


def _strangers_in(talk: Talk, network: IPv4Network) -> Iterator[str]:
    """What of the router's own has an address that those who dial in are given."""
    addresses, pools, secrets = _rows(
        talk,
        ("/ip/address/print", "=.proplist=address,dynamic"),
        ("/ip/pool/print", "=.proplist=name,ranges"),
        ("/ppp/secret/print", "=.proplist=name,remote-address,comment"),
    )
    for row in addresses:
        own = IPv4Interface(row.get("address", "0.0.0.0/32"))
        if row.get("dynamic") != "true" and own.network.overlaps(network):
            yield f"the address {own}"
    for row in pools:
        if any(_crosses(one, network) for one in row.get("ranges", "").split(",")):
            yield f"the pool {row.get('name', '')}"
    for row in secrets:
        strangers = not row.get("comment", "").startswith(MARK)
        if strangers and _crosses(row.get("remote-address", ""), network):
            yield f"the secret {row.get('name', '')}"


def _crosses(text: str, network: IPv4Network) -> bool:
    """Whether an address, a range or a network has something of ``network``; a name has not."""
    first, _, last = text.partition("-")
    try:
        if "/" in first:
            return IPv4Network(first, strict=False).overlaps(network)
        low, high = IPv4Address(first), IPv4Address(last or first)
    except ValueError:
        return False
    return low <= network.broadcast_address and network.network_address <= high


def _sight(talk: Talk, user: str) -> Iterator[Finding]:
    """A user that may not see secrets cannot tell whether one was changed by hand."""
    (users,) = _rows(talk, ("/user/print", "=.proplist=group", f"?name={user}"))
    group = users[0].get("group", "") if users else ""
    (groups,) = _rows(talk, ("/user/group/print", "=.proplist=policy", f"?name={group}"))
    if groups and "sensitive" not in groups[0].get("policy", "").split(","):
        fix = f"/user group set {group} policy=read,write,api,sensitive"
        text = "a PPPoE password that somebody changes there is not noticed"
        yield Finding("router pppoe secrets", Verdict.WARN, text, fix)


def _rows(talk: Talk, *orders: Words) -> Sequence[Sequence[Mapping[str, str]]]:
    """What each order brings; nothing where the router refuses it."""
    answers: list[Answer] = talk.ask(orders)
    return [[] if answer.trap is not None else answer.rows for answer in answers]
