"""What is looked at of the network, on both databases."""

from __future__ import annotations

from datetime import timedelta

from controller.noc import networks
from controller.noc.text import midnight
from tests.support.network import keep_network
from tests.support.office import NOON, Office, a_site, office
from tests.support.staff import a_branch

__all__ = ["office"]

TODAY = midnight(NOON)


async def test_a_network_is_counted_and_summed(office: Office) -> None:
    await keep_network(office)
    async with office.deps.db.read() as tx:
        sizes = await networks.site_sizes(tx, NOON, None)
        sites = await networks.sites_now(tx, NOON, None, since=TODAY)
        users = await networks.sessions_open(tx, None)
        taken = await networks.takings(tx, None, TODAY, NOON + timedelta(seconds=1))
        tried = await networks.tried_lately(tx, None, NOON)

    assert sizes == networks.Sizes(total=10, online=8, offline=1, never=1, behind=1)
    assert networks.totals(sites)[0] > 200_000_000
    assert sum(site.sessions for site in sites) == users == 14
    assert sum(site.today_minor for site in sites) == taken.minor == 47_000
    assert (tried.settled, tried.refused, tried.waiting) == (5, 1, 1)


async def test_sites_are_found_by_state_and_name_a_page_at_a_time(office: Office) -> None:
    await keep_network(office)
    async with office.deps.db.read() as tx:
        silent = await networks.sites_now(tx, NOON, None, since=TODAY, state="offline")
        behind = await networks.sites_now(tx, NOON, None, since=TODAY, state="behind")
        named = await networks.sites_now(tx, NOON, None, since=TODAY, search="LIKONI")
        odd = await networks.sites_now(tx, NOON, None, since=TODAY, search="%")
        later = await networks.sites_now(tx, NOON, None, since=TODAY, after_id="nakuru", limit=1)

    assert [site.row.id for site in silent] == ["kisumu"]
    assert [site.row.id for site in behind] == ["nakuru"]
    assert [site.row.id for site in named] == ["mombasa"]
    assert odd == []
    assert [site.row.id for site in later] == ["rongai"]


async def test_what_belongs_to_another_branch_is_not_there(office: Office) -> None:
    await keep_network(office)
    await office.keep(a_branch("coast"))
    await office.keep(a_site("kilifi", branch_id="coast"))
    ours = frozenset({"coast"})
    async with office.deps.db.read() as tx:
        sites = await networks.sites_now(tx, NOON, ours, since=TODAY)
        sizes = await networks.site_sizes(tx, NOON, ours)
        counted = [
            await networks.sessions_open(tx, ours),
            len(await networks.open_sessions(tx, ours, limit=50)),
            len(await networks.last_payments(tx, ours, limit=50)),
            len(await networks.last_notices(tx, ours, limit=50)),
            (await networks.takings(tx, ours, TODAY, NOON + timedelta(days=1))).settled,
            (await networks.tried_lately(tx, ours, NOON)).settled,
        ]

    assert [site.row.id for site in sites] == ["kilifi"]
    assert sizes.total == 1
    assert counted == [0] * 6


async def test_the_system_knows_its_size_its_queues_and_its_rails(office: Office) -> None:
    await keep_network(office)
    async with office.deps.db.read() as tx:
        size = await networks.database_bytes(tx)
        queues = await networks.queues(tx, NOON)
        (rail,) = await networks.rails_lately(tx, ["mpesa"], NOON)
        certificate = await networks.certificate_ends(tx)
        drawn = await networks.sparks(
            tx, ["ruiru", "lamu"], NOON, back=timedelta(minutes=48), step_s=120
        )

    assert size > 100_000
    assert [queue.due for queue in queues] == [0] * len(queues)
    assert (rail.tried.settled, rail.paid_at) == (5, NOON)
    assert certificate == ("ruiru", NOON + timedelta(days=24))
    assert len(drawn["ruiru"]) > 10
    assert "lamu" not in drawn
