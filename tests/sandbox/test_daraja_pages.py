"""The handset and the fault panel as a browser without JavaScript finds them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.daraja import PAYER, World, a_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

NOW = datetime.now(UTC)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


async def page(world: World, path: str = "/") -> str:
    answer = await world.http.get(world.url + path)
    assert answer.status_code == 200
    return answer.text


async def post(world: World, path: str, **fields: str) -> httpx2.Response:
    return await world.http.post(world.url + path, data=fields, follow_redirects=True)


async def prompted(world: World, *, shillings: int = 50) -> str:
    await world.gateway().push(world.push(shillings=shillings), NOW)
    return await world.prompt_on_screen()


async def test_a_handset_that_nobody_asked_waits(world: World) -> None:
    assert "Waiting for a request" in await page(world)


async def test_a_prompt_shows_business_amount_and_account(world: World) -> None:
    await prompted(world, shillings=1000)

    assert "pay KES 1,000 to LANGO WIFI, account no. ABC123?" in await page(world)


async def test_a_pin_pays_and_a_message_brings_the_receipt(world: World) -> None:
    prompt = await prompted(world)
    await post(world, f"/prompts/{prompt}/pin", pin="1234")
    settled = await world.seen("settled", lambda told: told["settled"])
    shown = await page(world)

    assert f"{settled['settled'][0]['receipt']} Confirmed. Ksh50.00" in shown
    assert "Ksh 950" in shown


async def test_cancel_cancels(world: World) -> None:
    prompt = await prompted(world)
    await post(world, f"/prompts/{prompt}/cancel")
    prompts = await world.look("prompts")

    assert prompts[0]["code"] == "1032"


@pytest.mark.parametrize("pin", ["", "123", "12345", "abcd"])
async def test_a_pin_that_is_none_leaves_the_prompt(world: World, pin: str) -> None:
    prompt = await prompted(world)
    answer = await post(world, f"/prompts/{prompt}/pin", pin=pin)

    assert "Four digits, please." in answer.text
    assert 'id="pin"' in answer.text


async def test_a_prompt_that_is_gone_is_told_so(world: World) -> None:
    answer = await post(world, "/prompts/nothing/pin", pin="1234")

    assert answer.status_code == 200


async def test_a_top_up_is_money_on_the_line(world: World) -> None:
    await prompted(world)
    await world.cancel()
    await post(world, f"/lines/{PAYER}/top-up", shillings="500")

    assert "Ksh 1,500" in await page(world)


@pytest.mark.parametrize("shillings", ["", "0", "-1", "1e3", "100001", "9" * 5000])
async def test_a_top_up_that_cannot_be_is_told_so(world: World, shillings: str) -> None:
    await prompted(world)
    await world.cancel()
    answer = await post(world, f"/lines/{PAYER}/top-up", shillings=shillings)

    assert "Top up by 1 to 100,000 shillings." in answer.text


async def test_the_handset_of_a_number_is_its_own(world: World) -> None:
    await world.gateway().push(world.push(msisdn="254110000001"), NOW)
    await world.gateway().push(world.push(), NOW)
    shown = await page(world, "/?line=254110000001")

    assert '<p class="who">0110 000 001</p>' in shown


MENU = {
    "number": "0712 345 678",
    "business": "600111",
    "account": "ISP10023",
    "amount": "150",
    "pin": "1234",
}


async def test_the_menu_pays_and_a_message_brings_the_receipt(world: World) -> None:
    answer = await post(world, "/menu", **MENU)
    settled = (await world.look("settled"))["settled"][0]

    assert f"{settled['receipt']} Confirmed. Ksh150.00 sent to LANGO WIFI" in answer.text
    assert (settled["kind"], settled["account"]) == ("c2b", "ISP10023")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("number", "0212 345 678", "A number like 0712 345 678"),
        ("business", "600112", "Nobody has the business number 600112."),
        ("account", "", "An account number of 1 to 20 characters"),
        ("amount", "0", "An amount of 1 to 250,000 shillings"),
        ("amount", "9" * 5000, "An amount of 1 to 250,000 shillings"),
        ("pin", "12", "Four digits, please."),
        ("pin", "0000", "The PIN is wrong."),
        ("amount", "1001", "There is too little money on this line."),
    ],
)
async def test_what_the_menu_cannot_pay_is_told(
    world: World, field: str, value: str, said: str
) -> None:
    answer = await post(world, "/menu", **{**MENU, field: value})

    assert said in answer.text
    assert (await world.look("settled"))["settled"] == []


async def test_the_menu_keeps_what_was_typed_but_for_the_pin(world: World) -> None:
    answer = await post(world, "/menu", **{**MENU, "amount": "x", "pin": "4321"})

    assert 'value="ISP10023"' in answer.text
    assert "4321" not in answer.text + str(answer.url)


async def test_switches_are_set_and_cleared_by_form(world: World) -> None:
    await post(world, "/faults", callback_lost="on", callback_late_s="90")
    on = {name for name, value in (await world.look("faults")).items() if value}
    await post(world, "/faults", callback_lost="on", clear="")
    left = {name for name, value in (await world.look("faults")).items() if value}

    assert (on, left) == ({"callback_lost", "callback_late_s"}, set())


@pytest.mark.parametrize("late", ["x", "-1", "7201", "1.5", "9" * 400])
async def test_a_time_that_cannot_be_is_named(world: World, late: str) -> None:
    answer = await post(world, "/faults", callback_late_s=late)

    assert answer.status_code == 422
    assert "callback_late_s" in answer.text


async def test_every_switch_is_on_the_panel(world: World) -> None:
    shown = await page(world, "/faults")
    names = set(re.findall(r'<input[^>]* name="([a-z_0-9]+)"', shown))

    assert names == set(await world.look("faults"))


async def test_what_an_address_says_is_shown_as_text_only(world: World) -> None:
    await prompted(world)
    shown = await page(world, "/?wrong=<script>alert(1)</script>")

    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown


@pytest.mark.parametrize("path", ["/", "/trial", "/faults"])
async def test_a_page_loads_nothing_from_elsewhere(world: World, path: str) -> None:
    shown = await page(world, path)
    loaded = re.findall(r'<(?:link|script|img|iframe)[^>]*(?:src|href)="([^"]+)"', shown)

    assert loaded
    assert all(address.startswith("/") for address in loaded)


@pytest.mark.parametrize("path", ["/", "/trial", "/faults"])
async def test_a_page_may_run_nothing_that_it_did_not_bring(world: World, path: str) -> None:
    answer = await world.http.get(world.url + path)
    policy = answer.headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", ["sim.css", "sim.js", "icon.svg"])
async def test_what_the_pages_load_is_there(world: World, name: str) -> None:
    assert (await world.http.get(f"{world.url}/static/{name}")).status_code == 200


async def test_no_other_file_is_given_away(world: World) -> None:
    answers = [
        await world.http.get(f"{world.url}/static/{name}") for name in ("pages.py", "..%2fapp.py")
    ]

    assert {a.status_code for a in answers} == {404}


async def test_a_page_is_told_of_news(world: World) -> None:
    async with world.http.stream("GET", f"{world.url}/live") as live:
        lines = live.aiter_lines()
        first = await anext(lines)
        await world.gateway().push(world.push(), NOW)
        news = [line async for line in _until(lines, "event: change")]

    assert first.startswith("retry")
    assert news[-1] == "event: change"


async def _until(lines: AsyncIterator[str], wanted: str) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line == wanted:
            return
