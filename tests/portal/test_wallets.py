"""Which wallet pays: nothing to choose where one collects, two buttons where two do."""

from __future__ import annotations

import re

import pytest

from billing.payment import OrderStage, Reason
from portal.captive.text import TABLES
from tests.portal.test_pages import WEIGHT_MAX, WEIGHT_WANTED
from tests.support.golden import golden
from tests.support.portal import PHONE, TWO_WALLETS, Site, a_face

BUY = {"plan": "hour", "phone": "0712 345 678"}
NAMES = ("M-PESA", "Airtel Money")
BUTTON = re.compile(
    r'type="radio" name="rail" value="(\w+)"( checked)?><span class="box"><strong>([^<]+)<'
)
SHOWN = re.compile(r"<title>.*?</title>|<main>.*?</main>", re.DOTALL)


def of_two() -> Site:
    """A site where two wallets collect."""
    return Site(face=a_face(rails=TWO_WALLETS))


async def scenes(site: Site, language: str) -> dict[str, str]:
    """Every page that speaks of a wallet, by name."""
    pages: dict[str, str] = {}
    site.gate.new_id = lambda: "0" * 32
    async with site.phone() as phone:

        async def see(name: str, path: str) -> None:
            pages[name] = (await phone.get(f"{path}?lang={language}")).text

        await see("shop", "/")
        await see("phone", "/phone")
        wrong = await phone.post(f"/order?lang={language}", data={**BUY, "phone": "12"})
        pages["shop, no number"] = wrong.text
        order = f"/o/{await site.ordered()}"
        await see("prompted", order)
        site.gate.moved_to(PHONE, OrderStage.QUEUED)
        await see("queued", order)
        site.clock.pass_s(8)
        await see("slow", order)
        for reason in Reason:
            site.gate.moved_to(PHONE, OrderStage.REFUSED, reason)
            await see(f"refused, {reason}", order)
        await see("shop, known", "/packages")
    return pages


@pytest.mark.parametrize("language", TABLES)
async def test_where_one_wallet_collects_the_pages_are_what_they_were(language: str) -> None:
    pages = await scenes(Site(), language)
    shown = {name: "\n".join(SHOWN.findall(page)) for name, page in pages.items()}
    text = "\n".join(f"==== {name}\n{page}" for name, page in shown.items()) + "\n"

    assert text == golden(f"portal/one-wallet-{language}.html", text)


@pytest.mark.parametrize("language", TABLES)
async def test_one_wallet_that_is_named_is_shown_as_none_is(language: str) -> None:
    named = await scenes(Site(face=a_face(rails=("mpesa",))), language)

    assert named == await scenes(Site(), language)


async def test_one_wallet_that_is_not_m_pesa_has_its_own_name() -> None:
    pages = await scenes(Site(face=a_face(rails=("airtel",))), "en")
    spoken = {name: " ".join(SHOWN.findall(page)) for name, page in pages.items()}

    assert "Pay with Airtel Money" in spoken["shop"]
    assert "Enter your Airtel Money PIN" in spoken["prompted"]
    assert [name for name, words in spoken.items() if "M-PESA" in words] == []
    assert [name for name, words in spoken.items() if 'name="rail"' in words] == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Number that will pay", "Pay from, or let the number decide", ">Pay<"]),
        ("sw", ["Namba itakayolipa", "Lipa kutoka, au namba iamue", ">Lipa<"]),
    ],
)
async def test_where_two_collect_the_form_has_a_button_for_each(
    language: str, words: list[str]
) -> None:
    async with of_two().phone() as phone:
        page = (await phone.get(f"/?lang={language}")).text

    assert BUTTON.findall(page) == [("mpesa", "", "M-PESA"), ("airtel", "", "Airtel Money")]
    assert [word for word in words if word not in page] == []


@pytest.mark.parametrize(
    ("told", "wallet"),
    [
        ({}, "M-PESA"),
        ({"phone": "0733 345 678"}, "Airtel Money"),
        ({"phone": "0733 345 678", "rail": ""}, "Airtel Money"),
        ({"rail": "airtel"}, "Airtel Money"),
        ({"phone": "0733 345 678", "rail": "mpesa"}, "M-PESA"),
    ],
)
@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "Enter your {} PIN on that phone."), ("sw", "Weka PIN yako ya {} kwenye simu hiyo.")],
)
async def test_the_prompt_page_names_the_wallet_that_was_asked(
    told: dict[str, str], wallet: str, language: str, sentence: str
) -> None:
    async with of_two().phone() as phone:
        sent = await phone.post(f"/order?lang={language}", data={**BUY, **told})
        page = (await phone.get(sent.headers["location"])).text

    assert sentence.format(wallet) in page
    assert [name for name in NAMES if name in page] == [wallet]


async def test_what_went_wrong_is_said_of_the_wallet_that_was_asked() -> None:
    site = of_two()
    await site.gate.order(PHONE, plan_id="hour", phone="0712345678", rail="airtel")
    order = site.gate.device(PHONE).order
    assert order is not None
    async with site.phone() as phone:
        for reason in Reason:
            site.gate.moved_to(PHONE, OrderStage.REFUSED, reason)
            page = (await phone.get(f"/o/{order.order_id}")).text

            assert "M-PESA" not in page, reason


async def test_send_again_asks_the_wallet_that_was_chosen() -> None:
    site = of_two()
    async with site.phone() as phone:
        await phone.post("/order", data={**BUY, "rail": "airtel"})
        site.gate.moved_to(PHONE, OrderStage.REFUSED, Reason.NO_REPLY)
        await phone.post("/order", data={"plan": "hour", "phone": ""})
    order = site.gate.device(PHONE).order

    assert order is not None
    assert (order.stage, order.rail) == (OrderStage.PROMPTED, "airtel")


async def test_the_choice_stands_when_the_number_was_wrong() -> None:
    async with of_two().phone() as phone:
        answer = await phone.post("/order", data={**BUY, "phone": "12", "rail": "airtel"})

    assert answer.status_code == 422
    assert [rail for rail, checked, _ in BUTTON.findall(answer.text) if checked] == ["airtel"]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "That wallet is not taken here"), ("sw", "Njia hiyo ya malipo haipokelewi")],
)
async def test_a_wallet_that_no_longer_collects_is_refused_on_the_page(
    language: str, sentence: str
) -> None:
    site = Site()
    async with site.phone() as phone:
        link = f"/order?lang={language}"
        answer = await phone.post(link, data={**BUY, "rail": "airtel"})

    assert (answer.status_code, sentence in answer.text) == (422, True)
    assert site.gate.device(PHONE).order is None


async def test_a_wallet_that_is_too_long_to_be_one_is_no_form() -> None:
    async with of_two().phone() as phone:
        answer = await phone.post("/order", data={**BUY, "rail": "x" * 17})

    assert (answer.status_code, answer.text) == (400, "rail: want at most 16 characters\n")


@pytest.mark.parametrize("language", TABLES)
async def test_the_form_of_two_wallets_fits_into_the_first_flight(language: str) -> None:
    link, wanted = f"/?lang={language}", {"accept-encoding": "gzip"}
    async with of_two().phone() as phone, phone.stream("GET", link, headers=wanted) as answer:
        size = sum([len(part) async for part in answer.aiter_raw()])

    assert size <= WEIGHT_WANTED <= WEIGHT_MAX
