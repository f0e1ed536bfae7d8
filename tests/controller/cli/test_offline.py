"""What a site that may be cut off holds, as staff see it from the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from wirepb.v1 import desired_pb2

from billing.ids import PlanId, RedemptionId, SiteId, grant_of
from billing.voucher import VoucherCode
from controller.records import Redeemed, SiteRecord
from controller.store.rows import GrantSiteRow
from controller.store.site_rows import OutageRow, SiteItemRow
from controller.usecases.ingest import Batch, ingest
from controller.usecases.vouchers import offline_hash
from tests.support.office import NOON, a_grant, a_plan, a_site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.controller.cli.lango import Ran
    from tests.support.office import Office

    Command = Callable[..., Awaitable[Ran]]

GRANT = "9" * 32
MB = 1_000_000


async def a_roaming_grant(office: Office) -> None:
    """A grant of 500 MB at a site that answers and one that does not."""
    await office.keep(
        a_site("ruiru", last_seen_at=NOON - timedelta(hours=2)),
        a_plan("mb500", quota_bytes=500 * MB, validity_s=None),
        a_grant("8" * 32, plan_id="mb500", used_bytes=250 * MB, cause_id="8" * 32),
    )
    for site_id, handed, own in (("estate-1", 300 * MB, 250 * MB), ("ruiru", 200 * MB, 0)):
        await office.keep(
            GrantSiteRow(
                grant_id="8" * 32,
                site_id=site_id,
                generation=1,
                handed_bytes=handed,
                risked_bytes=handed + 10 * MB,
                own_bytes=own,
                own_uptime_s=0,
                own_validity_s=0,
            )
        )


async def test_a_grant_is_shown_with_its_slices_and_its_exposure(
    run: Command, office: Office
) -> None:
    await a_roaming_grant(office)
    shown = await run("grant", "show", "8" * 32)
    lines = " ".join(shown.out.split())

    assert shown.code == 0, shown.err
    assert "at most 25 MB beyond its 500 MB: ruiru cannot be asked" in lines
    assert "estate-1 online 300 MB 250 MB" in lines
    assert "ruiru offline 200 MB 0 B" in lines
    assert max(len(line.rstrip()) for line in shown.out.splitlines()) <= 80


async def test_a_grant_is_shown_as_json(run: Command, office: Office) -> None:
    await a_roaming_grant(office)
    shown = await run("grant", "show", "8" * 32, "--json")

    assert shown.json["schema"] == "lango.grant/v1"
    assert shown.json["exposure_bytes"] == 25 * MB
    assert [site["risked_bytes"] for site in shown.json["sites"]] == [310 * MB, 210 * MB]


async def test_a_grant_without_a_quota_exceeds_none(run: Command) -> None:
    shown = await run("grant", "show", GRANT)

    assert "it has no quota to exceed" in shown.out


async def test_grants_are_listed_where_they_were_brought(run: Command, office: Office) -> None:
    await a_roaming_grant(office)
    listed = await run("grant", "list", "--site", "ruiru", "--json")

    assert [line["id"] for line in listed.json["data"]] == ["8" * 32]


async def test_a_grant_is_suspended_and_resumed(run: Command, office: Office) -> None:
    given = await run(
        *("grant", "give", "--site", "estate-1", "--plan", "hours-2"),
        *("--device", "02:00:00:00:00:09"),
    )
    name = given.out.strip()
    suspended = await run("grant", "suspend", name)
    during = await run("grant", "show", name, "--json")
    resumed = await run("grant", "resume", name, "--json")
    unknown = await run("grant", "suspend", "f" * 32)

    assert "Suspended since 23 Nov 12:00" in suspended.err
    assert during.json["suspended_at"] is not None
    assert resumed.json["suspended_at"] is None
    assert unknown.code == 3


async def test_a_site_is_shown_with_its_outages_and_its_outbox(
    run: Command, office: Office
) -> None:
    began = NOON - timedelta(days=3)
    await office.keep(
        a_site("ruiru", outbox_records=4_100, outbox_records_max=50_000),
        OutageRow(site_id="ruiru", began_at=began, ended_at=began + timedelta(hours=26)),
        OutageRow(site_id="ruiru", began_at=NOON - timedelta(minutes=10), ended_at=None),
    )
    shown = await run("site", "show", "ruiru")
    as_json = await run("site", "show", "ruiru", "--json")
    lines = " ".join(shown.out.split())

    assert "outbox 4,100 of 50,000 records" in lines
    assert "handed enough for 1 d 2 h" in lines
    assert "2026-11-20 12:00:00 EAT, 1 d 2 h" in lines
    assert "2026-11-23 11:50:00 EAT, 10 m 00 s until now" in lines
    assert [one["duration_s"] for one in as_json.json["outages"]] == [600, 26 * 3_600]


async def test_vouchers_are_made_for_named_sites(run: Command, office: Office) -> None:
    await office.keep(a_site("ruiru"))
    make = ("voucher", "create", "--plan", "hours-2", "--count", "2")
    made = [
        await run(*make, "--site", "ruiru"),
        await run(*make, "--online-only"),
        await run(*make, "--site", "nowhere"),
        await run(*make, "--site", "ruiru", "--online-only"),
    ]
    async with office.deps.db.read() as tx:
        told = await tx.execute(
            select(SiteItemRow.site_id).where(SiteItemRow.key.startswith("vouchers/"))
        )

    assert [ran.code for ran in made] == [0, 0, 2, 2]
    assert "there is no site nowhere" in made[2].err
    assert [site_id for (site_id,) in told] == ["ruiru"]


async def test_codes_that_were_redeemed_twice_are_listed(run: Command, office: Office) -> None:
    await office.keep(a_site("ruiru"))
    none = await run("voucher", "doubles")
    made = await run("voucher", "create", "--plan", "hours-2", "--count", "1")
    code = VoucherCode(made.out.strip())
    async with office.deps.db.read() as tx:
        body = (
            await tx.scalars(
                select(SiteItemRow.body).where(
                    SiteItemRow.site_id == "ruiru", SiteItemRow.key.startswith("vouchers/")
                )
            )
        ).one()
    chunk = desired_pb2.ItemBody.FromString(body or b"").vouchers
    for n, site_id in enumerate(("estate-1", "ruiru")):
        name = RedemptionId(str(n) * 32)
        told = Redeemed(
            name,
            grant_of(name),
            PlanId("hours-2"),
            "02:00:00:00:00:09",
            chunk.batch,
            offline_hash(code, chunk.salt, chunk.rounds),
        )
        batch = Batch("a" * 32, (SiteRecord(1, NOON, told),), 0, b"", "0.1")
        await ingest(office.deps, SiteId(site_id), batch)
    listed = await run("voucher", "doubles")
    as_json = await run("voucher", "doubles", "--json")

    assert "No code was redeemed twice." in none.err
    assert listed.out.splitlines()[1].split()[1:5] == ["ruiru", "hours-2", "KES", "10"]
    assert as_json.json["data"][0]["lost"] == {"amount": "10.00", "currency": "KES"}
    assert as_json.json["data"][0]["code_name"].startswith(chunk.batch)
