"""Pools, the garden and probes from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.store.site_rows import ProbeResultRow
from tests.support.office import NOON, a_site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.controller.cli.lango import Ran
    from tests.support.office import Office

    Command = Callable[..., Awaitable[Ran]]

RATES = ("--down", "50M", "--up", "20M")


async def fresh(office: Office) -> None:
    await office.keep(a_site("fresh", generation=0))


async def test_pools_are_added_set_and_listed(run: Command, office: Office) -> None:
    await fresh(office)
    await run("pool", "add", "fresh", "mast", *RATES)
    await run("pool", "add", "fresh", "ap1", *RATES, "--parent", "mast", "--port", "eth1")
    changed = await run("pool", "set", "fresh", "ap1", "--down", "30M")
    listed = await run("pool", "list", "fresh")

    assert changed.code == 0, changed.err
    assert ["ap1", "ap1", "mast", "30", "Mb/s", "20", "Mb/s", "eth1"] in [
        line.split() for line in listed.out.splitlines()
    ]


async def test_a_pool_in_the_way_says_so(run: Command, office: Office) -> None:
    await fresh(office)
    await run("pool", "add", "fresh", "mast", *RATES)
    await run("pool", "add", "fresh", "ap1", *RATES, "--parent", "mast")
    kept = await run("pool", "remove", "fresh", "mast")
    ring = await run("pool", "set", "fresh", "mast", "--parent", "ap1")

    assert kept.code == 5
    assert "ap1 is part of mast" in kept.err
    assert ring.code == 2
    assert "parent_id: ap1 is part of mast already" in ring.err


async def test_the_garden_is_listed_for_one_site(run: Command, office: Office) -> None:
    await fresh(office)
    added = await run("garden", "add", "192.0.2.0/24", "--site", "fresh")
    listed = await run("garden", "list", "--site", "fresh")
    removed = await run("garden", "remove", "192.0.2.0/24", "--site", "fresh")

    assert (added.code, removed.code) == (0, 0)
    assert ["192.0.2.0/24", "network", "fresh"] in [one.split() for one in listed.out.splitlines()]


async def test_a_probe_is_asked_for_and_listed_with_what_is_odd(
    run: Command, office: Office
) -> None:
    await fresh(office)
    asked = await run("probe", "fresh", "arp")
    body = '{"outcome": "seen", "odd": ["two use 10.0.0.2"]}'
    probe_id = asked.out.strip()
    await office.keep(ProbeResultRow(site_id="fresh", probe_id=probe_id, at=NOON, body=body))
    listed = await run("probe", "fresh")

    assert asked.code == 0, asked.err
    assert "two use 10.0.0.2" in " ".join(listed.out.split())


async def test_a_probe_that_cannot_be_names_its_field(run: Command, office: Office) -> None:
    await fresh(office)
    refused = await run("probe", "fresh", "dhcp", "--target", "10.0.0.1")

    assert refused.code == 2
    assert "target: dhcp has none" in refused.err
