"""Looks at a site's network: asked for by staff, carried out by its agent, over in ten minutes."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import SiteId
from controller.edge import wire
from controller.store import items, probes, sites
from controller.usecases.sites import SiteUnknown

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx

KINDS = ("arp", "dhcp", "trace", "dns", "mtu")
PATIENCE = timedelta(minutes=10)
"""A probe without a result for so long is over: its site would not begin it any more."""

TARGET_LENGTH_MAX = 253
SWEEP_PREFIX_MIN = 22
OVERDUE_MAX = 500
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class ProbeUnderWay(Exception):  # noqa: N818 - a refusal, see style
    """The site is looking already; one probe of a kind at a time."""


async def ask(deps: Deps, site_id: SiteId, kind: str, target: str = "") -> str:
    """Have a site look at its network once; the probe's id.

    What may be looked at the site decides. Raises `InvalidField`, `SiteUnknown`, `ProbeUnderWay`,
    `DatabaseBusy`.
    """
    target = target.strip().lower()
    _check(kind, target)
    now, probe_id = deps.now(), secrets.token_hex(16)
    async with deps.db.begin() as tx:
        if await sites.load(tx, site_id) is None:
            raise SiteUnknown(f"there is no site {site_id}")
        asked = {"kind": kind, "target": target}
        if not await probes.add(tx, probe_id=probe_id, site_id=site_id, now=now, **asked):
            raise ProbeUnderWay(f"a probe of kind {kind} is under way at {site_id}")
        body = wire.probe_body(probe_id, kind=kind, target=target, asked_at=now)
        await items.put(tx, site_id, {item_key(probe_id): body})
    deps.signals.wake(f"site:{site_id}")
    return probe_id


async def answered(
    tx: Tx, site_id: SiteId, probe_ids: Collection[str], now: datetime
) -> dict[str, bytes | None]:
    """Note that results came; the items that the site needs no more."""
    return {
        item_key(one): None for one in await probes.end(tx, probe_ids, site_id=site_id, now=now)
    }


async def give_up(deps: Deps) -> int:
    """End the probes whose results will not come; how many. Raises `DatabaseBusy`."""
    now = deps.now()
    async with deps.db.begin() as tx:
        late = await probes.overdue(tx, asked_before=now - PATIENCE, limit=OVERDUE_MAX)
        wanted: dict[SiteId, dict[str, bytes | None]] = {}
        for site_id in sorted({SiteId(row.site_id) for row in late}):
            ids = [row.id for row in late if row.site_id == site_id]
            if gone := await answered(tx, site_id, ids, now):
                wanted[site_id] = gone
        await items.put_many(tx, wanted)
    for site_id in wanted:
        deps.signals.wake(f"site:{site_id}")
    return sum(map(len, wanted.values()))


def item_key(probe_id: str) -> str:
    """The key of a probe's item."""
    return f"probe/{probe_id}"


def _check(kind: str, target: str) -> None:
    """Refuse what no site would carry out, naming the field."""
    if kind not in KINDS:
        raise InvalidField("kind", f"want one of {', '.join(KINDS)}")
    if len(target) > TARGET_LENGTH_MAX:
        raise InvalidField("target", f"want at most {TARGET_LENGTH_MAX} characters")
    if not target:
        return
    if kind == "dhcp":
        raise InvalidField("target", "dhcp has none: it asks whoever is on the LAN")
    if kind == "arp":
        _check_network(target)
        return
    if target.replace(".", "").isdecimal() and kind != "dns":
        _check_address(target)
    elif not _NAME.fullmatch(target) or target.replace(".", "").isdecimal():
        want = "a host name" if kind == "dns" else "an IPv4 address or a host name"
        raise InvalidField("target", f"want {want}")


def _check_network(target: str) -> None:
    try:
        network = IPv4Network(target)
    except ValueError as error:
        raise InvalidField("target", "want an IPv4 address or network of the LAN") from error
    if network.prefixlen < SWEEP_PREFIX_MIN:
        raise InvalidField("target", f"want at most a /{SWEEP_PREFIX_MIN} at once")


def _check_address(target: str) -> None:
    try:
        address = IPv4Address(target)
    except ValueError as error:
        raise InvalidField("target", "want an IPv4 address or a host name") from error
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        raise InvalidField("target", f"{address} is not behind the uplink")
