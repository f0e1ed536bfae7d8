"""Plans and their prices at the dashboard."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from controller.noc import views
from controller.rights import Role
from controller.store import prices
from tests.support.database import db_url
from tests.support.desk import ELSEWHERE, at_desk, told_after
from tests.support.office import NOON, Office, a_plan, a_site

if TYPE_CHECKING:
    from controller.store.rows import PlanRow

__all__ = ["db_url"]

NEW = {
    "id": "hour-1", "name": "1 hour", "price": "20", "down": "5", "up": "2.5", "validity": "1",
    "validity_unit": "hours", "devices": "2", "quota": "1.5", "audience": "hotspot",
    "tax": "internet", "included": "1", "rank": "3",
}  # fmt: skip
DAY = timedelta(days=1)


@pytest.fixture
async def estate(office: Office) -> Office:
    """A site and two plans."""
    old = a_plan("old", name="Old <b>plan</b>", withdrawn_at=NOON)
    await office.keep(a_site(), a_plan(), old)
    return office


async def plan_of(office: Office, plan_id: str) -> PlanRow | None:
    async with office.deps.db.read() as tx:
        return await views.plan_row(tx, plan_id)


async def test_plans_are_listed_and_those_withdrawn_when_asked_for(estate: Office) -> None:
    async with at_desk(estate, Role.CASHIER) as client:
        sold = (await client.get("/noc/plans")).text
        everything = (await client.get("/noc/plans?withdrawn=1")).text

    assert ("2 hours" in sold, "Old" in sold) == (True, False)
    assert "Old &lt;b&gt;plan&lt;/b&gt;" in everything
    assert "New plan" not in sold


async def test_a_plan_is_previewed_as_the_portal_shows_it_and_then_sold(estate: Office) -> None:
    async with at_desk(estate, Role.BILLING) as client:
        preview = (await client.get("/noc/plans/new", params=NEW)).text
        before = await plan_of(estate, "hour-1")
        done = await told_after(client, await client.post("/noc/plans", data=NEW))

    row = await plan_of(estate, "hour-1")
    assert before is None
    for words in (
        "<small>KSh</small> 20",
        "1.5 GB · 1 hour",
        "1.5 GB · saa 1",
        "5 Mbps",
        "2 devices",
    ):
        assert words in preview, words
    assert "It is on sale." in done
    assert row is not None
    assert (row.up_bps, row.quota_bytes, row.validity_s, row.rank) == (
        2_500_000,
        1_500_000_000,
        3_600,
        3,
    )


async def test_a_plan_that_cannot_be_comes_back_with_what_was_typed(estate: Office) -> None:
    async with at_desk(estate) as client:
        answer = await client.post("/noc/plans", data={**NEW, "price": "20.50", "name": "Mine"})
        form = await told_after(client, answer)

    assert "Price: want whole shillings" in form
    assert 'value="Mine"' in form
    assert await plan_of(estate, "hour-1") is None


async def test_a_price_holds_from_a_day_for_some_and_is_ended(estate: Office) -> None:
    path, tomorrow = "/noc/plans/hours-2", (NOON + DAY).date().isoformat()
    asked = {"amount": "8", "segment": "business", "branch": "main", "from_day": tomorrow}
    async with at_desk(estate) as client:
        kept = await told_after(client, await client.post(f"{path}/prices", data=asked))
        past = {**asked, "from_day": "2026-01-01"}
        refused = await told_after(client, await client.post(f"{path}/prices", data=past))
        async with estate.deps.db.read() as tx:
            (row,) = await prices.of_plan(tx, "hours-2")
        gone = await told_after(client, await client.post(f"{path}/prices/{row.id}/end", data={}))

    assert ("The price is kept." in kept, "to come" in kept) == (True, True)
    assert "From_day: want today" in refused
    assert ("The price ends." in gone, "to come" in gone) == (True, False)


async def test_a_plan_is_withdrawn_when_the_word_is_typed(estate: Office) -> None:
    path = "/noc/plans/hours-2"
    async with at_desk(estate) as client:
        unsure = await told_after(client, await client.post(f"{path}/withdraw", data={"sure": ""}))
        sure = {"sure": "WITHDRAW"}
        gone = await told_after(client, await client.post(f"{path}/withdraw", data=sure))

    assert "type WITHDRAW to go on" in unsure
    assert "withdrawn" in gone
    assert (await plan_of(estate, "hours-2")).withdrawn_at == NOON  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["", "/hours-2/withdraw", "/hours-2/prices"])
async def test_other_sites_cashiers_and_single_branches_change_no_plan(
    estate: Office, path: str
) -> None:
    sent = {**NEW, "sure": "WITHDRAW", "amount": "1"}
    here = frozenset({"main"})
    answers = []
    async with at_desk(estate) as client:
        answers.append(await client.post(f"/noc/plans{path}", data=sent, headers=ELSEWHERE))
    async with at_desk(estate, Role.CASHIER) as client:
        answers.append(await client.post(f"/noc/plans{path}", data=sent))
    async with at_desk(estate, Role.BILLING, here) as client:
        answers.append(await client.post(f"/noc/plans{path}", data=sent))

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert await plan_of(estate, "hour-1") is None


async def test_who_is_held_to_a_branch_sets_its_prices_and_no_others(estate: Office) -> None:
    async with at_desk(estate, Role.BILLING, frozenset({"main"})) as client:
        path = "/noc/plans/hours-2/prices"
        own = await client.post(path, data={"amount": "8", "branch": "main"})
        other = await client.post(path, data={"amount": "8", "branch": "sea"})

    assert (own.status_code, other.status_code) == (303, 404)
