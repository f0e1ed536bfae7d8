"""Documents, statements, reports and vouchers on paper, from the command line."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from billing.errors import InvalidField
from controller.cli.voucher_sales import basis_points
from tests.support.charges import ANNE, a_subscriber, an_invoice, paid_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.controller.cli.lango import Ran
    from tests.support.office import Office

    Command = Callable[..., Awaitable[Ran]]


async def billed(office: Office) -> None:
    await a_subscriber(office.deps)
    await an_invoice(office.deps)
    await paid_in(office.deps, 600)


async def test_an_invoice_is_written_to_a_new_file(
    run: Command, office: Office, tmp_path: Path
) -> None:
    await billed(office)
    file = tmp_path / "one.pdf"
    first = await run("invoice", "pdf", "INV-main-000001", "--out", str(file))
    again = await run("invoice", "pdf", "INV-main-000001", "--out", str(file))
    missing = await run("invoice", "pdf", "INV-main-000009", "--out", str(tmp_path / "two.pdf"))

    assert first.code == 0, first.err
    assert file.read_bytes().startswith(b"%PDF-")
    assert (again.code, missing.code) == (5, 3)


async def test_a_statement_is_a_table_json_or_a_file(
    run: Command, office: Office, tmp_path: Path
) -> None:
    await billed(office)
    words = ("statement", ANNE, "--from", "2026-11-01", "--until", "2026-12-01")
    table = await run(*words)
    told = await run(*words, "--json")
    files = [tmp_path / f"s.{end}" for end in ("pdf", "csv", "xlsx", "html")]
    codes = [(await run(*words, "--out", str(file))).code for file in files]
    odd = await run(*words, "--out", str(tmp_path / "s.doc"))

    assert table.code == 0, table.err
    assert "900.00" in table.out.splitlines()[-1]
    assert max(len(line) for line in table.out.splitlines()) <= 80
    assert told.json["totals"]["balance"] == "900.00"
    assert codes == [0, 0, 0, 0]
    assert odd.code == 2


@pytest.mark.parametrize("name", ["revenue", "outstanding", "ageing", "tax", "sellers"])
async def test_a_report_fits_a_terminal_and_names_its_basis(
    run: Command, office: Office, name: str, tmp_path: Path
) -> None:
    await billed(office)
    words = ("report", name, "--from", "2026-11-01", "--until", "2026-12-01")
    table = await run(*words)
    told = await run(*words, "--json")
    file = tmp_path / "report.xlsx"
    written = await run(*words, "--out", str(file))

    assert table.code == 0, table.err
    assert "accrual basis" in table.err
    assert max(len(line) for line in table.out.splitlines()) <= 80
    assert told.json["schema"] == f"lango.report-{name}/v1"
    assert written.code == 0, written.err
    assert file.read_bytes().startswith(b"PK")


async def test_revenue_is_told_apart_as_asked(run: Command, office: Office) -> None:
    await billed(office)
    words = ("report", "revenue", "--basis", "cash", "--by", "branch", "--by", "plan", "--json")
    told = await run(*words)

    assert {(line["branch"], line["plan"]) for line in told.json["data"]} == {
        ("main", "home-10"),
        ("main", "hours-2"),
    }


async def test_a_batch_goes_on_paper_when_it_is_made(run: Command, tmp_path: Path) -> None:
    slips, codes = tmp_path / "slips.pdf", tmp_path / "codes.csv"
    words = ("voucher", "create", "--plan", "hours-2", "--count", "3")
    made = await run(*words, "--sheet", str(slips), "--csv", str(codes))
    again = await run(*words, "--sheet", str(slips))
    with codes.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))

    assert made.code == 0, made.err
    assert [row["code"].replace("-", "") for row in rows] == made.out.split()
    assert {(row["plan"], row["price"], row["currency"]) for row in rows} == {
        ("2 hours", "10.00", "KES")
    }
    assert slips.read_bytes().startswith(b"%PDF-")
    assert (again.code, again.out) == (5, ""), "no codes are made that would have no slips"


async def test_a_seller_takes_what_there_is(run: Command) -> None:
    made = await run("voucher", "create", "--plan", "hours-2", "--count", "3", "--json")
    batch = made.json["batch"]
    words = ("voucher", "sell", batch, "--count", "2", "--to", "Mama Njeri")
    sold = await run(*words, "--commission", "10%", "--json")
    plain = await run("voucher", "sell", batch, "--count", "1", "--to", "Kioski")
    more = await run(*words)
    report = await run("report", "sellers", "--json")

    assert sold.json["commission"] == {"amount": "2.00", "currency": "KES"}
    assert plain.code == 0, plain.err
    assert more.code == 5
    assert {line["seller"]: line["sold"] for line in report.json["data"]} == {
        "Mama Njeri": 2,
        "Kioski": 1,
    }


@pytest.mark.parametrize(
    ("text", "basis_points_"), [("10%", 1_000), ("7.5", 750), ("0", 0), ("100 %", 10_000)]
)
def test_a_part_of_a_hundred_is_read(text: str, basis_points_: int) -> None:
    assert basis_points(text) == basis_points_


@pytest.mark.parametrize("text", ["", "ten", "-5%", "1.234", "1e3", "1000%"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(InvalidField):
        basis_points(text)
