"""Lists as files: the whole of what a page is narrowed to, harmless, told of, and covered."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.ids import PlanId
from billing.msisdn import Msisdn
from controller.noc import preferences
from controller.noc.pages import files
from controller.noc.preferences import Preferences
from controller.rights import RIGHTS, Right, Role
from controller.store.audit_rows import AuditRow
from controller.usecases.subscribers import SubscriberChange, add_subscriber
from controller.usecases.vouchers import create_vouchers
from tests.support.desk import a_branch, at_desk
from tests.support.incoming import came
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

PHONE = "254712345678"
COVERED = {"Cookie": f"{preferences.COOKIE}={Preferences(redacted=True).written()}"}
RIGHT_OF = {one.name: one.right for one in files.FILES}


async def answered(
    office: Office,
    path: str,
    role: Role = Role.OWNER,
    branches: frozenset[str] | None = None,
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    async with at_desk(office, role, branches) as client:
        return await client.get(path, headers=headers)


async def sheet(office: Office, path: str) -> list[dict[str, str]]:
    answer = await answered(office, path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def audit(office: Office) -> list[AuditRow]:
    async with office.deps.db.read() as tx:
        return list(await tx.scalars(select(AuditRow).where(AuditRow.code == "file_sent")))


@pytest.fixture
async def estate(office: Office) -> Office:
    """A site, a plan, somebody, and one payment."""
    whose = a_subscriber()
    whose.name = "=HYPERLINK(0)"
    await office.keep(a_site(), a_plan(), whose, a_payment("1" * 32, receipt="SGH1"))
    return office


async def test_the_file_holds_all_that_the_page_is_narrowed_to_and_nothing_else(
    estate: Office,
) -> None:
    names = [f"R{n:04}" for n in range(2, files.PART_ROWS + 20)]
    async with estate.deps.db.begin() as tx:
        tx.add_all(
            a_payment(f"{n:032x}", receipt=name, created_at=NOON - timedelta(seconds=n // 2))
            for n, name in enumerate(names, 2)
        )
        tx.add(a_payment("e" * 32, receipt="OTHER", rail="airtel"))
    await came(estate, "BETWEEN")
    rows = await sheet(estate, "/noc/payments.csv?rail=mpesa&cursor=ignored")

    assert sorted(row["receipt"] for row in rows) == sorted(["SGH1", "BETWEEN", *names])
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)


async def test_a_payment_stands_there_as_a_spreadsheet_reads_it(estate: Office) -> None:
    (row,) = await sheet(estate, "/noc/payments.csv")

    assert (row["at"], row["state"], row["amount"]) == ("2026-11-23 12:00:00", "paid", "10.00")
    assert (row["phone"], row["plan"], row["site"]) == ("0712 345 678", "2 hours", "Estate 1")


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
async def test_no_cell_is_a_formula(office: Office, begins: str) -> None:
    evil = f"{begins}cmd|'/C calc'!A0"
    whose = a_subscriber()
    whose.name = evil
    await office.keep(whose)
    (row,) = await sheet(office, "/noc/customers.csv")

    assert row["name"] == f"'{evil}"


async def test_names_phones_and_amounts_are_covered_where_the_screen_covers_them(
    estate: Office,
) -> None:
    await came(estate, "SGH7", reference=PHONE, payer_name="WANJIKU MWANGI")
    for name in ("payments", "customers"):
        text = (await answered(estate, f"/noc/{name}.csv", headers=COVERED)).text

        assert "345" not in text, name
        assert "HYPERLINK" not in text, name
        assert "10.00" not in text, name


async def test_customers_are_those_searched_for_and_money_is_for_who_may_see_it(
    estate: Office,
) -> None:
    await add_subscriber(estate.deps, Msisdn("254722000001"), SubscriberChange(name="Otieno"))
    (found,) = await sheet(estate, "/noc/customers.csv?q=otieno")
    plain = (await answered(estate, "/noc/customers.csv", Role.TECHNICIAN)).text

    assert (found["name"], found["phone"], found["owes"]) == ("Otieno", "0722 000 001", "0.00")
    assert "owes" not in plain
    assert "Otieno" in plain


async def test_sessions_and_vouchers_have_their_files(estate: Office) -> None:
    grant = a_grant()
    await estate.keep(
        grant,
        a_session("7" * 32, grant_id=grant.id, opened_at=NOON, mac="02:00:00:00:00:01"),
        a_session("8" * 32, grant_id=grant.id, opened_at=NOON, mac="02:00:00:00:00:02"),
    )
    await create_vouchers(estate.deps, PlanId("hours-2"), 3, None)
    (session,) = await sheet(estate, "/noc/sessions.csv?mac=00:02&sort=fastest")
    (batch,) = await sheet(estate, "/noc/vouchers.csv")

    assert session["mac"] == "02:00:00:00:00:02"
    assert (batch["plan"], batch["made"], batch["sold"]) == ("2 hours", "3", "0")


async def test_who_took_a_file_of_what_is_in_the_audit_log(estate: Office) -> None:
    await answered(estate, "/noc/payments.csv?rail=mpesa", Role.BILLING)
    (row,) = await audit(estate)

    assert (row.staff_name, row.route, row.about_id) == (
        "Wanjiru", "GET /noc/payments.csv", "payments",
    )  # fmt: skip
    assert json.loads(row.changes)[0]["after"] == {"rail": "mpesa", "covered": False}


@pytest.mark.parametrize("name", sorted(RIGHT_OF))
@pytest.mark.parametrize("role", list(Role))
async def test_only_who_may_see_the_page_gets_the_file(
    estate: Office, name: str, role: Role
) -> None:
    answer = await answered(estate, f"/noc/{name}.csv", role)
    may = RIGHT_OF[name] in RIGHTS[role]

    assert answer.status_code == (200 if may else 403)
    assert len(await audit(estate)) == (1 if may else 0)


async def test_who_is_held_to_a_branch_gets_what_is_of_it(estate: Office) -> None:
    await estate.keep(a_branch("thika"))
    held = frozenset({"thika"})
    for name in ("payments", "customers", "sessions"):
        answer = await answered(estate, f"/noc/{name}.csv", Role.SUPPORT, held)

        assert answer.content.decode("utf-8-sig").count("\r\n") == 1, name


@pytest.mark.parametrize("name", ["payments?state=lost", "customers?standing=x", "sessions?mac=z"])
async def test_what_the_page_refuses_is_refused_before_a_byte_is_sent(
    estate: Office, name: str
) -> None:
    path, _, query = name.partition("?")
    answer = await answered(estate, f"/noc/{path}.csv?{query}")

    assert answer.status_code == 422
    assert await audit(estate) == []


@pytest.mark.parametrize("name", sorted(RIGHT_OF))
async def test_the_link_on_the_page_keeps_its_filter(estate: Office, name: str) -> None:
    shown = (await answered(estate, f"/noc/{name}?site=estate-1")).text

    assert f'href="/noc/{name}.csv?site=estate-1"' in shown
    assert RIGHT_OF[name] in set(Right)
