"""An existing router's customers are brought over: once, with every row named, and undone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from agent import sealing
from agent.model import Login
from agent.wire import parse_item
from billing.charge import Mode
from billing.errors import InvalidField
from billing.ids import RedemptionId, SiteId
from controller.importing.mapping import Terms
from controller.store.billing_rows import DocumentRow, LoginRow, SubscriptionRow
from controller.store.code_rows import VoucherRow
from controller.store.database import Database
from controller.store.import_rows import ImportItemRow
from controller.store.rows import GrantRow, PlanRow, SubscriberRow
from controller.store.site_rows import SiteItemRow
from controller.usecases.billing_run import bill_due
from controller.usecases.imports import (
    ImportIdUsed,
    ImportUnderWay,
    ImportUnknown,
    NewImport,
    Outlook,
    bring_over,
    preview,
    undo,
)
from controller.usecases.redeem import redeem
from controller.usecases.sites import NewSite, SiteUnknown, add_site
from tests.support.builders import MAC, SITE, Killed, MortalDatabase, hex_id
from tests.support.router_dump import file_of

if TYPE_CHECKING:
    from tests.support.builders import World

FIRST, SECOND = hex_id("first"), hex_id("second")
RUIRU = SiteId("ruiru")
PRICES = {"10M": 2_500_00, "1H-2M": 20_00, "4M/1M": 1_500_00}


@cache
def read_of(major: int) -> str:
    """The file of a router with 30 secrets, 30 codes and 30 queues; one in five is broken."""
    return file_of(major, secrets=30, users=30, queues=30, every=5)


@pytest.fixture(params=(6, 7))
def text(request: pytest.FixtureRequest) -> str:
    return read_of(request.param)


def wanted(world: World, text: str, **changes: object) -> NewImport:
    new = NewImport(
        site_id=SITE,
        name="router.json",
        text=text,
        terms=Terms(PRICES),
        mode=Mode.ADVANCE,
        begins_at=world.deps.now() + timedelta(days=5),
    )
    return replace(new, **changes)  # type: ignore[arg-type]


async def rows_of(world: World) -> dict[str, int]:
    tables = (PlanRow, SubscriberRow, SubscriptionRow, GrantRow, VoucherRow, ImportItemRow)
    async with world.deps.db.read() as tx:
        return {
            table.__tablename__: await tx.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }


async def test_a_look_counts_and_names_everything_and_changes_nothing(
    world: World, text: str
) -> None:
    before = await rows_of(world)

    told = await preview(world.deps, wanted(world, text))

    assert await rows_of(world) == before
    counts = told.counts
    assert (counts["plans"], counts["subscriptions"], counts["vouchers"]) == (3, 48, 24)
    rows = counts["subscriptions"] + counts["vouchers"] + counts["left"]
    assert counts["left_made_by_router"] == 2
    assert rows - counts["left_made_by_router"] == 90
    assert {one.reason for one in told.proposal.left} == {
        "made_by_router",
        "no_plan",
        "no_speed",
        "no_device",
        "no_limit",
        "one_way",
        "many",
        "no_phone",
        "two_phones",
        "disabled",
        "partly_used",
        "used_up",
    }
    assert all(one.text for one in told.proposal.left)


async def test_of_two_at_once_one_is_told_to_wait_and_then_finds_all_of_it_there(
    world: World, text: str
) -> None:
    new = wanted(world, text)
    dearer = replace(new, terms=Terms({**PRICES, "10M": 9_999_00}))
    found = await asyncio.gather(
        bring_over(world.deps, new, FIRST),
        bring_over(world.deps, dearer, SECOND),
        return_exceptions=True,
    )
    told = [str(one) for one in found if isinstance(one, ImportUnderWay)]
    done = [
        one for one, came in zip((new, dearer), found, strict=True) if isinstance(came, Outlook)
    ]
    after = await rows_of(world)
    again = await bring_over(world.deps, done[0], hex_id("third"))

    assert len(done) == 1
    assert told == [f"an import of site {SITE} is under way: try again when it is done"]
    assert (after["subscription"], after["voucher"]) == (48, 24)
    assert (again.counts["known"], await rows_of(world)) == (72, after)


async def test_nothing_is_undone_while_something_is_brought_over(world: World) -> None:
    await bring_over(world.deps, wanted(world, read_of(7)), FIRST)
    async with world.deps.db.alone(f"import {SITE}"):
        with pytest.raises(ImportUnderWay):
            await undo(world.deps, FIRST)
    done = await undo(world.deps, FIRST)

    assert done.counts["vouchers"] == 24


async def test_another_site_is_imported_meanwhile(world: World, text: str) -> None:
    await add_site(world.deps, NewSite(RUIRU, "Ruiru", "Lango Net", "0700 000 000"))
    new = wanted(world, text)
    there = replace(new, site_id=RUIRU)

    here, other = await asyncio.gather(
        bring_over(world.deps, new, FIRST), bring_over(world.deps, there, SECOND)
    )

    assert here.counts["vouchers"] == other.counts["vouchers"] == 24


async def test_it_is_one_deed_alone_in_every_controller_of_a_database(db: Database) -> None:
    other = db if db.is_sqlite else Database(db.url)  # SQLite has one controller
    async with db.alone("deed") as first, other.alone("deed") as second:
        async with other.alone("another") as third:
            assert (first, second, third) == (True, False, True)
        async with other.alone("deed") as still:
            assert not still
    async with other.alone("deed") as at_last:
        assert at_last
    await other.close()


async def test_it_is_brought_over_once(world: World, text: str) -> None:
    done = await bring_over(world.deps, wanted(world, text), FIRST)
    after = await rows_of(world)
    again = await bring_over(world.deps, wanted(world, text), SECOND)

    assert await rows_of(world) == after
    assert (after["subscription"], after["voucher"], after["import_item"]) == (48, 24, 75)
    assert done.codes == again.codes
    assert len(set(done.codes.values())) == 24
    assert {k: v for k, v in again.counts.items() if not k.startswith("left")} == {
        "plans": 0,
        "subscriptions": 0,
        "logins": 0,
        "vouchers": 0,
        "known": 72,
    }


async def test_customers_are_served_at_once_and_billed_when_it_is_time(
    world: World, text: str
) -> None:
    await bring_over(world.deps, wanted(world, text), FIRST)
    async with world.deps.db.read() as tx:
        lines = (await tx.scalars(select(SubscriptionRow))).all()
        grants = {one.id: one for one in await tx.scalars(select(GrantRow))}
    assert {line.state for line in lines} == {"pending"}
    assert all(grants[line.grant_id or ""].ended_at is None for line in lines)

    world.clock.advance(6 * 86_400)
    await bill_due(world.deps)

    async with world.deps.db.read() as tx:
        billed = (await tx.scalars(select(SubscriptionRow))).all()
        invoices = await tx.scalar(select(func.count()).select_from(DocumentRow))
        held = {one.id: one for one in await tx.scalars(select(GrantRow))}
    assert {line.state for line in billed} == {"active"}
    assert invoices == 48
    assert all(held[line.grant_id or ""].ended_reason == "renewed" for line in lines)
    assert all(held[line.grant_id or ""].ended_at is None for line in billed)


async def test_the_plan_of_a_profile_has_its_speed_and_the_operators_price(
    world: World, text: str
) -> None:
    done = await bring_over(world.deps, wanted(world, text), FIRST)
    async with world.deps.db.read() as tx:
        plans = {row.id: row for row in await tx.scalars(select(PlanRow))}

    ten, hour, queue = plans["10m"], plans["1h-2m-1h"], plans["4m-1m"]
    assert (ten.down_bps, ten.up_bps, ten.price_minor) == (10_000_000, 3_000_000, 2_500_00)
    assert '"down_bps": 20000000' in (ten.speeds or "").replace('":', '": ').replace("  ", " ")
    assert (hour.uptime_s, hour.devices_max, hour.audience) == (3_600, 2, "hotspot")
    assert (queue.down_bps, queue.up_bps, queue.audience) == (4_000_000, 1_000_000, "contract")
    assert set(done.plans.values()) == {"10m", "1h-2m-1h", "4m-1m"}


async def test_a_new_code_opens_what_the_old_one_did(world: World, text: str) -> None:
    done = await bring_over(world.deps, wanted(world, text), FIRST)
    code = done.codes["/ip/hotspot/user\nK000000\nall"]

    result = await redeem(
        world.deps, SITE, redemption_id=RedemptionId(hex_id("r")), code=code, device_mac=MAC
    )

    assert result.refusal is None
    assert result.grant_id is not None


async def test_undone_it_is_as_if_it_had_not_been(world: World, text: str) -> None:
    await bring_over(world.deps, wanted(world, text), FIRST)
    undone = await undo(world.deps, FIRST)
    repeated = await undo(world.deps, FIRST)
    anew = await bring_over(world.deps, wanted(world, text), SECOND)

    assert undone.counts == {"subscriptions": 48, "vouchers": 24, "plans": 3, "kept": 0}
    assert repeated.counts == {"subscriptions": 0, "vouchers": 0, "plans": 0, "kept": 0}
    assert anew.counts["subscriptions"] == 48
    assert set(anew.plans.values()) == {"10m-2", "1h-2m-1h-2", "4m-1m-2"}
    async with world.deps.db.read() as tx:
        lines = (await tx.scalars(select(SubscriptionRow))).all()
        alive = await tx.scalar(
            select(func.count()).select_from(GrantRow).where(GrantRow.ended_at.is_(None))
        )
    assert sorted({line.state for line in lines}) == ["ended", "pending"]
    assert alive == 48


async def test_an_import_that_was_undone_is_not_begun_again_under_its_id(world: World) -> None:
    """Its codes would be those that were voided, which are somewhere on paper."""
    await bring_over(world.deps, wanted(world, read_of(7)), FIRST)
    await undo(world.deps, FIRST)
    with pytest.raises(ImportIdUsed, match="was undone"):
        await bring_over(world.deps, wanted(world, read_of(7)), FIRST)

    assert (await bring_over(world.deps, wanted(world, read_of(7)), SECOND)).counts[
        "vouchers"
    ] == 24


async def test_what_was_used_or_billed_since_is_kept_and_named(world: World, text: str) -> None:
    done = await bring_over(world.deps, wanted(world, text), FIRST)
    code = done.codes["/ip/hotspot/user\nK000000\nall"]
    await redeem(
        world.deps, SITE, redemption_id=RedemptionId(hex_id("r")), code=code, device_mac=MAC
    )
    async with world.deps.db.begin() as tx:
        line = (await tx.scalars(select(SubscriptionRow).order_by(SubscriptionRow.id))).first()
        assert line is not None
        grant = await tx.get_one(GrantRow, line.grant_id)
        grant.started_at = world.deps.now()

    undone = await undo(world.deps, FIRST)

    assert undone.counts == {"subscriptions": 47, "vouchers": 23, "plans": 2, "kept": 2}
    assert "/ip/hotspot/user K000000" in undone.kept
    world.clock.advance(6 * 86_400)
    await bill_due(world.deps)
    late = await undo(world.deps, FIRST)
    assert late.counts["kept"] == 2


@pytest.mark.parametrize("nth", [1, 3, 8])
async def test_what_came_half_way_is_finished(world: World, nth: int) -> None:
    """A process that dies after the plans and some customers: the same file again."""
    text = read_of(7)
    mortal = MortalDatabase(world.deps.db.url, nth=nth, moment="inside")
    with pytest.raises(Killed):
        await bring_over(world.on(mortal).deps, wanted(world, text), FIRST)
    await mortal.close()
    done = await bring_over(world.deps, wanted(world, text), SECOND)

    after = await rows_of(world)
    assert (after["subscription"], after["voucher"], after["import_item"]) == (48, 24, 75)
    assert len(done.codes) == 24


async def test_codes_that_are_partly_used_are_made_good_only_when_told(world: World) -> None:
    text = file_of(7, secrets=0, users=100, queues=0)

    told = await preview(world.deps, wanted(world, text))
    good = await preview(world.deps, wanted(world, text, terms=Terms(PRICES, make_good=True)))

    assert (told.counts["left_partly_used"], told.counts["left_used_up"]) == (1, 1)
    assert "left_partly_used" not in good.counts
    assert good.counts["vouchers"] == told.counts["vouchers"] + 1


async def test_who_dials_in_goes_on_doing_so_and_the_file_tells_nobody_how(world: World) -> None:
    seal = partial(sealing.seal, world.deps.authority.ca_pem, SITE)
    text = file_of(7, seal, secrets=4, users=0, queues=0)

    done = await bring_over(world.deps, wanted(world, text), FIRST)
    async with world.deps.db.read() as tx:
        kept = {row.name: row for row in await tx.scalars(select(LoginRow))}
        item = await tx.get_one(SiteItemRow, (SITE, "login/ppp1"))
    undone = await undo(world.deps, FIRST)

    assert "pw-hidden" not in text
    assert done.loginless == ()
    assert done.counts["logins"] == 4
    assert set(kept) == {f"ppp{n}" for n in range(4)}
    login = parse_item(item.key, item.body or b"")
    assert isinstance(login, Login)
    assert (login.secret, login.cause) == ("pw-hidden", f"sub:{kept['ppp1'].subscription_id}")
    assert undone.counts["subscriptions"] == 4
    async with world.deps.db.read() as tx:
        assert await tx.scalar(select(func.count()).select_from(LoginRow)) == 0


async def test_passwords_of_another_site_or_of_nobody_are_told_by_name(world: World) -> None:
    strange = partial(sealing.seal, world.deps.authority.ca_pem, "ruiru")
    text = file_of(7, strange, secrets=3, users=0, queues=0)
    broken = text.replace('"sealed": "', '"sealed": "!')

    told = await preview(world.deps, wanted(world, text))
    worse = await preview(world.deps, wanted(world, broken))

    assert told.counts["logins"] == worse.counts["logins"] == 0
    assert [one.name for one in told.loginless] == ["ppp0", "ppp1", "ppp2"]
    assert {one.text for one in (*told.loginless, *worse.loginless)} == {
        "its password: it was not sealed for this controller and site"
    }
    assert told.counts["subscriptions"] == 3


async def test_without_prices_nothing_is_sold_and_the_names_are_told(
    world: World, text: str
) -> None:
    told = await preview(world.deps, wanted(world, text, terms=Terms({"1H-2M": 0})))

    assert (told.counts["plans"], told.counts["subscriptions"], told.counts["vouchers"]) == (
        0,
        0,
        0,
    )
    assert set(told.proposal.unpriced) == {"10M", "4M/1M"}
    free = {one.text for one in told.proposal.left if "free" in one.text}
    assert free == {"plan '1H-2M 1h' would be free at every portal"}


async def test_doors(world: World, text: str) -> None:
    for changes, error in (
        ({"site_id": SiteId("nowhere")}, SiteUnknown),
        ({"text": "{"}, InvalidField),
        ({"text": "[]"}, InvalidField),
        ({"text": '{"form": "lango.router/1", "rows": 7}'}, InvalidField),
        ({"text": '{"form": "lango.router/1", "rows": {"/ppp/secret": 7}}'}, InvalidField),
        ({"text": "[" * 100_000}, InvalidField),
        ({"begins_at": world.deps.now()}, InvalidField),
        ({"begins_at": world.deps.now() + timedelta(days=61)}, InvalidField),
        ({"terms": Terms({"10M": -1})}, InvalidField),
    ):
        with pytest.raises(error):
            await bring_over(world.deps, replace(wanted(world, text), **changes), FIRST)
    assert (await rows_of(world))["import_item"] == 0
    with pytest.raises(ImportUnknown):
        await undo(world.deps, SECOND)
    await bring_over(world.deps, wanted(world, text), FIRST)
    with pytest.raises(ImportIdUsed):
        await bring_over(world.deps, wanted(world, text, name="other.json"), FIRST)


def test_rows_that_are_none_are_counted() -> None:
    from controller.importing.mapping import proposed
    from controller.importing.router_file import read

    text = '{"form": "lango.router/1", "rows": {"/ppp/secret": [7, {"name": 5}, {"name": "a"}]}}'

    (broken, noone) = proposed(read(text), Terms({})).left

    assert (broken.reason, broken.text) == ("broken", "2 rows cannot be read")
    assert noone.reason == "no_plan"
