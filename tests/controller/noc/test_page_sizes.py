"""What a page weighs on the wire, as a phone at 3G gets it, of a business that has a lot."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.ids import PlanId
from controller.noc.pages.every import PAGES
from controller.usecases.vouchers import create_vouchers
from tests.controller.noc.test_alert_pages import an_alert
from tests.support.desk import at_desk
from tests.support.incoming import came
from tests.support.network import keep_network
from tests.support.office import (
    NOON,
    Office,
    a_grant,
    a_payment,
    a_session,
    a_site,
    a_subscriber,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from controller.store.rows import Row

PAGE_BYTES_MAX = 60_000
"""From one page to another: what a browser keeps is not asked for again."""

FIRST_BYTES_MAX = 250_000
"""The first page of all, with everything that it loads."""

MANY = 120
NAMES = {
    "site_id": "ruiru",
    "phone": "254712345678",
    "session_id": f"b{1:031x}",
    "name": f"b{1:031x}",
    "plan_id": "hours-2",
    "alert_id": f"b{1:031x}",
    "order_id": "c" * 32,
}
"""What stands in the paths of single things. A batch is found by the list."""

SHOWN_ONCE = {"/noc/vouchers/made/{key}"}
"""Pages that are there for an hour only, and as long as the list of what was made."""


def _much() -> Iterator[Row]:
    """More of everything than a page of it holds."""
    for n in range(1, MANY):
        whose, grant, at = f"b{n:031x}", f"b{n:031x}", NOON - timedelta(minutes=n)
        row = a_subscriber(whose, f"2547220{n:05}")
        row.name = f"Wanjiku Kamau wa Njoroge {n}"
        yield row
        yield a_site(f"estate-{n + 1}", name=f"Estate of the river {n}", latitude_e6=n * 1_000,
                     longitude_e6=36_000_000 + n * 1_000)  # fmt: skip
        yield a_payment(f"b{n:031x}", created_at=at, receipt=f"SGH{n:06}", site_id="ruiru")
        yield a_grant(grant, subscriber_id=whose, site_id="ruiru", started_at=at)
        yield a_session(
            f"b{n:031x}", grant_id=grant, site_id="ruiru", mac=f"02:00:00:00:01:{n:02x}"
        )


@pytest.fixture
async def business(office: Office) -> Office:
    await keep_network(office)
    rows = [*_much()]
    async with office.deps.db.begin() as tx:
        for first in range(5):  # of each five, one refers to those before it
            tx.add_all(rows[first::5])
            await tx.flush()
    prompt = {"purpose": "account", "site_id": None, "plan_id": None, "device_mac": ""}
    whose = {"subscriber_id": f"b{1:031x}", "receipt": "SGHASKED"}
    await office.keep(a_payment("c" * 32, **prompt, **whose))
    await office.keep(*(an_alert(office, f"b{n:031x}", subject=f"s{n}") for n in range(1, MANY)))
    for n in range(MANY // 2):
        await came(office, f"QWE{n:06}", reference="nobody", payer_name="JUMA OTIENO ODHIAMBO")
    await create_vouchers(office.deps, PlanId("hours-2"), 48, None)
    return office


async def weight(client: httpx2.AsyncClient, path: str) -> tuple[int, str]:
    """Bytes on the wire, and the page."""
    asked = {"Accept-Encoding": "gzip"}
    async with client.stream("GET", path, headers=asked) as answer:
        text = (await answer.aread()).decode()
    assert answer.status_code == 200, (path, text[:300])
    return answer.num_bytes_downloaded, text


async def test_no_page_weighs_more_than_a_phone_can_wait_for(business: Office) -> None:
    paths = [view.path for part in PAGES for view in part.router.views]
    weights: dict[str, int] = {}
    async with at_desk(business) as client:
        listed = (await client.get("/noc/vouchers")).text
        batch = re.search(r'line-link figure" href="/noc/vouchers/([\w-]+)"', listed)
        assert batch is not None
        for path in [*paths, "/noc/search?q=wanjiku"]:
            if path not in SHOWN_ONCE:
                named = path.format(**NAMES, batch=batch[1])
                weights[path], _ = await weight(client, named)

    assert len(weights) >= 25
    assert {path: n for path, n in weights.items() if n > PAGE_BYTES_MAX} == {}


async def test_the_first_page_of_all_weighs_no_more_than_is_allowed(business: Office) -> None:
    async with at_desk(business) as client:
        total, page = await weight(client, "/noc")
        for loaded in set(re.findall(r'(?:src|href)="(/noc/static/[^"#]+)', page)):
            total += (await weight(client, loaded))[0]

    assert total <= FIRST_BYTES_MAX
