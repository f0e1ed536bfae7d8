"""Vouchers and the counter: batches are made, printed and sold; money is taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from billing.money import Money
from controller.noc import charges, views, voucher_views
from controller.rights import Role
from controller.store import payments
from tests.support.database import db_url
from tests.support.desk import ELSEWHERE, a_branch, at_desk, told_after
from tests.support.incoming import paid
from tests.support.office import Office, a_plan, a_site, a_subscriber

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

    from controller.noc.voucher_views import BatchLine

__all__ = ["db_url"]

MAKE = "/noc/vouchers/make"
KEY = "a" * 32
NEW = {"once": KEY, "plan": "hours-2", "count": "24", "until": "2026-12-31", "where": ""}
PHONE = "254712345678"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
async def estate(office: Office) -> Office:
    """A site, a plan, and Wanjiku, whose name is a script."""
    whose = a_subscriber()
    whose.name = EVIL
    await office.keep(a_site(), a_plan(), whose)
    return office


async def batches(office: Office) -> list[BatchLine]:
    async with office.deps.db.read() as tx:
        return await voucher_views.batch_lines(tx, after=None, limit=9)


async def made(client: AsyncClient) -> str:
    return await told_after(client, await client.post(MAKE, data=NEW))


async def test_a_batch_is_made_once_and_its_codes_are_shown(estate: Office) -> None:
    async with at_desk(estate, Role.BILLING) as client:
        first, again = await made(client), await made(client)

    (line,) = await batches(estate)
    codes = re.findall(r"<li>([0-9A-Z-]{8,20})</li>", first)
    assert (line.batch.count, len(set(codes))) == (24, 24)
    assert line.batch.expires_at is not None
    assert line.batch.expires_at.isoformat() == "2026-12-31T21:00:00+00:00"
    assert codes == re.findall(r"<li>([0-9A-Z-]{8,20})</li>", again)


async def test_codes_are_a_sheet_and_a_csv_for_an_hour_and_then_nowhere(estate: Office) -> None:
    async with at_desk(estate, Role.BILLING) as client:
        await made(client)
        sheet = await client.get(f"/noc/vouchers/made/{KEY}/sheet.pdf")
        csv = await client.get(f"/noc/vouchers/made/{KEY}/codes.csv")
        estate.clock.forward(minutes=61)
        late = [
            (await client.get(f"/noc/vouchers/made/{KEY}{rest}")).status_code
            for rest in ("", "/sheet.pdf", "/codes.csv")
        ]

    assert sheet.content.startswith(b"%PDF")
    assert "attachment" in sheet.headers["content-disposition"]
    assert len(csv.text.splitlines()) == 25
    assert late == [404, 404, 404]


async def test_codes_are_for_those_who_may_make_them(estate: Office) -> None:
    async with at_desk(estate, Role.BILLING) as client:
        await made(client)
    answers: list[Response] = []
    async with at_desk(estate, Role.CASHIER) as client:
        answers += [
            await client.get(f"/noc/vouchers/made/{KEY}{rest}")
            for rest in ("", "/sheet.pdf", "/codes.csv")
        ]
        answers.append(await client.post(MAKE, data=NEW))

    assert [answer.status_code for answer in answers] == [403, 403, 403, 403]


async def test_a_cashier_sells_vouchers_of_a_batch_once_for_a_form(estate: Office) -> None:
    async with at_desk(estate, Role.BILLING) as client:
        await made(client)
    (line,) = await batches(estate)
    sale = {"once": "b" * 32, "batch": line.batch.batch, "count": "10", "seller": "Mama Njeri",
            "rail": "cash", "branch": "main"}  # fmt: skip
    async with at_desk(estate, Role.CASHIER) as client:
        for _ in range(2):
            done = await told_after(client, await client.post("/noc/vouchers/sell", data=sale))
        more = {**sale, "once": "c" * 32, "count": "15"}
        refused = await told_after(client, await client.post("/noc/vouchers/sell", data=more))
        other = await client.post("/noc/vouchers/sell", data=sale, headers=ELSEWHERE)

    (line,) = await batches(estate)
    assert line.sold == 10
    assert ("Sold, and in the books." in done, "KES 100" in done) == (True, True)
    assert "has 14 of 24 left to sell" in refused
    assert other.status_code == 403


@pytest.mark.parametrize("role", [Role.CASHIER, Role.SUPPORT, Role.BILLING])
async def test_a_share_for_the_seller_is_given_by_who_books_money(
    estate: Office, role: Role
) -> None:
    async with at_desk(estate, Role.BILLING) as client:
        await made(client)
    (line,) = await batches(estate)
    sale = {"once": "b" * 32, "batch": line.batch.batch, "count": "10", "seller": "Mama Njeri",
            "commission": "100", "rail": "cash", "branch": "main"}  # fmt: skip
    async with at_desk(estate, role) as client:
        pages = [(await client.get(f"/noc/{one}")).text
                 for one in ("counter", f"vouchers/{line.batch.batch}")]  # fmt: skip
        said = await told_after(client, await client.post("/noc/vouchers/sell", data=sale))

    (line,) = await batches(estate)
    may = role is Role.BILLING
    assert line.sold == (10 if may else 0)
    assert ("book_money is wanted" in said) is not may
    assert ['name="commission"' in page for page in pages] == [may, may]


async def test_a_batch_that_there_is_not_is_a_page_that_says_so(estate: Office) -> None:
    async with at_desk(estate) as client:
        answer = await client.get("/noc/vouchers/20260101-ffffffff")

    assert answer.status_code == 404
    assert "There is no such page" in answer.text


async def test_the_counter_finds_a_customer_and_takes_cash_once(estate: Office) -> None:
    form = {"once": "d" * 32, "subscriber": "5" * 32, "amount": "1,500.50", "rail": "cash"}
    async with at_desk(estate, Role.CASHIER) as client:
        found = (await client.get("/noc/counter?q=0712345678")).text
        named = (await client.get("/noc/counter?q=script")).text
        done, again = [
            await told_after(client, await client.post("/noc/counter/take", data=form))
            for _ in range(2)
        ]
        wrong = {**form, "once": "e" * 32, "amount": "12,5"}
        refused = await told_after(client, await client.post("/noc/counter/take", data=wrong))

    async with estate.deps.db.read() as tx:
        (view,) = await charges.received_views(tx, after=None, limit=9)
    assert (view.row.amount_minor, view.row.rail) == (150_050, "cash")
    assert "Taken: 1,500.50 KES." in done
    assert "Taken before: 1,500.50 KES. Nothing is booked again." in again
    assert "Taken: " not in again
    assert "is not an amount" in refused
    assert "Take the money" in found
    assert f"/noc/counter?q={'5' * 32}" in named
    for shown in (found, named):
        assert EVIL not in shown
        assert PHONE not in shown


@pytest.mark.parametrize(
    ("role", "rail", "status"),
    [
        (Role.CASHIER, "cheque", 303),
        (Role.CASHIER, "bank", 403),
        (Role.SUPPORT, "bank", 403),
        (Role.CASHIER, "withheld-vat", 403),
        (Role.BILLING, "bank", 303),
    ],
)
async def test_a_counter_takes_what_lies_on_it_and_the_office_what_came_to_a_bank(
    estate: Office, role: Role, rail: str, status: int
) -> None:
    form = {"once": "d" * 32, "subscriber": "5" * 32, "amount": "10", "rail": rail, "receipt": "N1"}
    async with at_desk(estate, role) as client:
        page = (await client.get("/noc/counter?q=0712345678")).text
        answer = await client.post("/noc/counter/take", data=form)

    async with estate.deps.db.read() as tx:
        booked = await charges.received_views(tx, after=None, limit=9)
    assert (answer.status_code, len(booked)) == (status, 1 if status == 303 else 0)
    assert (f'<option value="{rail}"' in page) is (status == 303)


async def test_a_cheque_that_was_taken_is_not_said_to_be_taken_again(estate: Office) -> None:
    form = {"subscriber": "5" * 32, "amount": "10", "rail": "cheque", "receipt": "000123"}
    async with at_desk(estate, Role.CASHIER) as client:
        said = [
            await told_after(
                client, await client.post("/noc/counter/take", data={**form, "once": once * 32})
            )
            for once in "de"
        ]

    assert ["Taken before: 10 KES." in one for one in said] == [False, True]


async def test_the_counter_asks_a_phone_and_shows_what_comes_of_it(estate: Office) -> None:
    form = {"once": "f" * 32, "subscriber": "5" * 32, "amount": "300", "payer": "0722 000 001"}
    async with at_desk(estate, Role.CASHIER) as client:
        asked = await told_after(client, await client.post("/noc/counter/ask", data=form))
        await paid(estate)
        estate.deps.signals.wake("live")
        async with at_desk(estate, Role.CASHIER) as other:
            later = (await other.get(f"/noc/counter/asked/{'f' * 32}")).text

    async with estate.deps.db.read() as tx:
        row = await payments.load(tx, "f" * 32)
    assert row is not None
    assert (row.msisdn, row.amount_minor) == ("254722000001", Money(30_000).minor)
    assert "Ask them to type their PIN." in asked
    assert "SIM0000001" in later


async def test_a_cashier_is_held_to_a_branch(estate: Office) -> None:
    here, other = frozenset({"sea"}), {"once": "b" * 32, "count": "1", "seller": "x"}
    await estate.keep(a_branch("sea"))
    async with at_desk(estate, Role.BILLING) as client:
        await made(client)
    (line,) = await batches(estate)
    async with at_desk(estate, Role.CASHIER, here) as client:
        found = (await client.get("/noc/counter?q=0712345678")).text
        take = {"once": "d" * 32, "subscriber": "5" * 32, "amount": "10"}
        sale = {**other, "batch": line.batch.batch}
        answers = [
            await client.post("/noc/counter/take", data=take),
            await client.post("/noc/counter/ask", data=take),
            await client.post("/noc/vouchers/sell", data={**sale, "branch": "main"}),
            await client.post("/noc/vouchers/sell", data={**sale, "branch": "sea"}),
        ]

    assert "Take the money" not in found
    assert [answer.status_code for answer in answers] == [404, 404, 404, 303]


@pytest.mark.parametrize(
    "path", ["/noc/payments", "/noc/exceptions", "/noc/reports", "/noc/invoices", "/noc/plans/new"]
)
async def test_a_cashier_does_vouchers_and_the_counter_and_nothing_else(
    estate: Office, path: str
) -> None:
    async with at_desk(estate, Role.CASHIER) as client:
        refused = await client.get(path)
        own = [(await client.get(one)).status_code for one in ("/noc/counter", "/noc/vouchers")]
        places = (await client.get("/noc/counter")).text

    assert (refused.status_code, own) == (403, [200, 200])
    assert path not in re.findall(r'<a href="([^"]+)" data-keys', places)


async def test_a_read_only_role_takes_no_money(estate: Office) -> None:
    async with at_desk(estate, Role.READ_ONLY) as client:
        answers = [
            await client.get("/noc/counter"),
            await client.post("/noc/counter/take", data={"subscriber": "5" * 32}),
            await client.post("/noc/vouchers/sell", data={}),
        ]
    async with estate.deps.db.read() as tx:
        kept = await views.payment_views(tx)

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert kept == []
