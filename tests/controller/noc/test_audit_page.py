"""The audit log on a page: what was before and after, for those who may see it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from controller import acting
from controller.acting import Actor
from controller.rights import Role
from controller.store.site_rows import SiteRow
from tests.support.database import db_url
from tests.support.desk import at_desk
from tests.support.office import NOON, Office, a_plan, a_site

if TYPE_CHECKING:
    import httpx2

__all__ = ["db_url"]

JANE = Actor(
    "s1", "Jane", "10.0.0.7", "POST /api/v1/sites/{site_id}", "r", NOON, ("site", "estate-1")
)


@pytest.fixture
async def renamed(office: Office) -> Office:
    """A site that Jane has given another name, and a plan that John made."""
    await office.keep(a_site())
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            await tx.execute(update(SiteRow).values(name="<b>New</b>"))
    john = replace(JANE, staff_id="s2", name="John", route="POST /api/v1/plans", about=None)
    with acting.acting(john):
        await office.keep(a_plan())
    return office


async def page(
    office: Office, query: str = "", role: Role = Role.OWNER, branches: frozenset[str] | None = None
) -> httpx2.Response:
    async with at_desk(office, role, branches) as client:
        return await client.get(f"/noc/audit{query}")


async def test_what_was_before_and_after_is_shown_with_a_link_to_the_object(
    renamed: Office,
) -> None:
    text = (await page(renamed)).text

    assert "<del>Estate 1</del>" in text
    assert "<ins>&lt;b&gt;New&lt;/b&gt;</ins>" in text
    assert 'href="/noc/sites/estate-1"' in text
    assert "10.0.0.7" in text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?who=Jane", {"Jane"}),
        ("?who=s2", {"John"}),
        ("?what=PLANS", {"John"}),
        ("?about=site", {"Jane"}),
        ("?about=site:estate-2", set()),
        ("?day=2026-11-23", {"Jane", "John"}),
        ("?day=2026-11-22", set()),
    ],
)
async def test_the_log_is_narrowed(renamed: Office, query: str, names: set[str]) -> None:
    text = (await page(renamed, query)).text

    assert {name for name in ("Jane", "John") if f">{name}<br>" in text} == names


async def test_an_empty_log_is_nice_about_it(office: Office) -> None:
    assert "Nobody has changed anything yet." in (await page(office)).text


async def test_a_day_that_is_none_is_refused(office: Office) -> None:
    assert (await page(office, "?day=soon")).status_code == 422


@pytest.mark.parametrize("role", [Role.CASHIER, Role.SUPPORT, Role.TECHNICIAN, Role.READ_ONLY])
async def test_others_do_not_see_it(office: Office, role: Role) -> None:
    assert (await page(office, role=role)).status_code == 403


async def test_an_admin_of_one_branch_does_not_see_it(office: Office) -> None:
    answer = await page(office, role=Role.ADMIN, branches=frozenset({"main"}))

    assert answer.status_code == 403


async def test_who_does_something_on_a_page_or_by_the_api_is_in_the_log(office: Office) -> None:
    async with at_desk(office) as client:
        made = await client.post("/api/v1/sites", json={"id": "estate-9", "name": "Estate 9"})
        text = (await client.get("/noc/audit")).text

    assert made.status_code == 201
    assert "Wanjiru<br>" in text
    assert "POST /api/v1/sites" in text
