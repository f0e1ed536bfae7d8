"""Plans never change; grants are given, widened, revoked, and end by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from wirepb.v1 import desired_pb2

from billing.errors import InvalidField
from billing.ids import GrantId, PlanId, SiteId
from billing.money import Money
from billing.payment import OrderStage, Reason
from billing.plan import Audience
from controller.store.rows import GrantRow
from controller.store.site_rows import SiteItemRow
from controller.usecases.expire import REVOKED_SHOWN, VALIDITY_SLACK, expire_due
from controller.usecases.grants import (
    DevicesFull,
    GrantOver,
    GrantUnknown,
    add_device,
    give,
    revoke,
)
from controller.usecases.ingest import ingest
from controller.usecases.plans import (
    PlanDiffers,
    PlanUnknown,
    PlanWithdrawn,
    add_plan,
    withdraw_plan,
)
from controller.usecases.token_keys import make_ready
from tests.support.builders import (
    MAC,
    OTHER_MAC,
    SITE,
    a_batch,
    a_plan,
    a_record,
    limits,
    opened,
    reading,
)
from tests.support.money import assert_money_is_conserved

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.plan import Limits, Plan
    from controller.records import Reading
    from tests.support.builders import World

HOUR = PlanId("hour")


async def item(world: World, grant_id: str) -> desired_pb2.Grant | None:
    async with world.deps.db.read() as tx:
        row = await tx.get_one(SiteItemRow, (SITE, f"grant/{grant_id}"))
    return None if row.body is None else desired_pb2.ItemBody.FromString(row.body).grant


async def ended_reason(world: World, grant_id: str) -> str | None:
    async with world.deps.db.read() as tx:
        return (await tx.get_one(GrantRow, grant_id)).ended_reason


async def a_grant(world: World, plan_id: str = "hour") -> GrantId:
    return await give(world.deps, SITE, plan_id=PlanId(plan_id), device_mac=MAC)


async def test_adding_the_same_plan_again_changes_nothing(world: World) -> None:
    await add_plan(world.deps, a_plan())


@pytest.mark.parametrize(
    "changed", [a_plan(shillings=30), a_plan(allows=limits(down_bps=8_000_000))]
)
async def test_plan_never_changes(world: World, changed: Plan) -> None:
    with pytest.raises(PlanDiffers):
        await add_plan(world.deps, changed)


async def test_withdrawn_plan_does_not_come_back(world: World) -> None:
    await withdraw_plan(world.deps, HOUR)
    await withdraw_plan(world.deps, HOUR)

    with pytest.raises(PlanWithdrawn):
        await add_plan(world.deps, a_plan())


async def test_unknown_plan_cannot_be_withdrawn(world: World) -> None:
    with pytest.raises(PlanUnknown):
        await withdraw_plan(world.deps, PlanId("never"))


async def test_plan_that_cannot_be_is_refused(world: World) -> None:
    with pytest.raises(InvalidField, match="price"):
        await add_plan(world.deps, a_plan("bad", shillings=-1))


async def test_given_grant_is_told_to_the_site_without_a_cause(world: World) -> None:
    told = await item(world, await a_grant(world))

    assert told is not None
    assert (list(told.devices), told.plan_name, told.cause_id) == ([MAC], "Plan hour", "")
    await assert_money_is_conserved(world.deps.db)


@pytest.mark.parametrize(
    ("field", "site", "plan", "mac"),
    [
        ("site_id", "nowhere", "hour", MAC),
        ("plan_id", "kahawa", "never", MAC),
        ("device_mac", "kahawa", "hour", "not a mac"),
    ],
)
async def test_grant_that_cannot_be_is_refused_by_field(
    world: World, field: str, site: str, plan: str, mac: str
) -> None:
    with pytest.raises(InvalidField) as refusal:
        await give(world.deps, SiteId(site), plan_id=PlanId(plan), device_mac=mac)

    assert refusal.value.field == field


async def test_revoked_grant_is_told_to_be_so(world: World) -> None:
    grant_id = await a_grant(world)
    await revoke(world.deps, grant_id)
    await revoke(world.deps, grant_id)
    told = await item(world, grant_id)

    assert told is not None
    assert told.revoked


async def test_revoked_grant_leaves_the_desired_state_after_a_day(world: World) -> None:
    grant_id = await a_grant(world)
    await revoke(world.deps, grant_id)
    await expire_due(world.deps)
    still = await item(world, grant_id)
    world.clock.advance(int(REVOKED_SHOWN.total_seconds()))
    await expire_due(world.deps)

    assert still is not None
    assert await item(world, grant_id) is None


async def test_unknown_grant_cannot_be_revoked(world: World) -> None:
    with pytest.raises(GrantUnknown):
        await revoke(world.deps, GrantId("f" * 32))


async def test_device_is_added_as_far_as_the_plan_allows(world: World) -> None:
    await add_plan(world.deps, a_plan("family", allows=limits(devices_max=2)))
    grant_id = await a_grant(world, "family")
    await add_device(world.deps, grant_id, OTHER_MAC)
    await add_device(world.deps, grant_id, OTHER_MAC)
    told = await item(world, grant_id)

    assert told is not None
    assert list(told.devices) == [MAC, OTHER_MAC]
    with pytest.raises(DevicesFull):
        await add_device(world.deps, grant_id, "02:00:00:00:00:0c")


async def test_devices_added_at_once_never_exceed_the_plan(world: World) -> None:
    await add_plan(world.deps, a_plan("family", allows=limits(devices_max=3)))
    grant_id = await a_grant(world, "family")
    await asyncio.gather(
        *(add_device(world.deps, grant_id, f"02:00:00:00:01:{n:02x}") for n in range(6)),
        return_exceptions=True,
    )
    told = await item(world, grant_id)

    assert told is not None
    assert len(told.devices) == 3


async def test_no_device_is_added_to_a_grant_that_is_over(world: World) -> None:
    grant_id = await a_grant(world)
    await revoke(world.deps, grant_id)

    with pytest.raises(GrantOver):
        await add_device(world.deps, grant_id, OTHER_MAC)


async def test_grant_never_used_never_expires(world: World) -> None:
    grant_id = await a_grant(world)
    world.clock.advance(400 * 86_400)

    assert await expire_due(world.deps) == 0
    assert await item(world, grant_id) is not None


@pytest.mark.parametrize(
    ("allows", "last", "reason"),
    [
        (limits(validity_s=None, quota_bytes=100_000), partial(reading, down=100_000), "data"),
        (limits(), partial(reading, validity_s=3_600), "time"),
        (limits(validity_s=None, uptime_s=60), partial(reading, uptime_s=61), "time"),
    ],
)
async def test_grant_whose_reported_spending_ended_it_leaves_the_desired_state(
    world: World, allows: Limits, last: Callable[..., Reading], reason: str
) -> None:
    await add_plan(world.deps, a_plan("small", allows=allows))
    grant_id = await a_grant(world, "small")
    await ingest(world.deps, SITE, a_batch(a_record(1, last(grant_id=grant_id))))

    assert [await expire_due(world.deps), await expire_due(world.deps)] == [1, 0]
    assert await ended_reason(world, grant_id) == reason
    assert await item(world, grant_id) is None


async def test_grant_with_something_left_stays(world: World) -> None:
    grant_id = await a_grant(world)
    await ingest(
        world.deps, SITE, a_batch(a_record(1, reading(grant_id=grant_id, validity_s=3_599)))
    )

    assert await expire_due(world.deps) == 0


async def test_validity_ends_by_the_calendar_when_the_site_falls_silent(world: World) -> None:
    grant_id = await a_grant(world)
    await ingest(world.deps, SITE, a_batch(a_record(1, opened(grant_id=grant_id))))
    world.clock.advance(3_600 + int(VALIDITY_SLACK.total_seconds()) - 1)
    early = await expire_due(world.deps)
    world.clock.advance(1)

    assert (early, await expire_due(world.deps)) == (0, 1)
    assert await ended_reason(world, grant_id) == "time"


async def test_paid_grant_that_expires_leaves_the_money_alone(world: World) -> None:
    await world.order()
    world.gateway.pay(world.last_provider_id, world.clock())
    await world.call_back()
    grant_id = (await world.order()).grant_id
    assert grant_id is not None
    await ingest(
        world.deps, SITE, a_batch(a_record(1, reading(grant_id=grant_id, validity_s=3_600)))
    )
    await expire_due(world.deps)

    await assert_money_is_conserved(world.deps.db)
    assert (await world.order()).stage == "paid"


def a_contract() -> Plan:
    return replace(a_plan("home-20"), audience=Audience.CONTRACT, price=Money(2_999_50))


async def test_a_plan_for_contracts_cannot_be_bought_at_a_portal(world: World) -> None:
    await add_plan(world.deps, a_contract())
    status = await world.order(plan_id="home-20")

    assert (status.stage, status.reason) == (OrderStage.REFUSED, Reason.PLAN_UNKNOWN)


async def test_a_plan_for_contracts_wants_no_slot_for_tokens(world: World) -> None:
    await make_ready(world.deps)
    await add_plan(world.deps, a_contract())

    assert await make_ready(world.deps) == 0
