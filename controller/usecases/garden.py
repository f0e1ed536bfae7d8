"""The walled garden: names and networks that everybody may reach, unpaid and uncounted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.edge import wire
from controller.store import garden, items, plans, sites
from controller.store.garden import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.site_rows import GardenRow

NAMES_MAX = 500
"""At one site: as many as the site's resolver takes."""

NETWORKS_MAX = 1_000
NAME_LENGTH_MAX = 253
PREFIX4_MIN, PREFIX6_MIN = 8, 16
"""Wider than these, the garden would be the internet."""

ITEM_KEY = "garden"
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.[a-z][a-z0-9-]{{0,61}}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A name or a network, in its normal form; ``kind`` says which."""

    text: str
    kind: str


def entry(text: str) -> Entry:
    """What staff typed, in its normal form. Raises `InvalidField`."""
    compact = text.strip().lower().rstrip(".")
    if "/" in compact or ":" in compact or compact.replace(".", "").isdecimal():
        return Entry(_network(compact), "network")
    if len(compact) > NAME_LENGTH_MAX or not _NAME.fullmatch(compact):
        raise InvalidField("entry", f"{text[:60]!r} is no host name of two parts or more")
    return Entry(compact, "name")


async def add_entry(deps: Deps, one: Entry, site_id: SiteId | None = None) -> None:
    """Let everybody reach it, at a site or (None) at all, those to come too. Repeats do nothing.

    Raises `InvalidField`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        named = await _named(tx, site_id)
        if not await garden.add(tx, site_id or EVERYWHERE, one.text, kind=one.kind):
            return
        await _told(tx, named)
    _wake(deps, named)


async def remove_entry(deps: Deps, one: Entry, site_id: SiteId | None = None) -> bool:
    """Let it no longer be reached by way of this entry; False when there was none.

    Raises `InvalidField`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        named = await _named(tx, site_id)
        if not await garden.drop(tx, site_id or EVERYWHERE, one.text):
            return False
        await _told(tx, named)
    _wake(deps, named)
    return True


async def items_for(tx: Tx, site_ids: Sequence[SiteId]) -> dict[SiteId, dict[str, bytes | None]]:
    """The garden's item of each site, None where it is empty. Raises `InvalidField`."""
    rows = await garden.of_sites(tx, site_ids)
    return {site_id: {ITEM_KEY: _body(rows[site_id])} for site_id in site_ids}


async def _named(tx: Tx, site_id: SiteId | None) -> list[SiteId]:
    """The sites that an entry is for; nobody else changes a garden, or adds a site, meanwhile."""
    await plans.lock(tx)
    if site_id is None:
        return await sites.all_ids(tx)
    if await sites.load(tx, site_id) is None:
        raise InvalidField("site_id", f"there is no site {site_id}")
    return [site_id]


async def _told(tx: Tx, named: Sequence[SiteId]) -> None:
    await items.put_many(tx, await items_for(tx, named))


def _body(rows: Sequence[GardenRow]) -> bytes | None:
    names = sorted({row.entry for row in rows if row.kind == "name"})
    networks = sorted({row.entry for row in rows if row.kind == "network"})
    if len(names) > NAMES_MAX or len(networks) > NETWORKS_MAX:
        most = f"{NAMES_MAX} names and {NETWORKS_MAX:,} networks"
        raise InvalidField("entry", f"a site's garden has at most {most}")
    return wire.garden_body(names=names, networks=networks) if rows else None


def _network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise InvalidField("entry", f"{text[:60]!r} is no network: {error}"[:200]) from error
    least = PREFIX4_MIN if isinstance(network, IPv4Network) else PREFIX6_MIN
    if network.prefixlen < least:
        raise InvalidField("entry", f"want a prefix of /{least} or longer: {text} is too much")
    return str(network)


def _wake(deps: Deps, named: Sequence[SiteId]) -> None:
    for site_id in named:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
