"""Which wallet pays: nothing to choose where one collects, two buttons where two do."""

from __future__ import annotations

import re

import pytest

from billing.payment import OrderStage, Reason
from portal.captive.text import TABLES
from tests.support.golden import golden
from tests.support.portal import PHONE, Site

BUY = {"plan": "hour", "phone": "0712 345 678"}
SHOWN = re.compile(r"<title>.*?</title>|<main>.*?</main>", re.DOTALL)


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
