"""Documents, statements, reports and sales of vouchers over HTTP."""

from __future__ import annotations

import csv
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import load_workbook

from controller.usecases.papers import address_of
from tests.support.builders import hex_id
from tests.support.charges import ANNE, a_line, a_subscriber, an_invoice, paid_in
from tests.support.day_of_business import registered
from tests.support.office import a_plan, a_site, caller

if TYPE_CHECKING:
    import httpx2

    from controller.store.billing_rows import DocumentRow
    from tests.support.office import Office

SALE = {"id": "1" * 32, "count": 2, "seller": "Kioski", "commission_bp": 1_000}


@pytest.fixture
async def invoice(office: Office) -> DocumentRow:
    """An invoice of Anne's, of which 500 shillings are paid."""
    await office.keep(a_site(), a_plan())
    await registered(office.deps)
    await a_subscriber(office.deps)
    row = await an_invoice(office.deps)
    await paid_in(office.deps, 500)
    return row


async def got(office: Office, path: str, *, key: str | None = "", **query: Any) -> httpx2.Response:
    async with caller(office, key) as client:
        return await client.get(path, params=query or None)


async def posted(office: Office, path: str, body: object) -> httpx2.Response:
    async with caller(office) as client:
        headers = {"Idempotency-Key": "key-00000001"}
        return await client.post(f"/api/v1/{path}", json=body, headers=headers)


async def test_an_invoice_is_a_pdf_by_its_number_and_by_its_id(
    office: Office, invoice: DocumentRow
) -> None:
    by_number = await got(office, "/api/v1/documents/INV-main-000001/pdf")
    by_id = await got(office, f"/api/v1/documents/{invoice.id}/pdf")

    assert by_number.headers["content-type"] == "application/pdf"
    assert 'filename="INV-main-000001.pdf"' in by_number.headers["content-disposition"]
    assert by_number.content == by_id.content
    assert by_number.content.startswith(b"%PDF-")


async def test_the_page_of_a_paper_is_shown_to_its_holder_under_a_strict_policy(
    office: Office, invoice: DocumentRow
) -> None:
    path = address_of(office.deps, invoice.id).removeprefix(office.deps.settings.public_url)
    shown = await got(office, path, key=None)
    staff = await got(office, f"/api/v1/documents/{invoice.id}/page")

    assert shown.status_code == 200
    assert "INV-main-000001" in shown.text
    assert shown.text == staff.text
    assert shown.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha")
    assert shown.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("query", ["", "?c=", "?c=0000000000000000", "?c=%C5%A9"])
async def test_without_the_code_there_is_no_document(
    office: Office, invoice: DocumentRow, query: str
) -> None:
    async with caller(office, None) as client:
        answer = await client.get(f"/d/{invoice.id}{query}")

    assert answer.status_code == 404
    assert "INV" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "documents/INV-main-000001/pdf",
        "documents/INV-main-000001/page",
        "statements/254712345678",
        "reports/revenue",
    ],
)
async def test_papers_are_for_staff(office: Office, invoice: DocumentRow, path: str) -> None:
    assert (await got(office, f"/api/v1/{path}", key=None)).status_code == 401


@pytest.mark.parametrize(
    ("path", "query", "status", "field"),
    [
        ("documents/INV-main-000009/pdf", {}, 404, None),
        ("documents/INV-main-x/pdf", {}, 404, None),
        ("documents/-1/pdf", {}, 404, None),
        (f"documents/INV-main-{'9' * 40}/pdf", {}, 404, None),
        ("statements/254700000000", {}, 404, "subscriber"),
        (f"statements/{ANNE}", {"from": "2026-11-02", "until": "2026-11-01"}, 422, "until"),
        (f"statements/{ANNE}", {"from": "soon"}, 422, "from"),
        (f"statements/{ANNE}", {"format": "doc"}, 422, "format"),
        ("reports/profit", {}, 422, "name"),
        ("reports/revenue", {"basis": "both"}, 422, "basis"),
        ("reports/revenue", {"by": "colour"}, 422, "by.0"),
        ("reports/revenue", {"since": "2026-11-01"}, 422, "since"),
        ("reports/revenue", {"branch": "Main Street"}, 422, "branch"),
        ("reports/ageing", {"basis": "cash"}, 422, "basis"),
    ],
)
async def test_what_cannot_be_is_told_by_its_field(
    office: Office,
    invoice: DocumentRow,
    *,
    path: str,
    query: dict[str, str],
    status: int,
    field: str | None,
) -> None:
    answer = await got(office, f"/api/v1/{path}", **query)

    assert answer.status_code == status, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == ([field] if field else [])


async def test_a_statement_comes_in_every_form(office: Office, invoice: DocumentRow) -> None:
    path = f"/api/v1/statements/{ANNE}"
    answers = {
        form: await got(office, path, format=form)
        for form in ("json", "csv", "xlsx", "pdf", "html")
    }
    told = answers["json"].json()
    lines = list(csv.reader(StringIO(answers["csv"].content.decode("utf-8-sig"))))
    sheet = load_workbook(BytesIO(answers["xlsx"].content))["statement"]

    assert (told["from"], told["until"]) == ("2026-11-01", "2026-11-24")
    assert [line["balance"] for line in told["data"]] == ["0.00", "1500.00", "1000.00"]
    assert told["totals"]["balance"] == lines[-1][-1] == "1000.00"
    assert list(sheet.values)[-1][-1] == 1_000
    assert answers["pdf"].content.startswith(b"%PDF-")
    assert "To pay KES" in answers["html"].text


async def test_a_report_says_which_it_is_and_on_which_basis(
    office: Office, invoice: DocumentRow
) -> None:
    cash = (await got(office, "/api/v1/reports/revenue", basis="cash", by=["plan", "rail"])).json()
    accrual = (await got(office, "/api/v1/reports/revenue")).json()

    assert (cash["basis"], accrual["basis"]) == ("cash", "accrual")
    assert cash["data"] == [
        {
            "plan": "home-10",
            "rail": "wallet",
            "net": "374.81",
            "excise": "56.22",
            "vat": "68.97",
            "total": "500.00",
        }
    ]
    assert accrual["totals"]["total"] == "1500.00"
    assert accrual["data"][0]["day"] == "2026-11-23"


@pytest.mark.parametrize("name", ["revenue", "outstanding", "ageing", "tax", "sellers"])
async def test_every_report_comes_in_every_form(
    office: Office, invoice: DocumentRow, name: str
) -> None:
    path = f"/api/v1/reports/{name}"
    told = (await got(office, path)).json()
    lines = list(
        csv.reader(StringIO((await got(office, path, format="csv")).content.decode("utf-8-sig")))
    )
    book = load_workbook(BytesIO((await got(office, path, format="xlsx")).content))

    assert told["name"] == name
    assert lines[1] == [column["heading"] for column in told["columns"]]
    assert len(lines) == 2 + len(told["data"]) + bool(told["data"])
    assert book.sheetnames == [name]


async def test_slips_are_made_from_the_codes_that_were_shown(
    office: Office, invoice: DocumentRow
) -> None:
    made = (
        await posted(office, "vouchers", {"plan_id": "hours-2", "count": 3, "online_only": True})
    ).json()
    slips = await posted(office, "vouchers/sheet", made)
    odd = await posted(office, "vouchers/sheet", {**made, "codes": ["7KQM-2XWD-9FTR"]})
    long = await posted(office, "vouchers/sheet", {**made, "codes": ["x" * 20] * 10_001})

    assert slips.headers["content-type"] == "application/pdf"
    assert slips.content.startswith(b"%PDF-")
    assert (odd.status_code, odd.json()["errors"][0]["field"]) == (422, "codes")
    assert long.status_code == 422


async def test_a_sale_is_noted_once(office: Office, invoice: DocumentRow) -> None:
    made = (
        await posted(office, "vouchers", {"plan_id": "hours-2", "count": 3, "online_only": True})
    ).json()
    sale = {**SALE, "batch": made["batch"]}
    answers = [await posted(office, "vouchers/sales", sale) for _ in range(2)]
    more = await posted(office, "vouchers/sales", {**sale, "id": hex_id("other")})
    other = await posted(office, "vouchers/sales", {**sale, "count": 1})
    unknown = await posted(office, "vouchers/sales", {**sale, "batch": "none"})

    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["amount"] == {"amount": "20.00", "currency": "KES"}
    assert answers[0].json()["commission"] == {"amount": "2.00", "currency": "KES"}
    assert (more.status_code, more.json()["code"]) == (409, "batch_sold_out")
    assert (other.status_code, other.json()["code"]) == (409, "sale_differs")
    assert unknown.status_code == 404


async def test_ten_thousand_codes_fit_into_one_question(
    office: Office, invoice: DocumentRow
) -> None:
    answer = await posted(
        office, "vouchers/sheet", {"batch": "none", "codes": ["7KQM-2XWD-9FTR"] * 10_000}
    )

    assert answer.status_code == 404, answer.text


async def test_a_line_of_an_invoice_is_no_formula_in_a_spreadsheet(
    office: Office, invoice: DocumentRow
) -> None:
    await a_subscriber(office.deps, "=1+1")
    await an_invoice(office.deps, hex_id("=1+1"), a_line())
    told = await got(office, "/api/v1/reports/outstanding", format="csv")
    plain = (await got(office, "/api/v1/reports/outstanding")).json()

    assert "\r\n'=1+1," in told.text
    assert "=1+1" in {line["subscriber"] for line in plain["data"]}
