"""Columns are chosen by the address, and an address is kept under a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from controller.rights import Role, Who
from controller.store import saved_views
from controller.usecases.saved_views import KEPT_MAX, keep
from tests.support.desk import ELSEWHERE, at_desk, somebody, told_after
from tests.support.office import (
    NOON,
    Office,
    a_grant,
    a_payment,
    a_plan,
    a_session,
    a_site,
    a_subscriber,
)

if TYPE_CHECKING:
    import httpx2

PLACES = ("payments", "sessions", "customers", "sites")
LOST = ("name", "x" * 41), ("name", " "), ("place", "/noc/audit"), ("place", "https://evil")


@pytest.fixture
async def estate(office: Office) -> Office:
    """One of everything that the long tables show."""
    grant = a_grant()
    await office.keep(a_site(), a_plan(), a_subscriber(), grant, a_payment())
    await office.keep(a_session(grant_id=grant.id, opened_at=NOON))
    return office


async def shown(office: Office, path: str, role: Role = Role.OWNER) -> str:
    async with at_desk(office, role) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def sent(office: Office, deed: str, role: Role = Role.OWNER, **fields: str) -> str:
    """The page that keeping or forgetting a view leads to."""
    async with at_desk(office, role) as client:
        return await told_after(client, await client.post(f"/noc/views/{deed}", data=fields))


async def kept(office: Office, who: Who, place: str) -> dict[str, str]:
    async with office.deps.db.read() as tx:
        return {row.name: row.query for row in await saved_views.of(tx, who.id, place)}


def headings(html: str) -> int:
    return html.partition("<main")[2].count('<th scope="col"')


@pytest.mark.parametrize("place", PLACES)
async def test_a_column_that_is_not_ticked_is_not_shown(estate: Office, place: str) -> None:
    whole = await shown(estate, f"/noc/{place}")
    names = re.findall(r'name="cols" value="(\w+)" checked', whole)
    asked = "&".join(f"cols={name}" for name in names[1:])
    less = await shown(estate, f"/noc/{place}?{asked}")
    cells = [html.partition("<tbody>")[2].count("<td") for html in (whole, less)]

    assert len(names) >= 6
    assert headings(whole) - headings(less) == 1
    assert cells[0] - cells[1] == 1


@pytest.mark.parametrize("place", PLACES)
async def test_a_column_that_there_is_not_is_refused_by_its_field(
    estate: Office, place: str
) -> None:
    async with at_desk(estate) as client:
        answer = await client.get(f"/noc/{place}?cols=secrets")

    assert (answer.status_code, "Cols" in answer.text) == (422, True)


async def test_the_filter_form_keeps_the_columns_and_the_columns_keep_the_filter(
    estate: Office,
) -> None:
    html = await shown(estate, "/noc/payments?state=paid&cols=state&cols=amount")

    assert '<input type="hidden" name="cols" value="state.amount">' in html
    assert '<input type="hidden" name="state" value="paid">' in html
    assert 'href="/noc/payments.csv?state=paid&amp;cols=state.amount"' in html


async def test_a_view_is_kept_with_its_filter_and_columns_and_leads_back_there(
    estate: Office,
) -> None:
    after = await sent(
        estate, "keep", place="/noc/payments", name="Paid ones",
        query="?state=paid&cols=state&cols=amount&cursor=x",
    )  # fmt: skip
    link = 'href="/noc/payments?state=paid&amp;cols=state.amount"'

    assert "The view is kept" in after
    assert f"{link} aria-current" in after
    assert link in await shown(estate, "/noc/payments")
    assert link not in await shown(estate, "/noc/sessions")


async def test_a_view_of_the_same_name_takes_the_place_of_the_other(estate: Office) -> None:
    for query in ("?state=paid", "?state=refused"):
        await sent(estate, "keep", place="/noc/payments", name="Mine", query=query)

    assert await kept(estate, somebody(Role.OWNER), "/noc/payments") == {"Mine": "?state=refused"}


async def test_a_view_is_its_owners_alone_and_gone_when_they_say_so(estate: Office) -> None:
    await sent(estate, "keep", place="/noc/sites", name="Mine", query="?state=offline")
    other = Who("o" * 32, "Otieno", Role.OWNER)
    await keep(estate.deps, other, place="/noc/sites", name="Mine", query="")
    after = await sent(estate, "forget", place="/noc/sites", name="Mine")

    assert "The view is gone" in after
    assert await kept(estate, somebody(Role.OWNER), "/noc/sites") == {}
    assert await kept(estate, other, "/noc/sites") == {"Mine": ""}


@pytest.mark.parametrize(("field", "value"), LOST)
async def test_what_cannot_be_kept_is_refused_by_its_field(
    estate: Office, field: str, value: str
) -> None:
    fields = {"place": "/noc/sites", "name": "Mine", "query": "", field: value}
    async with at_desk(estate) as client:
        answer = await client.post("/noc/views/keep", data=fields)
        page = answer.text if answer.status_code != 303 else await told_after(client, answer)

    assert f"{field}:" in page.lower()
    assert await kept(estate, somebody(Role.OWNER), "/noc/sites") == {}


async def test_so_many_are_kept_and_no_more(estate: Office) -> None:
    who = somebody(Role.OWNER)
    for n in range(KEPT_MAX):
        await keep(estate.deps, who, place="/noc/sites", name=f"View {n}", query="")
    page = await sent(estate, "keep", place="/noc/sites", name="One more", query="")

    assert "remove one first" in page
    assert len(await kept(estate, who, "/noc/sites")) == KEPT_MAX


async def test_a_page_that_one_may_not_see_is_not_kept(estate: Office) -> None:
    fields = {"place": "/noc/payments", "name": "Mine", "query": ""}
    async with at_desk(estate, Role.TECHNICIAN) as client:
        answer: httpx2.Response = await client.post("/noc/views/keep", data=fields)

    assert answer.status_code == 403


async def test_a_form_of_another_site_keeps_nothing(estate: Office) -> None:
    fields = {"place": "/noc/sites", "name": "Mine", "query": ""}
    async with at_desk(estate) as client:
        answer = await client.post("/noc/views/keep", data=fields, headers=ELSEWHERE)

    assert answer.status_code == 403


async def test_what_a_view_is_called_is_text_and_never_markup(estate: Office) -> None:
    evil = "<script>alert(1)</script>"
    page = await sent(
        estate, "keep", place="/noc/sites", name=evil, query='?q="><script>alert(1)</script>'
    )

    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
