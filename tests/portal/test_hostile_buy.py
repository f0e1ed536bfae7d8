"""What nobody can make the controller's public page do, where anybody buys tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx2
import pytest

from billing.ids import PlanId
from billing.money import Money
from billing.plan import Limits, Plan
from controller.api.app import BUY
from controller.payments.memory import MemoryGateway
from controller.storefront import ORDERS_PER_MINUTE_MAX
from controller.usecases.plans import add_plan
from controller.usecases.sites import NewSite, add_site
from portal.captive.forms import FORM_TYPE
from tests.support.builders import SITE
from tests.support.database import db, sqlite_template
from tests.support.office import Office, office, opened
from tests.support.office import sqlite_only as db_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["db", "db_url", "office", "sqlite_template"]

KEY = re.compile(r'name="key" value="([0-9a-f-]+)"')
PAGE = f"{BUY}/{SITE}"
FIELDS = ("plan", "phone", "key")


@pytest.fixture
async def page(office: Office) -> AsyncIterator[httpx2.AsyncClient]:
    """A stranger at the page of a site that sells one plan."""
    await add_site(office.deps, NewSite(SITE, "Kahawa West", "Upepo Networks", "0700 000 000"))
    limits = Limits(5_000_000, 2_000_000, 3_600, None, None, 1)
    await add_plan(office.deps, Plan(PlanId("hour"), "One hour", Money(1_000), limits), rank=0)
    async with (
        opened(office) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield client


async def ordered(page: httpx2.AsyncClient, *pairs: tuple[str, str], without: str = "") -> str:
    """Send the form, with these fields besides or instead; the status and the words."""
    found = KEY.search((await page.get(PAGE)).text)
    assert found is not None
    good = {"plan": "hour", "phone": "0712345678", "key": found[1]}
    named = {name for name, _ in pairs}
    kept = [(n, v) for n, v in good.items() if n != without and n not in named]
    body = urlencode([*kept, *pairs])
    answer = await page.post(f"{PAGE}/order", content=body, headers={"content-type": FORM_TYPE})
    return f"{answer.status_code} {answer.text}"


async def ordered_from(page: httpx2.AsyncClient, address: str) -> int:
    found = KEY.search((await page.get(PAGE)).text)
    assert found is not None
    answer = await page.post(
        f"{PAGE}/order",
        content=urlencode({"plan": "hour", "phone": "0712345678", "key": found[1]}),
        headers={"content-type": FORM_TYPE, "x-forwarded-for": address},
    )
    return answer.status_code


def nobody_was_asked(office: Office) -> bool:
    """Whether no phone has rung."""
    assert isinstance(office.deps.gateway, MemoryGateway)
    return not office.deps.gateway.asked


async def test_nobody_is_somebody_else_by_saying_so(page: httpx2.AsyncClient) -> None:
    statuses = [
        await ordered_from(page, f"196.201.214.{number}")
        for number in range(ORDERS_PER_MINUTE_MAX + 1)
    ]

    assert statuses == [303] * ORDERS_PER_MINUTE_MAX + [429]


@pytest.mark.parametrize("name", FIELDS)
async def test_a_field_that_is_absent_is_named(
    office: Office, page: httpx2.AsyncClient, name: str
) -> None:
    assert await ordered(page, without=name) == f"400 {name}: missing\n"
    assert nobody_was_asked(office)


@pytest.mark.parametrize("name", [*FIELDS, "again"])
async def test_a_field_that_is_doubled_is_named(
    office: Office, page: httpx2.AsyncClient, name: str
) -> None:
    assert await ordered(page, (name, "hour"), (name, "hour")) == f"400 {name}: want it once\n"
    assert nobody_was_asked(office)


@pytest.mark.parametrize("name", [*FIELDS, "again"])
@pytest.mark.parametrize("said", ["", "%00", "a" * 66, "'; --", "../..", "\u202e", "\0"])
async def test_a_field_that_is_empty_or_odd_rings_no_phone(
    office: Office, page: httpx2.AsyncClient, name: str, said: str
) -> None:
    answer = await ordered(page, (name, said))
    harmless = (name, said) == ("again", "")

    assert answer.startswith("303" if harmless else "4"), answer[:80]
    assert harmless or nobody_was_asked(office)


@pytest.mark.parametrize("header", ["cookie", "x-forwarded-for", "accept-language"])
async def test_a_header_of_64_kb_is_refused_and_the_page_lives(
    page: httpx2.AsyncClient, header: str
) -> None:
    answer = await page.get(PAGE, headers={header: "a" * 65_536})

    assert 400 <= answer.status_code < 500
    assert (await page.get(PAGE)).status_code == 200


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data; boundary=x"])
async def test_only_a_plain_form_is_read(page: httpx2.AsyncClient, kind: str) -> None:
    answer = await page.post(f"{PAGE}/order", content=b"{}", headers={"content-type": kind})

    assert answer.status_code == 415
