"""Callbacks that come at the same time: one commit, and each judged for itself."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select

from billing.ids import AccountName, PlanId, SiteId, TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.msisdn import Msisdn
from controller.store import items, ledger
from controller.store.database import Database
from controller.store.rows import GrantRow, GrantSiteRow, InboxRow, PaymentRow, SmsRow
from controller.store.site_rows import NoticeRow, SiteRow
from controller.usecases.plans import add_plan
from controller.usecases.settle import KEPT, query_due, take_callback
from tests.support.builders import (
    HOUR,
    SITE,
    Killed,
    Moment,
    MortalDatabase,
    a_plan,
    an_order_id,
    limits,
)
from tests.support.money import assert_money_is_conserved, credited

if TYPE_CHECKING:
    from controller.usecases.settle import Verdict
    from tests.support.builders import World

MANY = 12


async def paid(world: World, count: int = MANY, *, plan_id: str = HOUR) -> list[str]:
    """So many orders of different phones, paid and not told; the provider's names of them."""
    names = []
    for n in range(count):
        await world.order(
            f"o{n}",
            plan_id=plan_id,
            msisdn=Msisdn(f"2547000000{n:02d}"),
            device_mac=f"02:00:00:00:01:{n:02x}",
        )
        names.append(world.last_provider_id)
        world.gateway.pay(names[-1], world.clock())
    return names


async def told_at_once(world: World, names: list[str]) -> list[Verdict]:
    return list(await asyncio.gather(*(world.call_back(name) for name in names)))


def with_receipt(body: bytes, receipt: str) -> bytes:
    told = json.loads(body)
    for item in told["Body"]["stkCallback"]["CallbackMetadata"]["Item"]:
        if item["Name"] == "MpesaReceiptNumber":
            item["Value"] = receipt
    return json.dumps(told).encode()


async def assert_site_is_told(world: World, count: int) -> None:
    """The site's items are those of so many grants, and its digest is theirs."""
    async with world.deps.db.read() as tx:
        site = await tx.get_one(SiteRow, SITE)
        change = await items.snapshot(tx, site)
        grants = set(await tx.scalars(select(GrantRow.id)))
    told = {key.removeprefix("grant/") for key, _ in change.upserts if key.startswith("grant/")}

    assert told == grants
    assert len(grants) == count


async def test_what_comes_at_once_is_settled_by_one_commit(world: World) -> None:
    names = await paid(world)
    commits = list[object]()
    event.listen(world.deps.db.engine.sync_engine, "commit", commits.append)
    verdicts = await told_at_once(world, names)

    assert Counter(v.text for v in verdicts) == {"settled": MANY}
    assert len(commits) == 1
    assert await credited(world.deps.db) == MANY
    await assert_money_is_conserved(world.deps.db)
    await assert_site_is_told(world, MANY)


async def test_settled_together_is_settled_as_alone(world: World) -> None:
    """The first by one callback, the others together: rows alike but for what must differ."""
    names = await paid(world, 3)
    await world.call_back(names[0])
    await told_at_once(world, names[1:])
    async with world.deps.db.read() as tx:
        payments = [
            (p.state, p.code, p.reason, p.settled_at, p.next_query_at, p.receipt is None)
            for p in await tx.scalars(select(PaymentRow))
        ]
        grants = [
            (g.plan_id, g.created_at, g.used_bytes, len(g.proofs or b""), g.ended_at)
            for g in await tx.scalars(select(GrantRow))
        ]
        kept = [(m.source, m.verdict, len(m.body) > 0) for m in await tx.scalars(select(InboxRow))]

    assert [len(set(rows)) for rows in (payments, grants, kept)] == [1, 1, 1]


async def test_copies_of_the_same_are_repeats_also_in_one_commit(world: World) -> None:
    names = await paid(world, 4)
    verdicts = await told_at_once(world, names * 3)

    assert Counter(v.text for v in verdicts) == {"settled": 4, "repeat": 8}
    assert await credited(world.deps.db) == 4


async def test_what_is_forged_among_them_is_judged_for_itself(world: World) -> None:
    names = await paid(world)
    verdicts = await asyncio.gather(
        *(
            world.call_back(name, amount=Money(100) if n % 4 == 0 else None)
            for n, name in enumerate(names)
        )
    )

    assert Counter(v.text for v in verdicts) == {"settled": 9, "amount_differs": 3}
    assert await credited(world.deps.db) == 9
    await assert_money_is_conserved(world.deps.db)


async def test_a_receipt_that_is_told_for_two_orders_settles_the_one(world: World) -> None:
    names = await paid(world, 2)
    verdicts = await asyncio.gather(
        *(
            take_callback(
                world.deps,
                token=world.token_of(name),
                body=with_receipt(world.gateway.callback(name), "SAME000001"),
                source="",
            )
            for name in names
        )
    )

    assert sorted(v.text for v in verdicts) == ["receipt_used", "settled"]
    assert await credited(world.deps.db) == 1


async def test_one_that_cannot_be_judged_spoils_no_other_and_is_kept(world: World) -> None:
    """Its money stands in the ledger already, which a payment that is open never has."""
    names = await paid(world)
    till, odd = AccountName("asset:mpesa:600111"), AccountName("liability:odd")
    posting = Posting(odd, till, Money(1))
    name = TransactionId(f"payment:{an_order_id('o5')}:settled")
    async with world.deps.db.begin() as tx:
        await ledger.post(tx, Transaction(name, world.clock(), "a fault", (posting,)))
    verdicts = await told_at_once(world, names)
    async with world.deps.db.read() as tx:
        unjudged = list(await tx.scalars(select(InboxRow).where(InboxRow.verdict.is_(None))))
        notices = set(await tx.scalars(select(NoticeRow.code)))
        payment = await tx.get_one(PaymentRow, an_order_id("o5"))

    assert Counter(v.text for v in verdicts) == {"settled": MANY - 1, KEPT: 1}
    assert [row.external_id[:32] for row in unjudged] == [an_order_id("o5")]
    assert KEPT in notices
    assert (payment.state, payment.next_query_at) == ("pending", world.clock())


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
async def test_killed_while_many_are_judged_each_is_credited_once(
    world: World, db_url: str, moment: Moment
) -> None:
    names = await paid(world)
    mortal = MortalDatabase(db_url, nth=1, moment=moment)
    doomed = world.on(mortal)
    ends = await asyncio.gather(*(doomed.call_back(name) for name in names), return_exceptions=True)
    await mortal.close()
    before = await credited(world.deps.db)
    verdicts = await told_at_once(world, names)

    assert {type(end) for end in ends} == {Killed}
    assert before == (MANY if moment == "after" else 0)
    assert {v.text for v in verdicts} == {"repeat" if moment == "after" else "settled"}
    assert await credited(world.deps.db) == MANY
    await assert_money_is_conserved(world.deps.db)
    await assert_site_is_told(world, MANY)


async def test_two_processes_that_are_told_the_same_credit_each_once(
    world: World, db_url: str
) -> None:
    names = await paid(world)
    second = Database(db_url)
    other = world.on(second)
    asking = asyncio.create_task(query_due(other.deps))
    verdicts = await asyncio.gather(
        *(one.call_back(name) for name in names for one in (world, other)),
        *(other.call_back(name) for name in reversed(names)),
    )
    await asking
    await second.close()

    assert Counter(v.text for v in verdicts) == {"settled": MANY, "repeat": 2 * MANY}
    assert await credited(world.deps.db) == MANY
    await assert_money_is_conserved(world.deps.db)
    await assert_site_is_told(world, MANY)


async def test_a_quota_is_handed_out_in_the_generation_that_tells_it(world: World) -> None:
    allows = limits(quota_bytes=2_000_000_000)
    await add_plan(world.deps, a_plan("capped", allows=allows), rank=1)
    names = await paid(world, 3, plan_id=PlanId("capped"))
    await told_at_once(world, names)
    async with world.deps.db.read() as tx:
        site = await tx.get_one(SiteRow, SITE)
        shares = {
            (row.handed_bytes, row.risked_bytes, row.generation)
            for row in await tx.scalars(select(GrantSiteRow))
        }

    assert shares == {(2_000_000_000, 2_000_000_000, site.generation)}


async def test_who_pays_for_a_site_that_is_down_is_told_to_wait(world: World) -> None:
    async with world.deps.db.begin() as tx:
        site = await tx.get_one(SiteRow, SITE)
        site.last_seen_at = world.clock() - timedelta(hours=1)
    names = await paid(world, 3)
    await told_at_once(world, names)
    async with world.deps.db.read() as tx:
        events = set(await tx.scalars(select(SmsRow.event)))

    assert events == {f"order:{an_order_id(f'o{n}')}" for n in range(3)}


async def test_settling_together_wakes_the_site(world: World) -> None:
    names = await paid(world, 3)
    with world.deps.signals.listen(f"site:{SiteId(SITE)}") as site:
        await told_at_once(world, names)

        assert site.is_set()
