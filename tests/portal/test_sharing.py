"""Getting back to what was paid, and sharing it, as the portal shows it."""

from __future__ import annotations

import pytest

from portal.captive.memory_gate import SENT_CODE
from tests.support.portal import PHONE, Site, an_access

NEIGHBOUR, THIRD, TELEVISION = "10.77.0.8", "10.77.0.9", "10.77.0.20"
RECEIPT = "SGH7K2Q0XD"
PAYER = "0712345678"


def a_shared_site(*members: str, devices_max: int = 1) -> Site:
    site = Site()
    site.gate.shared(RECEIPT, an_access(devices_max=devices_max), *members, payer=PAYER)
    return site


async def badge_of(site: Site, address: str) -> str:
    async with site.phone(address) as phone:
        return str((await phone.get("/status")).cookies["lango"])


async def test_a_device_that_is_online_keeps_a_cookie_for_a_year_that_no_script_reads() -> None:
    async with a_shared_site(PHONE).phone() as phone:
        cookie = (await phone.get("/ok")).headers["set-cookie"]
    parts = cookie.split("; ")

    assert parts[0].startswith("lango=")
    assert {p.lower() for p in parts[1:]} == {
        "httponly",
        "max-age=31536000",
        "path=/",
        "samesite=lax",
    }


async def test_the_cookie_is_set_once_and_not_for_who_is_captive() -> None:
    site = a_shared_site(PHONE)
    async with site.phone() as phone:
        await phone.get("/status")
        again = await phone.get("/status")
    async with site.phone(NEIGHBOUR) as stranger:
        captive = await stranger.get("/")

    assert "set-cookie" not in again.headers
    assert "set-cookie" not in captive.headers


async def test_a_new_address_with_the_cookie_is_online_with_no_tap() -> None:
    site = a_shared_site(PHONE)
    badge = await badge_of(site, PHONE)
    site.gate.fell_silent(RECEIPT, 20)
    async with site.phone(NEIGHBOUR) as phone:
        answer = await phone.get("/", headers={"cookie": f"lango={badge}"})

    assert answer.headers["location"] == "/ok"
    assert site.gate.device(PHONE).access is None


async def test_while_its_old_self_is_heard_the_choice_is_shown_and_looked_at_again() -> None:
    site = a_shared_site(PHONE)
    badge = await badge_of(site, PHONE)
    async with site.phone(NEIGHBOUR) as phone:
        page = (await phone.get("/", headers={"cookie": f"lango={badge}"})).text

    assert "This package is in use" in page
    assert 'content="10;url=/"' in page
    assert "it connects by itself" in page


@pytest.mark.parametrize("badge", ["x", "a" * 4000, "shared.10-77-0-7", '"', "%00"])
async def test_a_worthless_cookie_changes_nothing(badge: str) -> None:
    async with a_shared_site(PHONE).phone(NEIGHBOUR) as phone:
        answer = await phone.get("/", headers={"cookie": f"lango={badge}"})

    assert answer.status_code == 200
    assert "Choose a package" in answer.text


async def test_a_code_for_a_full_package_leads_to_its_devices() -> None:
    site = a_shared_site(PHONE)
    async with site.phone(NEIGHBOUR) as phone:
        answer = await phone.post("/redeem", data={"code": f"{RECEIPT} Confirmed. Ksh50.00"})
        page = (await phone.get(answer.headers["location"])).text

    assert (answer.status_code, answer.headers["location"]) == (303, "/devices")
    assert site.gate.device(PHONE).device_ref in page
    assert "active now" in page
    assert "Move it here" in page


async def test_moving_leads_on_and_who_was_put_out_is_told() -> None:
    site = a_shared_site(PHONE)
    badge = await badge_of(site, PHONE)
    ref = site.gate.device(PHONE).device_ref
    async with site.phone(NEIGHBOUR) as phone:
        await phone.post("/redeem", data={"code": RECEIPT})
        moved = await phone.post("/move", data={"device": ref})
        joined = await phone.get("/joined")
    async with site.phone() as phone:
        without = (await phone.get("/")).text
        with_badge = (await phone.get("/", headers={"cookie": f"lango={badge}"})).text

    assert (moved.headers["location"], joined.headers["location"]) == ("/joined", "/ok")
    assert f"Device {site.gate.device(NEIGHBOUR).device_ref} now has your place" in without
    assert "You can move the package back here" in with_badge


async def test_who_proved_nothing_moves_nothing() -> None:
    site = a_shared_site(PHONE)
    async with site.phone(NEIGHBOUR) as phone:
        answer = await phone.post("/move", data={"device": site.gate.device(PHONE).device_ref})

    assert answer.headers["location"] == "/voucher"
    assert site.gate.device(PHONE).access is not None


async def test_a_fourth_move_is_refused_in_words() -> None:
    site = a_shared_site(PHONE)
    badge = await badge_of(site, PHONE)
    addresses = (NEIGHBOUR, PHONE, NEIGHBOUR, PHONE)
    for here, there in zip(addresses, (PHONE, *addresses), strict=False):
        async with site.phone(here) as phone:
            answer = await phone.post(
                "/move",
                data={"device": site.gate.device(there).device_ref},
                headers={"cookie": f"lango={badge}"},
            )

    assert answer.status_code == 429
    assert "moved three times" in answer.text


@pytest.mark.parametrize("path", ["/move", "/connect", "/release", "/phone"])
async def test_forms_of_other_sites_are_refused(path: str) -> None:
    async with a_shared_site(PHONE).phone() as phone:
        answer = await phone.post(
            path, data={"device": "AAAAAA", "phone": PAYER}, headers={"origin": "http://evil"}
        )

    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/move", "/connect", "/release"])
@pytest.mark.parametrize("data", [{}, {"device": "x" * 13}, {"device": "a\x00"}])
async def test_a_form_that_means_no_device_is_refused(path: str, data: dict[str, str]) -> None:
    async with a_shared_site(PHONE).phone() as phone:
        answer = await phone.post(path, data=data or {"other": "1"})

    assert answer.status_code == 400


async def test_who_paid_by_phone_is_asked_for_the_code_and_then_let_in() -> None:
    site = a_shared_site(PHONE, devices_max=2)
    async with site.phone(NEIGHBOUR) as phone:
        asked = (await phone.post("/phone", data={"phone": "0712 345 678"})).text
        wrong = await phone.post("/redeem", data={"phone": "254712345678", "code": "111111"})
        right = await phone.post("/redeem", data={"phone": "254712345678", "code": SENT_CODE})

    assert 'name="phone" value="254712345678"' in asked
    assert "07••" in asked
    assert wrong.status_code == 422
    assert "not the code that we sent" in wrong.text
    assert right.headers["location"] == "/joined"


async def test_a_number_that_is_none_is_said_so_where_it_was_typed() -> None:
    async with a_shared_site(PHONE).phone(NEIGHBOUR) as phone:
        asked = await phone.post("/phone", data={"phone": "12"})
        redeemed = await phone.post("/redeem", data={"phone": "12", "code": SENT_CODE})

    for answer in (asked, redeemed):
        assert answer.status_code == 422
        assert "Enter a Kenyan mobile number" in answer.text


async def test_with_the_link_down_the_page_says_so_and_offers_what_works() -> None:
    site = a_shared_site(PHONE)
    site.gate.link = False
    async with site.phone(NEIGHBOUR) as phone:
        page = await phone.get("/phone")
        sent = await phone.post("/phone", data={"phone": PAYER})

    assert (page.status_code, sent.status_code) == (200, 503)
    for answer in (page, sent):
        assert "the M-PESA message, a voucher, or a token" in answer.text
        assert 'href="/voucher"' in answer.text
        assert "<form" not in answer.text


async def test_a_television_is_found_connected_and_taken_off() -> None:
    site = a_shared_site(PHONE, devices_max=2)
    site.gate.nearby(TELEVISION)
    ref = site.gate.device(TELEVISION).device_ref
    async with site.phone() as phone:
        found = (await phone.get("/tv")).text
        connected = await phone.post("/connect", data={"device": ref})
        there = (await phone.get("/devices")).text
        released = await phone.post("/release", data={"device": ref})
        gone = (await phone.get("/devices")).text

    assert "…A1:A1" in found
    assert (connected.headers["location"], released.headers["location"]) == ("/devices", "/devices")
    assert ref in there
    assert ref not in gone


async def test_a_plan_for_one_device_offers_to_move_to_the_television() -> None:
    site = a_shared_site(PHONE)
    site.gate.nearby(TELEVISION)
    ref = site.gate.device(TELEVISION).device_ref
    async with site.phone() as phone:
        page = (await phone.get("/tv")).text
        await phone.get("/status")
        await phone.post("/connect", data={"device": ref})
        after = (await phone.get("/devices")).text

    assert "this phone goes offline" in page
    assert "Move to it" in page
    assert site.gate.device(TELEVISION).access is not None
    assert "Move it here" in after


@pytest.mark.parametrize("path", ["/tv", "/connect", "/release"])
async def test_a_captive_device_is_shown_no_television(path: str) -> None:
    site = a_shared_site(PHONE, devices_max=2)
    site.gate.nearby(TELEVISION)
    ref = site.gate.device(TELEVISION).device_ref
    async with site.phone(NEIGHBOUR) as phone:
        if path == "/tv":
            answer = await phone.get(path)
        else:
            answer = await phone.post(path, data={"device": ref})

    assert answer.status_code == 302
    assert site.gate.device(TELEVISION).access is None


async def test_a_page_that_was_opened_hides_its_device_from_others() -> None:
    site = a_shared_site(PHONE, devices_max=2)
    site.gate.nearby(THIRD)
    async with site.phone(THIRD) as stranger:
        await stranger.get("/")
    async with site.phone() as phone:
        page = (await phone.get("/tv")).text

    assert "We see no such device yet" in page


async def test_a_probe_of_the_system_is_no_look_at_a_page() -> None:
    site = a_shared_site(PHONE, devices_max=2)
    site.gate.nearby(TELEVISION)
    async with site.phone(TELEVISION) as television:
        await television.get("http://connectivitycheck.gstatic.com/generate_204")
    async with site.phone() as phone:
        page = (await phone.get("/tv")).text

    assert "…A1:A1" in page


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Upepo Networks has stopped it"), ("sw", "Upepo Networks wamekisimamisha")],
)
async def test_a_suspended_package_says_who_stopped_it_and_whom_to_call(
    language: str, said: str
) -> None:
    site = Site()
    site.gate.suspended(PHONE)
    async with site.phone() as phone:
        page = (await phone.get(f"/?lang={language}")).text

    assert said in page
    assert 'href="tel:0700000000"' in page
    assert site.gate.device(PHONE).device_ref in page


async def test_help_says_what_to_do_when_two_devices_have_one_address() -> None:
    site = Site()
    async with site.phone() as phone:
        before = (await phone.get("/help")).text
        site.gate.contested(PHONE)
        after = (await phone.get("/help")).text

    assert "private (random) address" not in before
    assert "private (random) address" in after
