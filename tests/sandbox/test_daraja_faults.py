"""Every switch of the fault panel, as seen from outside; and money that adds up through all."""

from __future__ import annotations

import asyncio
import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from billing.payment import Evidence, Reason
from controller.payments.gateway import CallbackUnreadable, GatewayError
from controller.sandbox.daraja.faults import SWITCHES, Faults
from tests.support.daraja import World, a_world, sim_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.payments.gateway import PushAnswer

NOW = datetime.now(UTC)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


def inner(body: bytes) -> dict[str, Any]:
    callback: dict[str, Any] = json.loads(body)["Body"]["stkCallback"]
    return callback


def item(body: bytes, name: str) -> Any:
    found = [i for i in inner(body)["CallbackMetadata"]["Item"] if i["Name"] == name]
    return found[0].get("Value")


async def pushed(world: World, **faults: object) -> PushAnswer:
    await world.set_faults(**faults)
    return await world.gateway(push_timeout_s=0.5).push(world.push(), NOW)


async def paid(world: World, *, callbacks: int = 1, **faults: object) -> list[bytes]:
    """The callbacks of a payment under ``faults``."""
    await pushed(world, **faults)
    await world.type_pin()
    return await world.shop.received(callbacks)


def test_every_fault_has_a_switch_and_every_switch_a_fault() -> None:
    switches = [s.name for group in SWITCHES.values() for s in group]

    assert sorted(switches) == sorted(f.name for f in fields(Faults))


def test_every_switch_says_what_is_real_and_what_is_seen() -> None:
    assert all(s.title and s.real and s.seen for group in SWITCHES.values() for s in group)


async def test_on_a_good_day_a_code_is_a_number(world: World) -> None:
    (body,) = await paid(world)

    assert inner(body)["ResultCode"] == 0
    assert item(body, "PhoneNumber") == 254712345678


async def test_the_header_names_the_shortcode(world: World) -> None:
    await paid(world)

    assert world.shop.headers[0]["businessshortcode"] == "600111"


async def test_a_callback_is_tried_once_even_when_it_is_refused(world: World) -> None:
    world.shop.status = 500
    await paid(world)
    await world.gateway().push(world.push(), NOW)
    await world.cancel()
    await world.shop.received(2)
    codes = [inner(body)["ResultCode"] for body in world.shop.bodies]

    assert codes == [0, 1032]


async def test_balances_come_in_four_variants_and_items_in_any_order(world: World) -> None:
    gateway = world.gateway()
    for n in range(8):
        await gateway.push(world.push(msisdn=f"25471234560{n}"), NOW)
        await world.type_pin()
        await world.shop.received(n + 1)
    names = {
        tuple(i["Name"] for i in inner(b)["CallbackMetadata"]["Item"]) for b in world.shop.bodies
    }
    outcomes = {gateway.parse_callback(body, {}).evidence for body in world.shop.bodies}

    assert len(names) > 3
    assert outcomes == {Evidence.PAID}


async def test_a_late_callback_comes_after_the_query_knows(world: World) -> None:
    answer = await pushed(world, callback_late_s=1)
    await world.type_pin()
    outcome = Evidence.STILL_OPEN
    while outcome is Evidence.STILL_OPEN:
        outcome = (await world.gateway().query(answer.provider_id or "", NOW)).evidence
    before = len(world.shop.bodies)
    await world.shop.received()

    assert (outcome, before) == (Evidence.PAID, 0)


async def test_a_lost_callback_is_recorded_and_never_sent(world: World) -> None:
    await pushed(world, callback_lost=True)
    await world.type_pin()
    told = await world.seen("callbacks", len)

    assert (told[0]["kind"], told[0]["status"], world.shop.bodies) == ("lost", None, [])


async def test_a_doubled_callback_is_the_same_twice(world: World) -> None:
    first, second = await paid(world, callbacks=2, callback_doubled=True)

    assert first == second


async def test_ten_callbacks_come_at_once(world: World) -> None:
    bodies = await paid(world, callbacks=10, callback_ten_at_once=True)

    assert len(set(bodies)) == 1
    assert world.shop.at_once_max > 1


async def test_a_callback_overtakes_the_answer_to_the_push(world: World) -> None:
    await world.set_faults(callback_before_answer=True)

    async def pushed() -> tuple[PushAnswer, float]:
        answer = await world.gateway().push(world.push(), NOW)
        return answer, asyncio.get_running_loop().time()

    pushing = asyncio.create_task(pushed())
    await world.type_pin()
    answer, answered_at = await pushing

    assert world.shop.taken_at[0] < answered_at
    assert answer.provider_id == inner(world.shop.bodies[0])["CheckoutRequestID"]


async def test_a_wrong_amount_is_a_lie_about_true_money(world: World) -> None:
    (body,) = await paid(world, callback_wrong_amount=True)
    settled = await world.look("settled")

    assert (item(body, "Amount"), settled["shillings_total"]) == (51, 50)


async def test_a_wrong_shortcode_is_seen_by_the_reader(world: World) -> None:
    (body,) = await paid(world, callback_wrong_shortcode=True)

    assert world.gateway().parse_callback(body, {}).shortcode == "999999"


async def test_a_forgery_names_a_payment_that_is_not_there(world: World) -> None:
    answer = await pushed(world, callback_forged=True)
    (body,) = await world.shop.received()
    settled = await world.look("settled")

    assert inner(body)["ResultCode"] == 0
    assert inner(body)["CheckoutRequestID"] != answer.provider_id
    assert settled["shillings_total"] == 0


async def test_a_forgery_can_be_posted_by_hand(world: World) -> None:
    refused = await world.http.post(f"{world.url}/sim/forge")
    await pushed(world)
    forged = await world.http.post(f"{world.url}/sim/forge")

    assert (refused.status_code, forged.json()["kind"]) == (422, "forged")


async def test_a_code_may_be_a_text(world: World) -> None:
    (body,) = await paid(world, callback_text_code=True)

    assert inner(body)["ResultCode"] == "0"
    assert world.gateway().parse_callback(body, {}).evidence is Evidence.PAID


async def test_a_callback_that_is_cut_off_is_unreadable(world: World) -> None:
    (body,) = await paid(world, callback_truncated=True)

    with pytest.raises(CallbackUnreadable):
        world.gateway().parse_callback(body, {})


REFUSALS = """
push_refused       our_side
push_spike_arrest  provider_slow
push_quota         provider_slow
push_busy          provider_slow
token_wrong        our_side
token_fails        provider_slow
"""


@pytest.mark.parametrize("line", REFUSALS.split("\n")[1:-1])
async def test_a_push_that_is_turned_away_prompts_nobody(world: World, line: str) -> None:
    fault, reason = line.split()
    answer = await pushed(world, **{fault: True})

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason(reason))
    assert await world.look("prompts") == []


async def test_a_502_in_html_is_doubt(world: World) -> None:
    answer = await pushed(world, push_html_502=True)

    assert answer.evidence is Evidence.NO_ANSWER


async def test_a_push_that_was_taken_and_not_answered_can_be_paid(world: World) -> None:
    (body,) = await paid(world, push_no_answer=True)

    assert inner(body)["ResultCode"] == 0


async def test_a_slow_answer_finds_the_prompt_on_the_phone_already(world: World) -> None:
    await world.set_faults(push_slow_s=1)
    pushing = asyncio.create_task(world.gateway().push(world.push(), NOW))
    await world.type_pin()
    early = pushing.done()

    assert not early
    assert (await pushing).evidence is Evidence.ACCEPTED


async def test_a_flapping_query_never_says_failed(world: World) -> None:
    answer = await pushed(world, query_flaps=True)
    await world.type_pin()
    await world.shop.received()
    gateway = world.gateway()
    seen = [(await gateway.query(answer.provider_id or "", NOW)).evidence for _ in range(4)]

    assert seen == [Evidence.STILL_OPEN, Evidence.PAID] * 2


async def test_a_query_may_stay_open_after_the_money_came(world: World) -> None:
    answer = await pushed(world, query_stays_open=True)
    await world.type_pin()
    await world.shop.received()
    outcome = await world.gateway().query(answer.provider_id or "", NOW)

    assert outcome.code == "4999"


async def test_a_query_may_say_no_reply_and_then_the_money_comes(world: World) -> None:
    answer = await pushed(world, query_disagrees=True)
    outcome = await world.gateway().query(answer.provider_id or "", NOW)
    await world.type_pin()
    (body,) = await world.shop.received()

    assert (outcome.code, inner(body)["ResultCode"]) == ("1037", 0)


async def test_a_token_may_die_early_and_is_renewed(world: World) -> None:
    await world.set_faults(token_life_s=1)
    gateway = world.gateway()
    await gateway.push(world.push(), NOW)
    await asyncio.sleep(1.05)  # the simulated network's own clock
    answer = await gateway.push(world.push(msisdn="254100000001"), NOW)

    assert answer.evidence is Evidence.ACCEPTED


async def test_a_lifetime_may_be_a_number(world: World) -> None:
    answer = await pushed(world, token_as_number=True)

    assert answer.evidence is Evidence.ACCEPTED


async def test_a_query_with_the_token_door_closed_is_an_error(world: World) -> None:
    await world.set_faults(token_fails=True)

    with pytest.raises(GatewayError):
        await world.gateway().query("ws_CO_1", NOW)


async def test_a_busy_line_may_be_told_later(world: World) -> None:
    gateway = world.gateway()
    await world.set_faults(line_busy_later=True)
    await gateway.push(world.push(), NOW)
    await gateway.push(world.push(), NOW)
    (body,) = await world.shop.received()

    assert gateway.parse_callback(body, {}).reason is Reason.LINE_BUSY


async def test_the_same_amount_again_may_be_refused(world: World) -> None:
    await paid(world, line_same_amount=True)
    await world.gateway().push(world.push(), NOW)
    bodies = await world.shop.received(2)

    assert inner(bodies[1])["ResultCode"] == 17


@pytest.mark.parametrize(("pin", "code"), [("0000", 2001), ("1234", 0)])
async def test_the_pin_decides(world: World, pin: str, code: int) -> None:
    await pushed(world)
    await world.type_pin(pin)
    (body,) = await world.shop.received()

    assert inner(body)["ResultCode"] == code


async def test_who_has_too_little_pays_nothing(world: World) -> None:
    gateway = world.gateway()
    await gateway.push(world.push(shillings=1001), NOW)
    await world.type_pin()
    (body,) = await world.shop.received()

    assert inner(body)["ResultCode"] == 1
    assert (await world.look("settled"))["settled"] == []


async def test_a_prompt_that_nobody_answers_runs_out() -> None:
    async with a_world(sim_settings(prompt_life_s=1)) as world:
        await pushed(world)
        (body,) = await world.shop.received()

    assert inner(body)["ResultCode"] == 1037
    assert "CallbackMetadata" not in inner(body)


async def test_money_adds_up_through_all_faults(world: World) -> None:
    kinds = ["callback_lost", "callback_doubled", "callback_wrong_amount", "callback_truncated"]
    gateway = world.gateway()
    for n, kind in enumerate(kinds):
        await world.http.post(f"{world.url}/sim/faults/clear")
        await world.set_faults(**{kind: True})
        await gateway.push(world.push(shillings=10 + n, msisdn=f"25471000000{n}"), NOW)
        await world.type_pin()
    settled = await world.seen("settled", lambda told: len(told["settled"]) == len(kinds))

    assert settled["shillings_total"] == 10 + 11 + 12 + 13
    assert len({s["receipt"] for s in settled["settled"]}) == len(kinds)


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"callback_lots": True}, "callback_lots"),
        ({"callback_lost": 1}, "callback_lost"),
        ({"callback_late_s": True}, "callback_late_s"),
        ({"callback_late_s": -1}, "callback_late_s"),
        ({"callback_late_s": 7201}, "callback_late_s"),
        ({"callback_late_s": "5"}, "callback_late_s"),
        ([], "body"),
    ],
)
async def test_a_switch_that_cannot_be_is_named_and_nothing_changes(
    world: World, told: object, named: str
) -> None:
    both = {**told, "push_busy": True} if isinstance(told, dict) else told
    answer = await world.http.post(f"{world.url}/sim/faults", json=both)

    assert (answer.status_code, list(answer.json()["faults"])) == (422, [named])
    assert not (await world.look("faults"))["push_busy"]


@pytest.mark.parametrize("pin", [{}, {"pin": 1234}, {"pin": "12"}, {"pin": "\u0660" * 4}, [], None])
async def test_a_pin_that_cannot_be_is_named(world: World, pin: object) -> None:
    await pushed(world)
    prompt = await world.prompt_on_screen()
    answer = await world.http.post(f"{world.url}/sim/prompts/{prompt}/pin", json=pin)

    assert (answer.status_code, list(answer.json()["faults"])) == (422, ["pin"])


async def test_a_prompt_is_decided_once(world: World) -> None:
    await pushed(world)
    prompt = await world.prompt_on_screen()
    url = f"{world.url}/sim/prompts/{prompt}"
    first = await world.http.post(f"{url}/cancel")
    second = await world.http.post(f"{url}/pin", json={"pin": "1234"})

    assert (first.status_code, second.status_code) == (200, 404)
