"""Files that come in name no path, and files that go out hold no formula."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook

from controller.api.app import described_app
from controller.api.rights import PREFIX
from controller.backup.archive import unpack
from controller.backup.manifest import Member, NotABackup
from tests.attacks.asking import application, asked, asking, bearer
from tests.attacks.doors import NEW_STATEMENT, Deed, kes
from tests.attacks.hostile import FORMULA
from tests.controller.backup.test_archive import KEY, a_manifest, forged, into

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.business import Business

NAMES = (
    "../evil",
    "/etc/evil",
    "a\0b",
    "..\\evil",
    "database\0../evil",
    "./database",
    "\u202eevil",
)
KINDS = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_backup_leads_nowhere(tmp_path: Path, name: str) -> None:
    true = hashlib.sha256(b"evil").hexdigest()
    raw = a_manifest(Member("database", 4, true), Member(name, 4, true)).written()
    held = [(tarfile.TarInfo("database"), b"evil"), (tarfile.TarInfo(name), b"evil")]
    for told, _ in held:
        told.size = 4

    with pytest.raises(NotABackup, match="names files that no backup has"):
        unpack(forged(tmp_path, raw, held), KEY, into(tmp_path))
    assert {one.name for one in tmp_path.rglob("*")} == {"forged.lango", "into"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_in_a_backup_is_never_made(tmp_path: Path, kind: bytes) -> None:
    raw = a_manifest(Member("database", 0, hashlib.sha256(b"").hexdigest())).written()
    told = tarfile.TarInfo("database")
    told.type, told.linkname = kind, "/etc/passwd"

    with pytest.raises(NotABackup):
        unpack(forged(tmp_path, raw, [(told, b"")]), KEY, into(tmp_path))
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.csv", "../../evil.csv", "x" * 200])
async def test_the_name_of_a_statement_is_only_a_word(business: Business, name: str) -> None:
    app, around = application(business), business.office.deps.settings.state_dir.parents[1]
    before = sorted(around.rglob("*evil*"))
    told = {**(NEW_STATEMENT.content or {}), "name": name, "profile": "kcb-desk"}
    async with asking(app) as client:
        for deed in NEW_STATEMENT.first:
            await asked(client, deed, business.ids, headers=bearer(business, deed))
        answer = await asked(
            client, NEW_STATEMENT, business.ids, told, headers=bearer(business, NEW_STATEMENT)
        )
    await app.state.hub.close()

    assert answer.status_code in {201, 422}
    assert sorted(around.rglob("*evil*")) == before


async def test_no_cell_of_a_report_is_a_formula(business: Business) -> None:
    app, guilty, cells = application(business), [], 0
    renamed = Deed("POST", f"{PREFIX}/subscribers/{{subscriber}}", {"name": FORMULA[:80]})
    paid = {"subscriber": "{phone}", "amount": kes("5.00"), "note": FORMULA}
    plan = Deed("POST", f"{PREFIX}/received", paid)
    async with asking(app) as client:
        for deed in (renamed, plan):
            answer = await asked(client, deed, business.ids, headers=bearer(business, deed))
            assert answer.is_success, answer.text
        for name in report_names():
            for kind in ("csv", "xlsx"):
                query = {"format": kind, "from": "2026-11-01", "until": "2026-11-30"}
                answer = await client.get(
                    f"{PREFIX}/reports/{name}", params=query, headers=bearer(business, plan)
                )
                assert answer.is_success, (name, answer.text)
                for cell in cells_of(answer.content, kind):
                    cells += cell.endswith(FORMULA)
                    if cell.startswith(BEGINNINGS) and not is_number(cell):
                        guilty.append((name, kind, cell))
    await app.state.hub.close()

    assert guilty == []
    assert cells > 0, "a report names whoever is called a formula"


def report_names() -> list[str]:
    """The reports there are, as the API describes them."""
    described = described_app().openapi()
    asked_for = described["paths"][f"{PREFIX}/reports/{{name}}"]["get"]["parameters"]
    (name,) = [one["schema"] for one in asked_for if one["name"] == "name"]
    shape = described["components"]["schemas"].get(name.get("$ref", "").rpartition("/")[2], name)
    return [str(one) for one in shape["enum"]]


def cells_of(content: bytes, kind: str) -> list[str]:
    """Every cell as text."""
    if kind == "csv":
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
        return [cell for row in rows for cell in row]
    sheets = load_workbook(io.BytesIO(content)).worksheets
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
