"""Activation tokens: issued once per serial, proved by the site alone, redeemed once or booked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select
from wirepb.v1 import desired_pb2 as pb

from billing.ids import AccountName, PlanId, RedemptionId, grant_of
from billing.money import Money
from billing.token import Token, TokenCode, decode, encode, shown
from controller.notify.memory import Scripted
from controller.records import Redeemed
from controller.store import ledger, plans
from controller.store.code_rows import TokenKeyRow, TokenRow, TokenSlotRow
from controller.store.database import Database
from controller.store.rows import GrantRow, PaymentRow, SmsRow
from controller.store.site_rows import JournalRow, NoticeRow, SiteItemRow
from controller.usecases import messages, token_keys
from controller.usecases.ingest import ingest
from controller.usecases.plans import add_plan, withdraw_plan
from controller.usecases.purchase import NewOrder, Purpose, purchase
from controller.usecases.redeem import RedeemStatus, redeem
from controller.usecases.tokens import Issued, issue, resend
from tests.support.builders import (
    HOUR,
    MAC,
    OTHER_MAC,
    PHONE,
    SITE,
    World,
    a_batch,
    a_plan,
    a_record,
    an_order_id,
    hex_id,
    limits,
)
from tests.support.clock import MORNING
from tests.support.money import assert_money_is_conserved

if TYPE_CHECKING:
    from controller.store.database import Tx
    from controller.store.rows import Row

PAIR = PlanId("pair")


async def rows(world: World, kind: type[Row]) -> list[Row]:
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(select(kind)))


async def keys_told(world: World) -> dict[int, bytes]:
    """The token keys as the site was told them."""
    async with world.deps.db.read() as tx:
        item = await tx.get_one(SiteItemRow, (SITE, "token-keys"))
    told = pb.ItemBody.FromString(item.body or b"").token_keys.keys
    return {key.version: key.secret for key in told}


async def said(world: World, code: TokenCode) -> Token:
    """What the site reads in a token, with what it was told."""
    token = decode(code, await keys_told(world))
    assert token is not None
    return token


async def at_site(
    world: World, token: Token, *, name: str = "first", plan_id: PlanId = HOUR, mac: str = MAC
) -> None:
    """A redemption that the site carried out alone reaches the controller."""
    redemption_id = RedemptionId(hex_id(name))
    fact = Redeemed(
        redemption_id=redemption_id,
        grant_id=grant_of(redemption_id),
        plan_id=plan_id,
        device_mac=mac,
        key_version=token.version,
        slot=token.slot,
        serial=token.serial,
    )
    async with world.deps.db.read() as tx:
        seq = 1 + (await tx.scalar(select(func.max(JournalRow.acked_seq))) or 0)
    await ingest(world.deps, SITE, a_batch(a_record(seq, fact)))


async def online(world: World, code: str, *, name: str = "first", mac: str = MAC) -> RedeemStatus:
    return await redeem(
        world.deps,
        SITE,
        redemption_id=RedemptionId(hex_id(name)),
        code=code,
        device_mac=mac,
    )


async def sold(world: World, name: str = "order") -> None:
    """A token is ordered on the public page and paid for."""
    order = NewOrder(an_order_id(name), HOUR, PHONE, "", 0, Purpose.TOKEN)
    await purchase(world.deps, SITE, order)
    world.gateway.pay(world.last_provider_id, world.clock())
    await world.call_back()


async def notices_of(world: World) -> list[str]:
    return [str(row.code) for row in await rows(world, NoticeRow) if isinstance(row, NoticeRow)]


async def test_site_can_prove_and_price_a_token_with_what_it_was_told_before(world: World) -> None:
    await token_keys.make_ready(world.deps)
    told = await keys_told(world)
    issued = await issue(world.deps, SITE, HOUR)
    token = decode(issued.code, told)
    assert token is not None
    async with world.deps.db.read() as tx:
        item = await tx.get_one(SiteItemRow, (SITE, f"slot/{token.slot}"))
    slot = pb.ItemBody.FromString(item.body or b"").token_slot

    assert (slot.slot, slot.plan_id, slot.limits.validity_s) == (token.slot, HOUR, 3_600)


async def test_making_ready_twice_tells_nothing_new(world: World) -> None:
    assert await token_keys.make_ready(world.deps) == 1
    assert await token_keys.make_ready(world.deps) == 0


async def test_tokens_issued_at_once_have_serials_of_their_own(world: World, db_url: str) -> None:
    second = Database(db_url)
    worlds = (world, world.on(second))
    made = await asyncio.gather(*(issue(worlds[n % 2].deps, SITE, HOUR) for n in range(8)))
    await second.close()

    assert len({issued.code for issued in made}) == 8
    assert {(await said(world, issued.code)).serial for issued in made} == set(range(8))


async def test_no_key_and_no_digits_stand_in_the_database(world: World) -> None:
    issued = await issue(world.deps, SITE, HOUR, msisdn=PHONE)
    secret = next(iter((await keys_told(world)).values()))
    (key,) = await rows(world, TokenKeyRow)
    (message,) = await rows(world, SmsRow)
    assert isinstance(key, TokenKeyRow)
    assert isinstance(message, SmsRow)

    assert secret not in key.sealed
    assert shown(issued.code).encode() not in (message.sealed or b"")


async def test_sold_token_goes_by_sms_and_grants_nothing_yet(world: World) -> None:
    await sold(world)
    await messages.send_due(world.deps)
    (text,) = world.sms.to(PHONE)
    (token,) = await rows(world, TokenRow)
    assert isinstance(token, TokenRow)

    assert token.id == an_order_id()
    assert (await said(world, TokenCode(text.split()[0].replace("-", "")))).serial == token.serial
    assert await rows(world, GrantRow) == []
    await assert_money_is_conserved(world.deps.db)


async def test_payment_told_twice_issues_one_token(world: World) -> None:
    await sold(world)
    await world.call_back()
    await messages.send_due(world.deps)

    assert len(await rows(world, TokenRow)) == len(world.sms.taken) == 1


async def test_order_for_a_token_names_no_device(world: World) -> None:
    await sold(world)
    (payment,) = await rows(world, PaymentRow)
    assert isinstance(payment, PaymentRow)

    assert (payment.purpose, payment.device_mac) == ("token", "")


async def test_free_plan_is_not_sold_as_a_token(world: World) -> None:
    await add_plan(world.deps, a_plan("free", shillings=0), rank=3)
    order = NewOrder(an_order_id(), PlanId("free"), PHONE, "", 0, Purpose.TOKEN)

    assert (await purchase(world.deps, SITE, order)).reason == "plan_unknown"


async def test_redemption_at_the_site_gives_the_grant_that_both_ends_name(world: World) -> None:
    issued = await issue(world.deps, SITE, HOUR, msisdn=PHONE)

    await at_site(world, await said(world, issued.code))

    (grant,) = await rows(world, GrantRow)
    assert isinstance(grant, GrantRow)
    assert grant.id == grant_of(RedemptionId(hex_id("first")))
    assert (grant.devices, grant.plan_id, grant.subscriber_id is None) == (MAC, HOUR, False)


async def test_redemption_reported_twice_is_taken_once(world: World) -> None:
    token = await said(world, (await issue(world.deps, SITE, HOUR)).code)
    await at_site(world, token)

    await at_site(world, token)

    assert len(await rows(world, GrantRow)) == 1


async def test_second_redemption_of_one_serial_is_booked_as_a_loss(world: World) -> None:
    await sold(world)
    (row,) = await rows(world, TokenRow)
    assert isinstance(row, TokenRow)
    token = Token(0, row.slot, row.serial)
    await at_site(world, token)

    await at_site(world, token, name="second", mac=OTHER_MAC)

    async with world.deps.db.read() as tx:
        loss = await ledger.balance(tx, AccountName(f"expense:double-redemption:{SITE}"))
    assert loss == Money(2_000)
    assert "double_redemption" in await notices_of(world)
    await assert_money_is_conserved(world.deps.db)


async def test_serial_that_nobody_issued_gives_nothing_and_is_noticed(world: World) -> None:
    token = await said(world, (await issue(world.deps, SITE, HOUR)).code)
    never = Token(token.version, token.slot, token.serial + 1)

    await at_site(world, never)

    assert await rows(world, GrantRow) == []
    assert await notices_of(world) == ["redemption_doubtful"]


async def test_token_typed_online_as_people_type_it_opens_the_gate(world: World) -> None:
    issued = await issue(world.deps, SITE, HOUR)
    answer = await online(world, f" {shown(issued.code)} ")

    assert answer == RedeemStatus(None, grant_of(RedemptionId(hex_id("first"))))
    assert await online(world, issued.code) == answer


async def test_used_token_lets_further_devices_join_while_there_is_room(world: World) -> None:
    await add_plan(world.deps, a_plan(PAIR, allows=limits(devices_max=2)), rank=9)
    issued = await issue(world.deps, SITE, PAIR)
    first = await online(world, issued.code)

    assert await online(world, issued.code, name="second", mac=OTHER_MAC) == first
    third = await online(world, issued.code, name="third", mac="02:00:00:00:00:0c")
    assert third.refusal == "devices_full"


async def test_digits_that_no_key_made_are_invalid(world: World) -> None:
    issued = await issue(world.deps, SITE, HOUR)
    wrong = f"{(int(issued.code) + 1) % 10**20:020d}"

    assert (await online(world, wrong)).refusal == "token_invalid"


async def test_right_digits_that_were_never_issued_are_invalid_and_noticed(world: World) -> None:
    issued = await issue(world.deps, SITE, HOUR)
    token = await said(world, issued.code)
    secret = (await keys_told(world))[token.version]
    forged = encode(Token(token.version, token.slot, 77), secret)

    assert (await online(world, forged)).refusal == "token_invalid"
    assert await notices_of(world) == ["token_unknown"]


async def test_tokens_of_an_older_key_stay_good_after_rotation(world: World) -> None:
    old = await issue(world.deps, SITE, HOUR)

    assert await token_keys.rotate(world.deps, SITE) == 1
    new = await issue(world.deps, SITE, HOUR)
    assert ((await said(world, old.code)).version, (await said(world, new.code)).version) == (0, 1)
    assert (await online(world, old.code)).refusal is None


async def test_fifth_key_waits_for_the_tokens_of_the_first(world: World) -> None:
    old = await issue(world.deps, SITE, HOUR)
    for _ in range(3):
        await token_keys.rotate(world.deps, SITE)
    with pytest.raises(token_keys.KeysFull):
        await token_keys.rotate(world.deps, SITE)
    await online(world, old.code)

    assert await token_keys.rotate(world.deps, SITE) == 0
    assert len(await keys_told(world)) == 4


async def test_slots_are_kept_until_their_plan_has_long_been_withdrawn(world: World) -> None:
    await token_keys.make_ready(world.deps)
    async with world.deps.db.begin() as tx:
        for n in range(1, 256):
            await add_row(tx, n)
    plan = PlanId("one-more")
    await add_plan(world.deps, a_plan(plan), rank=4)
    with pytest.raises(token_keys.SlotsFull, match="all 256"):
        await issue(world.deps, SITE, plan)
    await withdraw_plan(world.deps, PlanId("filler-1"))
    world.clock.advance(181 * 86_400)

    issued = await issue(world.deps, SITE, plan)
    assert (await said(world, issued.code)).slot == 1


async def add_row(tx: Tx, n: int) -> None:
    """A plan with a slot of its own."""
    await plans.insert(tx, a_plan(f"filler-{n}"), rank=50, now=MORNING)
    tx.add(TokenSlotRow(site_id=SITE, slot=n, plan_id=f"filler-{n}", used_at=MORNING))


async def test_message_that_could_not_leave_is_sent_again_later(world: World) -> None:
    world.sms.script(Scripted.DOWN)
    await issue(world.deps, SITE, HOUR, msisdn=PHONE)
    await messages.send_due(world.deps)
    assert world.sms.taken == []
    world.clock.advance(messages.AGAIN_AFTER_S[0])
    await messages.send_due(world.deps)

    assert len(world.sms.to(PHONE)) == 1


async def test_message_whose_answer_was_lost_goes_again_under_the_same_id(world: World) -> None:
    world.sms.script(Scripted.LOSE)
    await issue(world.deps, SITE, HOUR, msisdn=PHONE)
    await messages.send_due(world.deps)
    world.clock.advance(messages.AGAIN_AFTER_S[0])
    await messages.send_due(world.deps)

    assert (world.sms.asked, len(world.sms.taken)) == (2, 1)


async def test_message_that_never_leaves_is_given_up_with_a_notice(world: World) -> None:
    world.sms.script(*[Scripted.DOWN] * 20)
    issued = await issue(world.deps, SITE, HOUR, msisdn=PHONE)
    for wait_s in (0, *messages.AGAIN_AFTER_S, 86_400):
        world.clock.advance(wait_s)
        await messages.send_due(world.deps)

    assert world.sms.asked == len(messages.AGAIN_AFTER_S) + 1
    assert await notices_of(world) == ["sms_given_up"]
    await resend(world.deps, issued.id)
    assert len(await rows(world, SmsRow)) == 2


async def test_refused_message_is_given_up_at_once(world: World) -> None:
    world.sms.script(Scripted.REFUSE)
    await issue(world.deps, SITE, HOUR, msisdn=PHONE)
    await messages.send_due(world.deps)

    assert await notices_of(world) == ["sms_given_up"]


async def test_sent_again_token_has_the_same_digits(world: World) -> None:
    issued: Issued = await issue(world.deps, SITE, HOUR, msisdn=PHONE)
    await resend(world.deps, issued.id)
    await messages.send_due(world.deps)

    assert len(world.sms.taken) == 2
    assert len(set(world.sms.to(PHONE))) == 1
