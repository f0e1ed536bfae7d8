"""What a report may carry besides sessions in their turn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from wirepb.v1 import desired_pb2

from billing.ids import GrantId, PlanId
from controller.records import DeviceJoined, Fact, ProbeResult, SiteRecord, Unreadable
from controller.store.rows import GrantRow, InboxRow, SessionRow
from controller.store.site_rows import NoticeRow, ProbeResultRow, SiteItemRow, SiteRow
from controller.usecases.grants import NAMED_MAX, give, revoke
from controller.usecases.ingest import ingest
from controller.usecases.sites import NewSite, add_site
from tests.support.builders import (
    JOURNAL,
    MAC,
    OTHER_MAC,
    OTHER_SITE,
    SITE,
    a_batch,
    a_record,
    hex_id,
    opened,
    reading,
)
from tests.support.clock import MORNING

if TYPE_CHECKING:
    from tests.support.builders import World


@pytest.fixture
async def grant_id(world: World) -> GrantId:
    return await give(world.deps, SITE, plan_id=PlanId("hour"), device_mac=MAC)


def ahead(*facts: Fact) -> tuple[SiteRecord, ...]:
    return tuple(SiteRecord(0, MORNING, fact) for fact in facts)


def joined(grant_id: str, mac: str, *, instead_of: str = "") -> DeviceJoined:
    return DeviceJoined(GrantId(grant_id), mac, instead_of, "cookie")


async def grant(world: World, grant_id: str) -> GrantRow:
    async with world.deps.db.read() as tx:
        return await tx.get_one(GrantRow, grant_id)


async def noticed(world: World) -> list[tuple[str, str]]:
    async with world.deps.db.read() as tx:
        found = await tx.execute(select(NoticeRow.code, NoticeRow.text))
        return [(code, text) for code, text in found]


async def test_what_runs_ahead_is_believed_and_acknowledges_nothing(
    world: World, grant_id: GrantId
) -> None:
    history = a_batch(a_record(1, opened(grant_id=grant_id)))
    newest = ahead(opened(grant_id=grant_id), reading(grant_id=grant_id, down=900))
    acked = await ingest(world.deps, SITE, replace(history, newest=newest))

    assert acked == 1
    assert (await grant(world, grant_id)).used_bytes == 900


async def test_history_that_follows_what_ran_ahead_adds_nothing(
    world: World, grant_id: GrantId
) -> None:
    newest = ahead(reading(grant_id=grant_id, down=900, validity_s=50))
    await ingest(world.deps, SITE, replace(a_batch(), newest=newest))
    records = [a_record(n, reading(grant_id=grant_id, down=n * 100)) for n in range(1, 10)]
    acked = await ingest(world.deps, SITE, a_batch(*records))
    kept = await grant(world, grant_id)

    assert (acked, kept.used_bytes, kept.spent_validity_s) == (9, 900, 50)


async def test_what_runs_ahead_of_its_grant_waits_for_its_turn(world: World) -> None:
    newest = ahead(opened(grant_id="f" * 32), reading(grant_id="f" * 32, down=900))
    await ingest(world.deps, SITE, replace(a_batch(), newest=newest))
    async with world.deps.db.read() as tx:
        sessions = list(await tx.scalars(select(SessionRow)))

    assert sessions == []
    assert await noticed(world) == []


async def test_a_device_that_joined_is_named_in_the_item(world: World, grant_id: GrantId) -> None:
    await ingest(world.deps, SITE, a_batch(a_record(1, joined(grant_id, OTHER_MAC))))
    async with world.deps.db.read() as tx:
        item = await tx.get_one(SiteItemRow, (SITE, f"grant/{grant_id}"))

    assert item.body is not None
    assert list(desired_pb2.ItemBody.FromString(item.body).grant.devices) == [MAC, OTHER_MAC]


async def test_a_device_that_took_anothers_place_is_named_instead(
    world: World, grant_id: GrantId
) -> None:
    record = a_record(1, joined(grant_id, OTHER_MAC, instead_of=MAC))
    await ingest(world.deps, SITE, a_batch(record))

    assert (await grant(world, grant_id)).devices == OTHER_MAC


async def test_a_device_that_is_named_already_moves_no_generation(
    world: World, grant_id: GrantId
) -> None:
    async with world.deps.db.read() as tx:
        before = (await tx.get_one(SiteRow, SITE)).generation
    await ingest(world.deps, SITE, a_batch(a_record(1, joined(grant_id, MAC))))
    async with world.deps.db.read() as tx:
        after = (await tx.get_one(SiteRow, SITE)).generation

    assert after == before


async def test_the_oldest_names_are_forgotten(world: World, grant_id: GrantId) -> None:
    macs = [f"02:00:00:00:01:{n:02x}" for n in range(NAMED_MAX + 3)]
    records = [a_record(n, joined(grant_id, mac)) for n, mac in enumerate(macs, start=1)]
    await ingest(world.deps, SITE, a_batch(*records))

    assert (await grant(world, grant_id)).devices.split() == macs[-NAMED_MAX:]


async def test_no_device_joins_a_grant_that_is_over(world: World, grant_id: GrantId) -> None:
    await revoke(world.deps, grant_id)
    await ingest(world.deps, SITE, a_batch(a_record(1, joined(grant_id, OTHER_MAC))))

    assert (await grant(world, grant_id)).devices == MAC


async def test_a_site_lets_nobody_join_what_is_not_its_own(world: World, grant_id: GrantId) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    acked = await ingest(world.deps, OTHER_SITE, a_batch(a_record(1, joined(grant_id, OTHER_MAC))))

    assert acked == 1
    assert (await grant(world, grant_id)).devices == MAC
    assert [code for code, _ in await noticed(world)] == ["foreign_grant"]


async def test_a_record_that_cannot_be_is_set_aside_and_the_rest_is_taken(
    world: World, grant_id: GrantId
) -> None:
    bad = Unreadable("records[1].reading.epoch: want something else", b"as it came")
    batch = a_batch(
        a_record(1, opened(grant_id=grant_id)),
        a_record(2, bad),
        a_record(3, reading(grant_id=grant_id, down=700)),
    )
    acked = [await ingest(world.deps, SITE, batch), await ingest(world.deps, SITE, batch)]
    async with world.deps.db.read() as tx:
        kept = await tx.get_one(InboxRow, ("record", f"{SITE}:{JOURNAL}:2"))
    ((code, text),) = await noticed(world)

    assert acked == [3, 3]
    assert (await grant(world, grant_id)).used_bytes == 700
    assert kept.body == b"as it came"
    assert (code, text) == (
        "record_unreadable",
        "record 2 was set aside: records[1].reading.epoch: want something else",
    )


async def test_what_a_probe_saw_is_kept_once(world: World) -> None:
    seen = ProbeResult(hex_id("probe"), '{"hosts": 3}')
    batch = a_batch(a_record(1, seen))
    await ingest(world.deps, SITE, batch)
    await ingest(world.deps, SITE, replace(batch, journal="b" * 32))
    async with world.deps.db.read() as tx:
        (kept,) = await tx.scalars(select(ProbeResultRow))

    assert (kept.site_id, kept.probe_id, kept.body) == (SITE, hex_id("probe"), '{"hosts": 3}')


async def test_an_outbox_that_fills_is_told_of_each_time_it_begins(world: World) -> None:
    told = []
    for waiting in (799, 800, 900, 100, 850):
        batch = replace(a_batch(), outbox_records=waiting, outbox_records_max=1_000)
        await ingest(world.deps, SITE, batch)
        told.append(len(await noticed(world)))
    async with world.deps.db.read() as tx:
        site = await tx.get_one(SiteRow, SITE)

    assert told == [0, 1, 1, 1, 2]
    assert (site.outbox_records, site.outbox_records_max) == (850, 1_000)
    assert ("outbox_filling", "Kahawa West: 800 of 1,000 records wait") in await noticed(world)


async def test_an_agent_that_says_nothing_of_its_outbox_is_not_held_to_be_empty(
    world: World,
) -> None:
    await ingest(world.deps, SITE, a_batch())
    async with world.deps.db.read() as tx:
        site = await tx.get_one(SiteRow, SITE)

    assert (site.outbox_records, site.outbox_records_max) == (None, None)
