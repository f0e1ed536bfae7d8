"""No cell of a file that people open in a spreadsheet is a formula, whatever somebody is called.

What others call things stands in the database as no form would let it in: that a door refuses it
today is no reason for a file to trust it.
"""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING

from openpyxl import load_workbook

from controller.api.app import described_app
from controller.api.papers import XLSX
from controller.api.rights import PREFIX
from controller.reports.table import FORMULAS_BEGIN
from tests.attacks import doors
from tests.attacks.asking import application, asked, asking, bearer, ids_for
from tests.attacks.doors import Deed, filled
from tests.attacks.tables import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from tests.attacks.business import Business

EVIL = "cmd|'/C calc'!A0"
OUTSIDE = {
    "arrival": ("receipt", "reference", "payer", "payer_name", "note"),
    "branch": ("name", "address"),
    "payment": ("receipt", "code"),
    "plan": ("name",),
    "received": ("receipt", "note"),
    "session": ("addresses",),
    "site": ("name", "operator_name"),
    "subscriber": ("name", "email", "address"),
    "voucher_sale": ("seller",),
}
"""Columns that hold what payers, devices, sites and staff call things, by table."""

MADE, SOLD = (
    next(deed for deed in doors.ACTS if deed.path == f"/noc/vouchers/{what}")
    for what in ("make", "sell")
)
KEY = "ab" * 16


def files() -> Iterator[tuple[str, dict[str, str]]]:
    """Every path that answers with a file for spreadsheets, and how it is asked for it."""
    for path, methods in described_app().openapi()["paths"].items():
        kinds = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if not {"text/csv", XLSX} & set(kinds):
            continue
        for name in report_names() if path.endswith("/reports/{name}") else ["{name}"]:
            for kind in ("csv", "xlsx"):
                query = {"format": kind, "from": "2026-11-01", "until": "2026-11-30"}
                yield path.replace("{name}", name), query
    for method, path in sorted(doors.routes()):
        if method == "GET" and path.startswith("/noc") and path.endswith(".csv"):
            yield path, {}
        elif method == "GET" and path.startswith("/noc") and path.endswith("/file"):
            for name in report_names():
                yield path, {"name": name, "format": "csv"}
                yield path, {"name": name, "format": "xlsx"}


def report_names() -> list[str]:
    """The reports there are, as the API describes them."""
    described = described_app().openapi()
    asked_for = described["paths"][f"{PREFIX}/reports/{{name}}"]["get"]["parameters"]
    (name,) = [one["schema"] for one in asked_for if one["name"] == "name"]
    shape = described["components"]["schemas"].get(name.get("$ref", "").rpartition("/")[2], name)
    return [str(one) for one in shape["enum"]]


async def stocked(client: httpx2.AsyncClient, business: Business) -> None:
    """Money that came by no form, vouchers that were made here, and some that were sold."""
    ids = {**business.ids}
    for deed in (doors.NEW_RECEIVED, *SOLD.first, SOLD):
        answer = await asked(client, deed, ids, headers=bearer(business, deed))
        assert answer.status_code < 400, answer.text
        if deed.keep == "batch":
            ids["batch"] = answer.json()["batch"]
    told = {**(MADE.content or {}), "once": KEY}
    assert (await asked(client, MADE, ids, told)).status_code == 303


def called(watcher: Watcher) -> None:
    """Everything is called a formula, each row by a name of its own: the beginnings take turns."""
    places = ((table, column) for table, columns in OUTSIDE.items() for column in columns)
    for (table, column), begins in zip(places, itertools.cycle(FORMULAS_BEGIN)):
        name = f"{begins}{EVIL}".replace("'", "''")
        watcher.run(f"UPDATE {table} SET {column} = '{name}' || rowid")  # noqa: S608 - ours


async def test_no_cell_of_a_file_is_a_formula(business: Business) -> None:
    app, watcher = application(business), Watcher(business)
    guilty, seen, begun = [], set(), set()
    async with asking(app, cookies=business.owner_cookies) as client:
        await stocked(client, business)
        called(watcher)
        for path, query in files():
            real = filled(path, ids_for(path, {**business.ids, "key": KEY}))
            headers = bearer(business, Deed("GET", path))
            answer = await client.get(real, params=query, headers=headers)
            assert answer.is_success, (path, query, answer.text)
            for cell in cells_of(answer):
                if EVIL in cell:
                    seen.add(path)
                    begun.add(cell.removeprefix("'")[0])
                if cell.startswith(FORMULAS_BEGIN) and not is_number(cell):
                    guilty.append((path, query, cell))
    await app.state.hub.close()
    watcher.close()

    assert guilty == []
    assert seen == {
        "/noc/customers.csv",
        "/noc/payments.csv",
        "/noc/sessions.csv",
        "/noc/vouchers.csv",
        "/noc/reports/file",
        f"{PREFIX}/reports/outstanding",
        f"{PREFIX}/reports/sellers",
        f"{PREFIX}/statements/{{subscriber}}",
    }, "each of these names what is called a formula"
    assert begun >= set("=+-@\t\r"), "each beginning is somebody's name"


def cells_of(answer: httpx2.Response) -> list[str]:
    """Every cell as text."""
    if answer.headers["content-type"].startswith("text/csv"):
        rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
        return [cell for row in rows for cell in row]
    sheets = load_workbook(io.BytesIO(answer.content)).worksheets
    return [
        str(cell.value)
        for sheet in sheets
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type in {"s", "f"}
    ]


def is_number(cell: str) -> bool:
    """Whether a cell that begins with a sign is an amount."""
    return cell.replace(",", "").lstrip("-").replace(".", "", 1).isdigit()
