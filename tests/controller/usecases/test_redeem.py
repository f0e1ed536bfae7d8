"""A voucher becomes a grant once, whoever tries how often."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from billing.errors import InvalidField
from billing.ids import PlanId, RedemptionId
from billing.voucher import shown
from controller.store.code_rows import VoucherRow
from controller.store.database import Database
from controller.store.rows import GrantRow, GrantSiteRow
from controller.usecases.grants import revoke
from controller.usecases.plans import PlanUnknown, PlanWithdrawn, add_plan, withdraw_plan
from controller.usecases.redeem import (
    TRIES_PER_DEVICE_MAX,
    TRIES_PER_SITE_MAX,
    TRIES_WINDOW,
    RedeemStatus,
    redeem,
)
from controller.usecases.sites import NewSite, add_site
from controller.usecases.vouchers import create_vouchers
from tests.support.builders import (
    MAC,
    OTHER_MAC,
    OTHER_SITE,
    SITE,
    Killed,
    MortalDatabase,
    a_plan,
    hex_id,
    limits,
)
from tests.support.money import assert_money_is_conserved

if TYPE_CHECKING:
    from billing.voucher import VoucherCode
    from tests.support.builders import World

HOUR = PlanId("hour")
PAIR = "pair"
WRONG = "2222-2222-2222"


@pytest.fixture
async def code(world: World) -> VoucherCode:
    _batch, codes = await create_vouchers(world.deps, HOUR, 1, None)
    return codes[0]


async def use(
    world: World, code: str, *, redemption: str = "first", mac: str = MAC
) -> RedeemStatus:
    return await redeem(
        world.deps,
        SITE,
        redemption_id=RedemptionId(hex_id(redemption)),
        code=code,
        device_mac=mac,
    )


async def grants_in(world: World) -> int:
    async with world.deps.db.read() as tx:
        return (await tx.execute(select(func.count()).select_from(GrantRow))).scalar_one()


async def test_voucher_gives_a_grant_to_the_device(world: World, code: VoucherCode) -> None:
    status = await use(world, code)
    async with world.deps.db.read() as tx:
        grant = await tx.get_one(GrantRow, status.grant_id)

    assert (grant.devices, grant.plan_id, grant.cause_id) == (MAC, "hour", hex_id("first"))
    await assert_money_is_conserved(world.deps.db)


async def test_code_is_taken_as_people_type_it(world: World, code: VoucherCode) -> None:
    assert (await use(world, f" {shown(code).lower()} ")).refusal is None


async def test_same_redemption_again_gives_the_same_grant(world: World, code: VoucherCode) -> None:
    assert await use(world, code) == await use(world, code)
    assert await grants_in(world) == 1


async def test_used_voucher_connects_its_own_device_again(world: World, code: VoucherCode) -> None:
    first = await use(world, code)

    assert await use(world, code, redemption="second") == first


async def test_used_voucher_is_full_for_another_device(world: World, code: VoucherCode) -> None:
    first = await use(world, code)
    answer = await use(world, code, redemption="second", mac=OTHER_MAC)

    assert answer == RedeemStatus("devices_full", first.grant_id)


async def test_used_voucher_whose_grant_is_over_is_refused(world: World, code: VoucherCode) -> None:
    given = (await use(world, code)).grant_id
    assert given is not None
    await revoke(world.deps, given)

    assert (await use(world, code, redemption="second")).refusal == "voucher_used"


async def paid(world: World) -> str:
    """A receipt of a purchase by the first device."""
    await add_plan(world.deps, a_plan(PAIR, allows=limits(devices_max=2)), rank=9)
    await world.order(plan_id=PAIR)
    receipt = world.gateway.pay(world.last_provider_id, world.clock())
    await world.call_back()
    return receipt


async def devices_of(world: World, grant_id: str | None) -> list[str]:
    async with world.deps.db.read() as tx:
        return (await tx.get_one(GrantRow, grant_id)).devices.split()


async def test_receipt_lets_a_second_device_join_what_was_bought(world: World) -> None:
    answer = await use(world, f"{await paid(world)} Confirmed. Ksh20.00 sent", mac=OTHER_MAC)

    assert answer.refusal is None
    assert await devices_of(world, answer.grant_id) == [MAC, OTHER_MAC]
    assert await grants_in(world) == 1
    await assert_money_is_conserved(world.deps.db)


async def test_receipt_shown_by_the_device_that_paid_changes_nothing(world: World) -> None:
    answer = await use(world, await paid(world), mac=MAC)

    assert await devices_of(world, answer.grant_id) == [MAC]


async def test_receipt_joins_no_more_devices_than_were_paid_for(world: World) -> None:
    receipt = await paid(world)
    answers = await asyncio.gather(
        *(use(world, receipt, redemption=f"r{n}", mac=f"02:00:00:00:02:0{n}") for n in range(5))
    )

    assert sorted(str(answer.refusal) for answer in answers) == ["None", *["devices_full"] * 4]


@pytest.mark.parametrize("text", ["SGH7K2Q0XD", "QQQQQQQQQ1 Confirmed."])
async def test_receipt_of_nobody_is_refused_and_counts_as_a_guess(world: World, text: str) -> None:
    await paid(world)
    for n in range(TRIES_PER_DEVICE_MAX):
        assert (await use(world, text, redemption=f"guess {n}")).refusal == "voucher_invalid"

    assert (await use(world, text, redemption="more")).refusal == "too_many_tries"


async def test_receipt_brings_what_was_bought_to_another_site(world: World) -> None:
    receipt = await paid(world)
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    answer = await redeem(
        world.deps,
        OTHER_SITE,
        redemption_id=RedemptionId(hex_id("first")),
        code=receipt,
        device_mac=OTHER_MAC,
    )
    async with world.deps.db.read() as tx:
        places = list(await tx.scalars(select(GrantSiteRow.site_id)))

    assert answer.refusal is None
    assert set(places) == {SITE, OTHER_SITE}


async def test_voucher_redeemed_by_ten_devices_at_once_gives_one_grant(
    world: World, code: VoucherCode, db_url: str
) -> None:
    second = Database(db_url)
    worlds = (world, world.on(second))
    answers = await asyncio.gather(
        *(
            use(worlds[n % 2], code, redemption=f"number {n}", mac=f"02:00:00:00:02:0{n}")
            for n in range(10)
        )
    )
    await second.close()

    assert sum(answer.refusal is None for answer in answers) == 1
    assert await grants_in(world) == 1


async def test_one_redemption_sent_ten_times_at_once_answers_alike(
    world: World, code: VoucherCode
) -> None:
    answers = await asyncio.gather(*(use(world, code) for _ in range(10)))

    assert len(set(answers)) == 1
    assert answers[0].refusal is None


async def test_redemption_of_another_site_is_not_answered_twice(
    world: World, code: VoucherCode
) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    await use(world, code)
    answer = await redeem(
        world.deps,
        OTHER_SITE,
        redemption_id=RedemptionId(hex_id("first")),
        code=code,
        device_mac=MAC,
    )

    assert answer == RedeemStatus("voucher_used", None)


async def test_voucher_past_its_date_is_refused(world: World) -> None:
    until = world.clock() + timedelta(days=1)
    _batch, codes = await create_vouchers(world.deps, HOUR, 1, until)
    world.clock.advance(86_400)

    assert (await use(world, codes[0])).refusal == "voucher_invalid"


async def test_voucher_of_a_withdrawn_plan_is_still_good(world: World, code: VoucherCode) -> None:
    await withdraw_plan(world.deps, HOUR)

    assert (await use(world, code)).refusal is None


@pytest.mark.parametrize("text", [WRONG, "", "x", "0000-0000-0000", "7KQM" * 50])
async def test_code_that_is_none_is_refused(world: World, text: str) -> None:
    assert (await use(world, text)).refusal == "voucher_invalid"


async def test_device_that_guesses_is_stopped_even_with_a_good_code(
    world: World, code: VoucherCode
) -> None:
    for n in range(TRIES_PER_DEVICE_MAX):
        await use(world, WRONG, redemption=f"guess {n}")

    assert (await use(world, code, redemption="late")).refusal == "too_many_tries"
    assert (await use(world, code, redemption="other", mac=OTHER_MAC)).refusal is None


async def test_one_failed_try_that_is_repeated_counts_once(world: World, code: VoucherCode) -> None:
    for _ in range(TRIES_PER_DEVICE_MAX + 1):
        await use(world, WRONG, redemption="guess")

    assert (await use(world, code, redemption="then")).refusal is None


async def test_device_may_try_again_later(world: World, code: VoucherCode) -> None:
    for n in range(TRIES_PER_DEVICE_MAX):
        await use(world, WRONG, redemption=f"guess {n}")
    world.clock.advance(int(TRIES_WINDOW.total_seconds()))

    assert (await use(world, code, redemption="later")).refusal is None


async def test_site_that_guesses_with_many_devices_is_stopped(
    world: World, code: VoucherCode
) -> None:
    for n in range(TRIES_PER_SITE_MAX):
        await use(world, WRONG, redemption=f"g{n}", mac=f"02:00:00:00:01:{n:02x}")

    assert (await use(world, code, redemption="late")).refusal == "too_many_tries"


@pytest.mark.parametrize("moment", ["inside", "after"])
async def test_redemption_that_was_cut_off_is_carried_out_once(
    world: World, code: VoucherCode, db_url: str, moment: str
) -> None:
    mortal = MortalDatabase(db_url, nth=1, moment="inside" if moment == "inside" else "after")
    with pytest.raises(Killed):
        await use(world.on(mortal), code)
    await mortal.close()

    assert (await use(world, code)).refusal is None
    assert await grants_in(world) == 1


async def test_codes_are_kept_as_hashes_only(world: World) -> None:
    _batch, codes = await create_vouchers(world.deps, HOUR, 50, None)
    async with world.deps.db.read() as tx:
        kept = set(await tx.scalars(select(VoucherRow.code_hash)))

    assert len(kept) == len(set(codes)) == 50
    assert not kept & set(codes)


@pytest.mark.parametrize("count", [0, -1, 10_001])
async def test_batch_of_an_impossible_size_is_refused(world: World, count: int) -> None:
    with pytest.raises(InvalidField, match="count"):
        await create_vouchers(world.deps, HOUR, count, None)


async def test_batch_that_is_out_of_date_already_is_refused(world: World) -> None:
    with pytest.raises(InvalidField, match="expires_at"):
        await create_vouchers(world.deps, HOUR, 1, world.clock())


async def test_batch_for_an_unknown_or_withdrawn_plan_is_refused(world: World) -> None:
    with pytest.raises(PlanUnknown):
        await create_vouchers(world.deps, PlanId("never"), 1, None)
    await withdraw_plan(world.deps, HOUR)
    with pytest.raises(PlanWithdrawn):
        await create_vouchers(world.deps, HOUR, 1, None)


async def test_a_redemption_named_like_an_order_does_not_keep_its_payment_from_settling(
    world: World, code: VoucherCode
) -> None:
    await world.order("bought")
    status = await use(world, code, redemption="bought")
    world.gateway.pay(world.last_provider_id, world.clock())
    verdict = await world.call_back()

    assert status.refusal == "voucher_invalid"
    assert verdict.settled
