"""The plain pages of the simulated Airtel Money and Paystack, as a browser posts to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.airtel import an_airtel
from tests.support.paystack import a_paystack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.airtel import AirtelWorld
    from tests.support.remote import Remote

NOW = datetime.now(UTC)


@pytest.fixture
async def airtel() -> AsyncIterator[AirtelWorld]:
    async with an_airtel() as made:
        yield made


@pytest.fixture(params=[an_airtel, a_paystack], ids=["airtel", "paystack"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Remote]:
    async with request.param() as made:
        yield made


async def test_a_person_pays_on_the_page(airtel: AirtelWorld) -> None:
    await airtel.gateway().push(airtel.push(), NOW)
    prompt = await airtel.prompt_on_screen()
    shown = await airtel.http.get(airtel.url)
    answer = await airtel.http.post(f"{airtel.url}/prompts/{prompt['id']}", data={"pin": "1234"})
    await airtel.done()
    after = await airtel.http.get(airtel.url)

    assert "0733123456: pay <b>KES 50</b>" in shown.text
    assert (answer.status_code, "KES 50 paid" in after.text) == (303, True)


@pytest.mark.parametrize(
    ("prompt", "pin", "status"), [("", "12", 422), ("", "١٢٣٤", 422), ("gone", "1234", 404)]
)
async def test_what_cannot_be_typed_is_told(
    airtel: AirtelWorld, prompt: str, pin: str, status: int
) -> None:
    await airtel.gateway().push(airtel.push(), NOW)
    name = prompt or (await airtel.prompt_on_screen())["id"]
    answer = await airtel.http.post(f"{airtel.url}/prompts/{name}", data={"pin": pin})

    assert answer.status_code == status
    assert (await airtel.look("prompts"))[0]["on_screen"]


async def test_cancel_says_no(airtel: AirtelWorld) -> None:
    await airtel.gateway().push(airtel.push(), NOW)
    prompt = await airtel.prompt_on_screen()
    await airtel.http.post(f"{airtel.url}/prompts/{prompt['id']}", data={"pin": "", "cancel": "1"})

    assert (await airtel.done())["status"] == "TF"


async def test_the_panel_sets_every_switch_and_clears_them(world: Remote) -> None:
    late = next(s["name"] for s in await world.look("switches") if s["seconds"])
    await world.http.post(f"{world.url}/faults", data={"push_refused": "on", late: "7"})
    on = await world.look("faults")
    shown = await world.http.get(f"{world.url}/faults")
    await world.http.post(f"{world.url}/faults", data={"push_refused": "on", "clear": "1"})
    off = await world.look("faults")

    assert (on["push_refused"], on[late], on["push_no_answer"]) == (True, 7, False)
    assert 'name="push_refused" checked' in shown.text
    assert not any(off.values())


async def test_a_duration_that_cannot_be_is_told(world: Remote) -> None:
    late = next(s["name"] for s in await world.look("switches") if s["seconds"])
    answer = await world.http.post(f"{world.url}/faults", data={late: "soon"})

    assert (answer.status_code, f"{late}: want whole seconds" in answer.text) == (422, True)
