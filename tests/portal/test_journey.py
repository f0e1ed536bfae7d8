"""From captive to online, as the portal shows it: each answer is the site's present truth."""

from __future__ import annotations

import pytest

from billing.payment import OrderStage, Reason
from portal.captive.desk import STATUSES
from portal.captive.gate import Refusal
from tests.support.portal import NOON, PHONE, Site, an_access

BUY = {"plan": "hour", "phone": "0712 345 678"}
NEIGHBOUR = "10.77.0.8"


async def test_a_new_device_sees_packages_and_a_phone_field() -> None:
    async with Site().phone() as phone:
        page = (await phone.get("/")).text

    assert 'value="hour" required checked' in page
    assert 'name="phone"' in page


async def test_an_order_leads_to_its_own_page() -> None:
    site = Site()
    async with site.phone() as phone:
        answer = await phone.post("/order", data=BUY)
    order = site.gate.device(PHONE).order

    assert order is not None
    assert (answer.status_code, answer.headers["location"]) == (303, f"/o/{order.order_id}")


async def test_a_second_tap_leads_to_the_same_order() -> None:
    async with Site().phone() as phone:
        first = await phone.post("/order", data=BUY)
        second = await phone.post("/order", data=BUY)

    assert first.headers["location"] == second.headers["location"]


async def test_another_order_while_one_is_open_shows_the_open_one() -> None:
    site = Site()
    async with site.phone() as phone:
        await phone.post("/order", data=BUY)
        answer = await phone.post("/order", data={**BUY, "plan": "day"})

    assert answer.status_code == 409
    assert "earlier request is still open" in answer.text
    assert "Check your phone" in answer.text


async def test_the_prompt_page_names_the_phone_and_the_price() -> None:
    site = Site()
    order_id = await site.ordered()
    async with site.phone() as phone:
        page = (await phone.get(f"/o/{order_id}")).text

    assert "07••\N{NO-BREAK SPACE}•••\N{NO-BREAK SPACE}678" in page
    assert "KSh 10" in page


async def test_the_prompt_page_looks_again_by_itself_without_script() -> None:
    site = Site()
    order_id = await site.ordered()
    async with site.phone() as phone:
        page = (await phone.get(f"/o/{order_id}")).text

    assert f'<meta http-equiv="refresh" content="2;url=/o/{order_id}">' in page


async def test_a_line_is_called_slow_only_when_it_is() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.moved_to(PHONE, OrderStage.QUEUED)
    async with site.phone() as phone:
        at_once = (await phone.get(f"/o/{order_id}")).text
        site.clock.pass_s(8)
        later = (await phone.get(f"/o/{order_id}")).text

    assert "in a moment" in at_once
    assert "nothing has been charged" in later


async def test_the_page_may_be_closed_and_opened_again_at_the_front() -> None:
    site = Site()
    await site.ordered()
    async with site.phone() as phone:
        page = (await phone.get("/")).text

    assert "Check your phone" in page


async def test_an_outcome_that_is_unknown_is_never_called_failed() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.moved_to(PHONE, OrderStage.CHECKING)
    async with site.phone() as phone:
        page = (await phone.get(f"/o/{order_id}")).text

    assert "Do not pay again" in page
    assert "Not paid" not in page


async def test_payment_leads_on_to_the_connected_page() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.moved_to(PHONE, OrderStage.PAID)
    site.gate.went_online(PHONE, an_access())
    async with site.phone() as phone:
        answer = await phone.get(f"/o/{order_id}")

    assert (answer.status_code, answer.headers["location"]) == (302, "/ok")


async def test_access_leads_on_even_before_the_order_is_known_as_paid() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.went_online(PHONE, an_access())
    async with site.phone() as phone:
        answer = await phone.get(f"/o/{order_id}")

    assert answer.headers["location"] == "/ok"


async def test_a_grant_that_is_waiting_is_opened_by_looking() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.moved_to(PHONE, OrderStage.PAID)
    site.gate.granted(PHONE, an_access())
    async with site.phone() as phone:
        answer = await phone.get(f"/o/{order_id}")

    assert answer.headers["location"] == "/ok"


async def test_paid_but_not_yet_open_is_said_and_looked_at_again() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.moved_to(PHONE, OrderStage.PAID)
    async with site.phone() as phone:
        page = (await phone.get(f"/o/{order_id}")).text

    assert "Paid. Connecting you" in page
    assert 'content="2;url=/o/' in page


async def test_an_order_long_paid_and_used_up_gives_way_to_packages() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.moved_to(PHONE, OrderStage.PAID)
    site.clock.pass_s(3600)
    async with site.phone() as phone:
        answer = await phone.get(f"/o/{order_id}")

    assert answer.headers["location"] == "/packages"


async def test_a_device_that_is_online_buys_more_and_still_sees_the_prompt() -> None:
    site = Site()
    site.gate.went_online(PHONE, an_access())
    async with site.phone() as phone:
        placed = await phone.post("/order", data=BUY)
        page = await phone.get(placed.headers["location"])

    assert "Check your phone" in page.text


async def test_a_device_online_is_told_of_a_payment_under_way() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.went_online(PHONE, an_access())
    async with site.phone() as phone:
        page = (await phone.get("/status")).text

    assert f'href="/o/{order_id}?add=1"' in page


async def test_a_refusal_keeps_package_and_number_behind_one_button() -> None:
    site = Site()
    await site.ordered(plan_id="day")
    site.gate.moved_to(PHONE, OrderStage.REFUSED, Reason.WRONG_PIN)
    async with site.phone() as phone:
        page = (await phone.get("/")).text
        again = await phone.post("/order", data={"plan": "day", "phone": ""})

    assert "The PIN was wrong" in page
    assert '<input type="hidden" name="plan" value="day">' in page
    assert again.status_code == 303


async def test_a_busy_line_holds_the_button_back() -> None:
    site = Site()
    order_id = await site.ordered()
    site.gate.moved_to(PHONE, OrderStage.REFUSED, Reason.LINE_BUSY)
    async with site.phone() as phone:
        held = (await phone.get(f"/o/{order_id}")).text
        site.clock.pass_s(60)
        free = (await phone.get(f"/o/{order_id}")).text

    assert '<button type="submit" disabled>Send again in 60 seconds' in held
    assert '<button type="submit">Send again' in free


async def test_an_expired_order_took_nothing() -> None:
    site = Site()
    await site.ordered()
    site.gate.moved_to(PHONE, OrderStage.EXPIRED)
    async with site.phone() as phone:
        page = (await phone.get("/")).text

    assert "Nothing was taken from your phone" in page


async def test_another_devices_order_shows_nothing() -> None:
    site = Site()
    order_id = await site.ordered()
    async with site.phone(NEIGHBOUR) as phone:
        answer = await phone.get(f"/o/{order_id}")

    assert (answer.status_code, answer.headers["location"], answer.content) == (302, "/", b"")


async def test_a_neighbours_order_is_not_shown_in_place_of_ones_own_either() -> None:
    site = Site()
    theirs = await site.ordered()
    await site.ordered(NEIGHBOUR, plan_id="week")
    async with site.phone(NEIGHBOUR) as phone:
        answer = await phone.get(f"/o/{theirs}")

    assert (answer.status_code, answer.headers["location"]) == (302, "/")


async def test_a_device_with_a_good_grant_is_online_without_a_tap() -> None:
    site = Site()
    site.gate.granted(PHONE, an_access())
    async with site.phone() as phone:
        answer = await phone.get("/")

    assert answer.headers["location"] == "/ok"


async def test_the_connected_page_says_the_end_in_nairobi() -> None:
    site = Site()
    site.gate.went_online(PHONE, an_access(seconds_left=3600))
    async with site.phone() as phone:
        page = (await phone.get("/ok")).text

    assert "Until 13:00" in page
    assert 'href="/status"' in page


async def test_usage_is_shown_to_the_byte() -> None:
    site = Site()
    site.gate.went_online(PHONE, an_access(down_bytes=1_234_567, up_bytes=89))
    async with site.phone() as phone:
        page = (await phone.get("/status")).text

    assert '<dd id="down" data-bytes="1234567">1.23 MB</dd>' in page
    assert '<dd id="up" data-bytes="89">89 B</dd>' in page
    assert '<dd id="total" data-bytes="1234656">' in page


async def test_access_without_an_end_is_shown_by_what_it_has() -> None:
    site = Site()
    site.gate.went_online(PHONE, an_access(seconds_left=None, until=None, bytes_left=5))
    async with site.phone() as phone:
        page = (await phone.get("/status")).text

    assert 'data-bytes="5"' in page
    assert "Time left" not in page


async def test_days_left_are_said_in_days() -> None:
    site = Site()
    site.gate.went_online(PHONE, an_access(seconds_left=3 * 86_400, until=NOON))
    async with site.phone() as phone:
        page = (await phone.get("/status")).text

    assert "3 days" in page


@pytest.mark.parametrize("path", ["/ok", "/status"])
async def test_a_captive_device_is_never_shown_as_online(path: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.get(path)

    assert (answer.status_code, answer.headers["location"]) == (302, "/")


async def test_the_page_of_a_package_that_ran_out_says_so() -> None:
    site = Site()
    site.gate.went_online(PHONE, an_access())
    async with site.phone() as phone:
        page = (await phone.get("/status")).text
        site.gate.went_online(PHONE, None)
        sent_back = await phone.get("/status?was=online")
        shop = (await phone.get(sent_back.headers["location"])).text

    assert "/status?was=online" in page
    assert "Your package has ended" in shop


async def test_a_device_that_never_was_online_is_told_of_no_end() -> None:
    async with Site().phone() as phone:
        shop = (await phone.get("/")).text

    assert "has ended" not in shop


async def test_a_voucher_connects() -> None:
    site = Site()
    site.gate.voucher(a_code(), an_access())
    async with site.phone() as phone:
        redeemed = await phone.post("/redeem", data={"code": a_code().lower()})
        followed = await phone.get(redeemed.headers["location"])

    assert (redeemed.status_code, redeemed.headers["location"]) == (303, "/joined")
    assert followed.headers["location"] == "/ok"


async def test_a_voucher_on_its_way_is_waited_for_and_then_helped() -> None:
    async with Site().phone() as phone:
        waiting = await phone.get("/joined")
        given_up = await phone.get("/joined?tries=20")

    assert "/joined?tries=1" in waiting.text
    assert given_up.headers["location"] == "/help"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "Type or paste your code first"),
        ("7KQM", "no code of ours"),
        ("7KQM-2XWD-9FTB", "One character of that voucher is wrong"),
        ("2222-2222-2222", "That code is not right"),
        ("0123-4567-8901-2345-678", "this has 19"),
        ("0123-4567-8901-2345-6789", "That token is not right"),
        ("0712 345 678", "That is a phone number"),
        ("Umetuma KSh 50 kwa Upepo", "no M-PESA code in that message"),
        ("SGH7K2Q0XD Confirmed. Ksh50.00 sent", "We know no payment with that M-PESA code yet"),
    ],
)
async def test_a_wrong_code_is_said_so_by_its_kind_and_kept_to_correct(
    code: str, said: str
) -> None:
    async with Site().phone() as phone:
        answer = await phone.post("/redeem", data={"code": code})

    assert answer.status_code == 422
    assert said in answer.text
    assert f'value="{code}"' in answer.text


async def test_a_used_voucher_is_said_so() -> None:
    site = Site()
    site.gate.voucher(a_code(), Refusal.VOUCHER_USED)
    async with site.phone() as phone:
        answer = await phone.post("/redeem", data={"code": a_code()})

    assert (answer.status_code, "already been used" in answer.text) == (409, True)


async def test_help_names_all_that_the_help_line_asks_for() -> None:
    site = Site()
    order_id = await site.ordered()
    async with site.phone() as phone:
        page = (await phone.get("/help")).text

    assert "Market Street" in page
    assert site.gate.device(PHONE).device_ref in page
    assert f"Reference {order_id[:8]}" in page
    assert 'href="tel:0700000000"' in page


async def test_a_wrong_number_comes_back_to_be_corrected() -> None:
    async with Site().phone() as phone:
        answer = await phone.post("/order", data={"plan": "day", "phone": "12345"})

    assert answer.status_code == 422
    assert 'value="12345" placeholder="0712 345 678" required aria-invalid="true"' in answer.text
    assert 'value="day" required checked' in answer.text


async def test_a_package_no_longer_sold_is_said_so() -> None:
    async with Site().phone() as phone:
        answer = await phone.post("/order", data={**BUY, "plan": "gone"})

    assert (answer.status_code, "no longer sold" in answer.text) == (422, True)


async def test_a_device_that_the_site_cannot_see_is_told_what_to_do() -> None:
    site = Site()
    site.gate.strangers.add(PHONE)
    async with site.phone() as phone:
        shown = await phone.get("/")
        answer = await phone.post("/order", data=BUY)

    assert "Turn Wi-Fi off and on" in shown.text
    assert answer.status_code == 409


async def test_a_site_with_nothing_to_sell_says_so() -> None:
    async with Site(offers=()).phone() as phone:
        page = (await phone.get("/")).text

    assert "No packages are for sale" in page


async def test_a_chosen_language_is_kept_through_an_order() -> None:
    async with Site().phone() as phone:
        page = (await phone.get("/?lang=sw")).text
        placed = await phone.post("/order?lang=sw", data=BUY)

    assert '<html lang="sw">' in page
    assert 'action="/order?lang=sw"' in page
    assert placed.headers["location"].endswith("?lang=sw")


def test_every_refusal_has_its_status() -> None:
    assert STATUSES.keys() == set(Refusal)


def a_code() -> str:
    return "22222222222" + "2"


async def test_the_code_of_a_slip_is_typed_in_and_no_more() -> None:
    site = Site()
    site.gate.voucher(a_code(), an_access())
    async with site.phone() as phone:
        scanned = await phone.get("/voucher", params={"code": a_code()})
        odd = await phone.get("/voucher", params={"code": "1234"})

    assert f'value="{a_code()}"' in scanned.text
    assert 'value=""' in odd.text
    assert site.gate.device(PHONE).access is None
