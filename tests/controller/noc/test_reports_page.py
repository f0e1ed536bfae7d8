"""Reports and papers at the dashboard."""

from __future__ import annotations

import io
from datetime import date

import pytest
from openpyxl import load_workbook

from billing.charge import Mode
from billing.ids import PlanId, SiteId
from billing.period import Cycle, Unit
from controller.noc.bars import chart
from controller.reports.table import Basis, Column, Kind, Report
from controller.rights import Role
from controller.usecases.agreements import NewSubscription
from controller.usecases.subscriptions import start
from tests.support.builders import hex_id
from tests.support.database import db_url
from tests.support.desk import a_branch, at_desk
from tests.support.incoming import bought
from tests.support.office import Office, a_plan, a_site, a_subscriber

__all__ = ["db_url"]

PHONE = "254712345678"
EVIL = "=<script>alert(1)</script>"


@pytest.fixture
async def estate(office: Office) -> Office:
    """Two hotspot sales, and an invoice of KES 500 that is not paid."""
    whose = a_subscriber()
    whose.name = EVIL
    home = a_plan(
        "home", name="Home", audience="contract", validity_s=366 * 86_400, price_minor=50_000
    )
    await office.keep(a_site(name="Kayole <b>"), a_plan(), home, whose, a_branch("sea"))
    await bought(office, "one")
    await bought(office, "two", phone="254722000001")
    new = NewSubscription(
        id=hex_id("home"),
        subscriber="5" * 32,
        plan_id=PlanId("home"),
        site_id=SiteId("estate-1"),
        mode=Mode.ADVANCE,
        cycle=Cycle(Unit.MONTH),
        devices=("02:00:00:00:00:01",),
    )
    await start(office.deps, new)
    return office


async def page(office: Office, path: str, branches: frozenset[str] | None = None) -> str:
    async with at_desk(office, Role.READ_ONLY, branches) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def a_report(rows: dict[str, int], by: str = "day") -> Report:
    columns = (Column(by, "Day", Kind.TEXT), Column("total", "With taxes", Kind.MONEY))
    lines = tuple(rows.items())
    sums = (None, sum(rows.values()))
    return Report("revenue", "Revenue", Basis.CASH, None, date(2026, 11, 23), columns, lines, sums)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", ("Revenue", "2026-11-23", "KES 520", "accrual: counted when it is invoiced")),
        ("basis=cash", ("KES 20", "cash: counted when it is paid")),
        ("by=plan", ("hours-2", "home", "KES 500")),
        ("by=branch", ("main", "KES 520")),
        ("by=rail", ("mpesa", "on account")),
        ("name=collected", ("Kayole &lt;b&gt;", "KES 20", "mpesa")),
        ("name=outstanding", ("KES 500", "&lt;script&gt;", "0712 ••• 678")),
        ("name=ageing", ("residential", "KES 500")),
        ("name=tax", ("2026-11", "hotspot sale")),
        ("name=sellers", ("Nothing in these days",)),
        ("since=2026-10-01&to=2026-10-31", ("Nothing in these days",)),
    ],
)
async def test_a_report_says_what_it_is_and_on_which_basis(
    estate: Office, query: str, words: tuple[str, ...]
) -> None:
    shown = await page(estate, f"/noc/reports?{query}")

    for each in words:
        assert each in shown, each
    assert "<script>alert" not in shown
    assert PHONE not in shown
    assert "style=" not in shown


@pytest.mark.parametrize(
    "query",
    ["name=all", "by=site", "basis=both", "since=yesterday", "to=0001-01-01", "since=2027-01-01"],
)
async def test_what_there_is_not_is_refused_and_nothing_breaks(estate: Office, query: str) -> None:
    async with at_desk(estate) as client:
        answers = [
            (await client.get(f"{path}?{query}")).status_code
            for path in ("/noc/reports", "/noc/reports/file")
        ]

    assert answers == [422, 422]


async def test_a_report_is_taken_along_as_csv_and_xlsx_as_it_is_narrowed(estate: Office) -> None:
    async with at_desk(estate) as client:
        csv = await client.get("/noc/reports/file?name=outstanding&format=csv")
        xlsx = await client.get("/noc/reports/file?by=plan&basis=cash&format=xlsx")

    assert "'=<script>" in csv.text
    assert "outstanding-accrual-" in csv.headers["content-disposition"]
    sheet = load_workbook(io.BytesIO(xlsx.content)).active
    assert sheet is not None
    assert [cell.value for cell in sheet[1]][:2] == ["Revenue", "cash basis"]
    assert [sheet["A3"].value, sheet["E3"].value] == ["hours-2", 20]


async def test_a_picture_of_what_is_owed_names_nobody(estate: Office) -> None:
    async with at_desk(estate) as client:
        client.cookies.set("lango_look", "en.light.1", domain="lango.test")
        covered = (await client.get("/noc/reports?name=outstanding")).text
        plain = (await client.get("/noc/reports?name=outstanding&branch=main")).text

    picture = plain.partition('<svg class="bars"')[2].partition("</svg>")[0]
    assert "Not due" in picture
    assert ("script" in picture, PHONE in picture) == (False, False)
    assert "script" not in covered.partition("<table>")[2].partition("</table>")[0]


async def test_who_is_held_to_a_branch_gets_its_reports_and_no_other(estate: Office) -> None:
    sea, main = frozenset({"sea"}), frozenset({"main"})
    theirs = await page(estate, "/noc/reports?branch=main", sea)
    own = await page(estate, "/noc/reports", main)
    sites = await page(estate, "/noc/reports?name=collected", sea)
    async with at_desk(estate, Role.READ_ONLY, sea) as client:
        answers = [
            (await client.get(f"/noc/reports/file?{query}")).status_code
            for query in ("", "branch=main", "branch=sea")
        ]

    assert ("KES 520" in theirs, "KES 520" in own, "Kayole" in sites) == (False, True, False)
    assert answers == [404, 404, 200]


async def test_papers_are_listed_with_the_way_to_each(estate: Office) -> None:
    shown = await page(estate, "/noc/invoices?kind=invoice&owing=1")
    by_number = await page(estate, "/noc/invoices?q=INV-main-000001")
    other = await page(estate, "/noc/invoices?q=INV-main-000002")
    elsewhere = await page(estate, "/noc/invoices", frozenset({"sea"}))

    for words in ("INV-main-000001", "/pdf", "KES 500", "&lt;script&gt;"):
        assert words in shown, words
    assert ("INV-main-000001</a>" in by_number, "INV-main-000001</a>" in other) == (True, False)
    assert "INV-main-000001" not in elsewhere


async def test_a_cashier_sees_no_report(estate: Office) -> None:
    async with at_desk(estate, Role.CASHIER) as client:
        answers = [
            (await client.get(path)).status_code
            for path in ("/noc/reports", "/noc/reports/file", "/noc/invoices")
        ]

    assert answers == [403, 403, 403]


def test_bars_of_days_stand_on_one_line_and_hang_when_below() -> None:
    drawn = chart(a_report({"2026-11-01": 400, "2026-11-02": -100, "2026-11-03": 0}))

    assert drawn is not None
    up, down, nothing = drawn.bars
    assert up.y + up.height == down.y == drawn.line_y
    assert (down.below, nothing.height, up.height // down.height) == (True, 0, 4)


def test_bars_of_anything_else_lie_with_the_longest_first() -> None:
    drawn = chart(a_report({"a": 1, "b" * 40: 400}, by="plan"))

    assert drawn is not None
    assert [bar.label[:3] for bar in drawn.bars] == ["bbb", "a"]
    assert drawn.bars[0].width > drawn.bars[1].width == 2
    assert len(drawn.bars[0].label) == 16


def test_there_is_no_picture_of_nothing_nor_of_too_much() -> None:
    many = {f"2026-{n // 28 + 1:02}-{n % 28 + 1:02}": 1 for n in range(63)}

    assert chart(a_report({})) is None
    assert chart(a_report({"2026-11-01": 0})) is None
    assert chart(a_report(many)) is None
