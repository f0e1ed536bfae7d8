"""Everything is looked at again and again: what is wrong is raised once, and is over once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.errors import InvalidField
from controller.alerts.rules import Mood, Seen
from controller.alerts.states import look
from controller.store import alerts as kept
from controller.store import sites
from controller.store.alert_rows import AlertDeedRow, AlertRow
from controller.usecases import alerts
from controller.usecases.ingest import Batch, ingest
from tests.support.builders import JOURNAL, OTHER_SITE, SITE

if TYPE_CHECKING:
    from billing.ids import SiteId
    from tests.support.builders import World

EVERY_S = 5


async def hear(world: World, site: SiteId = SITE) -> None:
    await ingest(world.deps, site, Batch(JOURNAL, (), 0, b"", "0.1"))


async def pass_by(world: World, seconds: int, *heard: SiteId) -> int:
    """Let time pass with a look every five seconds, and these sites heard before each."""
    changed = 0
    for _ in range(0, seconds, EVERY_S):
        world.clock.advance(EVERY_S)
        for site in heard:
            await hear(world, site)
        changed += await alerts.look(world.deps)
    return changed


async def opened(world: World, branches: frozenset[str] | None = None) -> list[AlertRow]:
    async with world.deps.db.read() as tx:
        return await alerts.open_alerts(tx, branches)


async def history(world: World) -> list[str]:
    async with world.deps.db.read() as tx:
        query = select(AlertDeedRow.what).order_by(AlertDeedRow.at, AlertDeedRow.id)
        return list(await tx.scalars(query))


@pytest.fixture
async def watched(world: World) -> World:
    """A controller that has been looking, and a site that was just heard."""
    await hear(world)
    await pass_by(world, 60, SITE)
    return world


async def test_a_site_that_falls_silent_is_an_alert_after_a_minute(watched: World) -> None:
    early = await pass_by(watched, 55)
    late = await pass_by(watched, 5)
    (row,) = await opened(watched)

    assert (early, late) == (0, 1)
    assert (row.rule, row.site_id, row.severity, row.state) == (
        "agent_silent",
        SITE,
        "warn",
        "raised",
    )
    assert row.text == "nothing heard since 23 Nov 09:01:00 EAT"


async def test_silent_for_three_minutes_it_is_critical(watched: World) -> None:
    await pass_by(watched, 180)
    (row,) = await opened(watched)

    assert row.severity == "critical"
    assert await history(watched) == ["raised", "worse"]


async def test_heard_again_for_a_minute_it_is_over(watched: World) -> None:
    await pass_by(watched, 60)
    still = await pass_by(watched, 60, SITE)
    over = await pass_by(watched, 5, SITE)

    assert (still, over, await opened(watched)) == (0, 1, [])
    assert await history(watched) == ["raised", "recovered"]


async def test_a_controller_that_was_away_blames_nobody_for_what_it_did_not_hear(
    watched: World,
) -> None:
    watched.clock.advance(86_400)
    at_once = await alerts.look(watched.deps)
    soon = await pass_by(watched, 55)
    then = await pass_by(watched, 5)

    assert (at_once, soon, then) == (0, 0, 1)


async def test_an_alert_of_before_a_gap_stays_open_until_the_site_is_heard(
    watched: World,
) -> None:
    await pass_by(watched, 60)
    watched.clock.advance(7_200)
    await alerts.look(watched.deps)
    await pass_by(watched, 30)
    (row,) = await opened(watched)

    assert row.state == "raised"


async def test_two_controllers_at_once_raise_an_alert_once(watched: World) -> None:
    await pass_by(watched, 55)
    watched.clock.advance(EVERY_S)
    other = watched.on(watched.deps.db)
    changed = await asyncio.gather(alerts.look(watched.deps), alerts.look(other.deps))

    assert sum(changed) == 1
    assert len(await opened(watched)) == 1


async def test_a_second_open_alert_is_refused_by_the_database_itself(watched: World) -> None:
    await pass_by(watched, 60)
    alert = look(None, Seen(Mood.BAD), alerts.RULES["agent_silent"], watched.clock())
    assert alert is not None
    async with watched.deps.db.begin() as tx:
        again = await kept.add(
            tx, rule="agent_silent", subject=SITE, alert=alert, text="", told="{}"
        )

    assert again is None


async def test_what_does_not_last_leaves_nothing_behind(watched: World) -> None:
    found = []
    for records in (90, 10):
        async with watched.deps.db.begin() as tx:
            row = await sites.lock(tx, SITE)
            assert row is not None
            row.outbox_records, row.outbox_records_max = records, 100
        watched.clock.advance(EVERY_S)
        await alerts.look(watched.deps)
        async with watched.deps.db.read() as tx:
            found.append(list(await tx.scalars(select(AlertRow.state))))

    assert found == [["pending"], []]


async def test_staff_acknowledge_silence_and_assign_and_it_is_all_kept(watched: World) -> None:
    await pass_by(watched, 60)
    (row,) = await opened(watched)
    until = watched.clock() + timedelta(hours=1)
    await alerts.acknowledge(watched.deps, row.id, who="night desk")
    await alerts.acknowledge(watched.deps, row.id, who="somebody else")
    await alerts.silence(watched.deps, row.id, until=until, who="night desk")
    await alerts.assign(watched.deps, row.id, to="the field team", who="night desk")
    (row,) = await opened(watched)

    assert (row.state, row.acked_by) == ("acknowledged", "night desk")
    assert (row.silenced_until, row.assigned_to) == (until, "the field team")
    assert sorted(await history(watched)) == ["acknowledged", "assigned", "raised", "silenced"]


async def test_what_is_over_or_was_never_there_cannot_be_acknowledged(watched: World) -> None:
    await pass_by(watched, 60)
    (row,) = await opened(watched)
    await pass_by(watched, 65, SITE)

    with pytest.raises(alerts.AlertOver):
        await alerts.acknowledge(watched.deps, row.id, who="desk")
    with pytest.raises(alerts.AlertUnknown):
        await alerts.acknowledge(watched.deps, "no such alert", who="desk")


async def test_silence_is_for_thirty_days_at_most(watched: World) -> None:
    await pass_by(watched, 60)
    (row,) = await opened(watched)
    for until in (watched.clock(), watched.clock() + timedelta(days=31)):
        with pytest.raises(InvalidField, match="for_s"):
            await alerts.silence(watched.deps, row.id, until=until, who="desk")


async def test_staff_of_a_branch_see_the_alerts_of_its_sites(watched: World) -> None:
    await pass_by(watched, 60)

    assert len(await opened(watched, frozenset({"main"}))) == 1
    assert await opened(watched, frozenset({"thika"})) == []
    assert OTHER_SITE != SITE
