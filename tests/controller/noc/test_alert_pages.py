"""The pages of alerts: what they say, what their forms do, and to whom."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.store.alert_rows import AlertRoundRow, AlertRow, MaintenanceRow
from tests.support.desk import at_desk
from tests.support.office import Office, a_site, caller
from tests.support.two_branches import HERE, two_branches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

OURS = {"Sec-Fetch-Site": "same-origin"}
NAME = "a1" * 16
EVIL = "<script>alert(1)</script>"


def an_alert(office: Office, name: str = NAME, **fields: object) -> AlertRow:
    now = office.clock()
    told = {
        "id": name,
        "rule": "agent_silent",
        "subject": "estate-1",
        "site_id": "estate-1",
        "state": "raised",
        "severity": "critical",
        "text": "nothing heard since 11:40",
        "told": '{"value": "11:40"}',
        "bad_at": now - timedelta(minutes=20),
        "raised_at": now - timedelta(minutes=20),
        "times": 1,
        **fields,
    }
    return AlertRow(**told)


@asynccontextmanager
async def signed_in(office: Office) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller(office, key=None) as client:
        await client.post("/noc/login", data={"key": office.key}, headers=OURS)
        yield client


async def the_alert(office: Office, name: str = NAME) -> AlertRow:
    async with office.deps.db.read() as tx:
        return (await tx.scalars(select(AlertRow).where(AlertRow.id == name))).one()


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


async def test_a_page_says_when_nobody_has_looked_yet(office: Office) -> None:
    async with signed_in(office) as client:
        page = plain((await client.get("/noc/alerts")).text)

    assert "Nobody has looked yet" in page
    assert "Alerts are told nobody yet" in page


async def test_a_page_without_alerts_says_when_it_was_looked_last(office: Office) -> None:
    await office.keep(AlertRoundRow(id=1, looked_at=office.clock(), since_at=office.clock()))
    office.clock.forward(seconds=10)
    async with signed_in(office) as client:
        page = plain((await client.get("/noc/alerts")).text)

    assert "Nothing is wrong that a rule would tell of. Everything was looked at 10 s ago" in page


async def test_what_is_open_is_listed_the_worst_first(office: Office) -> None:
    await office.keep(
        a_site(name=EVIL),
        an_alert(office),
        an_alert(
            office, "b2" * 16, rule="hot", severity="warn", told='{"value": "81 °C"}',
            raised_at=office.clock(),
        ),
        an_alert(
            office, "c3" * 16, state="recovered", recovered_at=office.clock(), subject="old"
        ),
    )  # fmt: skip
    async with signed_in(office) as client:
        page = (await client.get("/noc/alerts")).text
        every = (await client.get("/noc/alerts?show=all")).text
    said = plain(page)

    assert page.index("nothing heard since 11:40") < page.index("the processor is at 81 °C")
    assert "critical" in said
    assert EVIL not in page
    assert f"alert-{'c3' * 16}" not in page
    assert f"alert-{'c3' * 16}" in every


async def test_in_swahili_it_is_said_in_swahili(office: Office) -> None:
    await office.keep(a_site(), an_alert(office))
    async with signed_in(office) as client:
        await client.post("/noc/preferences", data={"language": "sw"}, headers=OURS)
        page = plain((await client.get("/noc/alerts")).text)

    assert "hakuna taarifa tangu 11:40" in page
    assert "hatari" in page


async def test_staff_acknowledge_silence_and_assign_by_forms(office: Office) -> None:
    await office.keep(a_site(), an_alert(office))
    async with signed_in(office) as client:
        for deed, sent in (
            ("acknowledge", {}),
            ("silence", {"for_s": "3600"}),
            ("assign", {"to": "the field team"}),
        ):
            answer = await client.post(f"/noc/alerts/{NAME}/{deed}", data=sent, headers=OURS)
            assert answer.status_code == 303, answer.text
        page = plain((await client.get(f"/noc/alerts/{NAME}")).text)
    row = await the_alert(office)

    assert (row.state, row.acked_by) == ("acknowledged", "the key")
    assert row.silenced_until == office.clock() + timedelta(hours=1)
    assert row.assigned_to == "the field team"
    for word in ("acknowledged", "silenced until", "task of the field team", "History"):
        assert word in page


async def test_a_form_of_another_site_does_nothing(office: Office) -> None:
    await office.keep(a_site(), an_alert(office))
    async with signed_in(office) as client:
        answer = await client.post(
            f"/noc/alerts/{NAME}/acknowledge", headers={"Sec-Fetch-Site": "cross-site"}
        )

    assert answer.status_code == 403
    assert (await the_alert(office)).state == "raised"


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        (f"/noc/alerts/{NAME}/silence", {"for_s": "-1"}, 422),
        (f"/noc/alerts/{NAME}/silence", {"for_s": "x" * 90}, 422),
        ("/noc/alerts/none/acknowledge", {}, 404),
    ],
)
async def test_what_cannot_be_done_is_said(
    office: Office, path: str, sent: dict[str, str], status: int
) -> None:
    await office.keep(a_site(), an_alert(office))
    async with signed_in(office) as client:
        answer = await client.post(path, data=sent, headers=OURS)
        wrong = await client.get("/noc/alerts?show=some")
        gone = await client.get("/noc/alerts/none")

    assert (answer.status_code, wrong.status_code, gone.status_code) == (status, 422, 404)


async def test_work_that_goes_on_and_what_it_holds_is_told(office: Office) -> None:
    now = office.clock()
    await office.keep(
        a_site(),
        MaintenanceRow(
            id="d4" * 16, site_id="estate-1", branch_id=None, from_at=now - timedelta(hours=1),
            until_at=now + timedelta(hours=1), text_en="New mast.", text_sw="Mlingoti mpya.",
            created_at=now,
        ),
        an_alert(office, held_by=f"window:{'d4' * 16}"),
    )  # fmt: skip
    async with signed_in(office) as client:
        page = plain((await client.get("/noc/alerts")).text)

    assert "New mast." in page
    assert "held back: maintenance" in page


async def test_work_of_another_branch_is_not_shown(office: Office) -> None:
    await two_branches(office)
    async with at_desk(office) as client:
        of_all = plain((await client.get("/noc/alerts")).text)
    async with at_desk(office, branches=frozenset({HERE})) as client:
        of_one = plain((await client.get("/noc/alerts")).text)

    assert (of_all.count("Work until"), of_one.count("Work until")) == (2, 1)
