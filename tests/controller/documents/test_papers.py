"""A document looks the same for ever, says all that was agreed, and is shown to its holder only."""

from __future__ import annotations

import re
import sys
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from billing.invoice import part_of
from billing.money import Money
from billing.tax import taxed
from controller.documents.issued import letter
from controller.documents.look import small_logo
from controller.documents.page import page_of
from controller.documents.paper import Look, per_cent
from controller.documents.pdf import DEJAVU, HELVETICA, drawn, face_for
from controller.store.billing_rows import BranchRow, OperatorRow
from controller.store.rows import SubscriberRow
from controller.usecases.operators import set_logo
from controller.usecases.papers import DocumentUnknown, address_of, code_of, paper, paper_of_holder
from tests.support.charges import ANNE, KENYAN, a_credit, a_line, an_invoice, an_item, paid_in
from tests.support.day_of_business import lowered

if TYPE_CHECKING:
    from controller.documents.paper import Paper
    from tests.support.office import Office

PDF_CALLS_MAX = 60_000
"""Of Python functions; some 25 ms of CPU, which cannot be told exactly beside other work."""


async def everything_changes(office: Office) -> None:
    """Another name, address, colour and no logo of whoever sells, and another buyer."""
    await set_logo(office.deps, None)
    async with office.deps.db.begin() as tx:
        await tx.execute(
            update(OperatorRow).values(
                name="Other", kra_pin="P0", colour="#ff0000", pay_to="nobody"
            )
        )
        await tx.execute(update(BranchRow).values(address="elsewhere", phone="0", name="Moved"))
        await tx.execute(update(SubscriberRow).values(name="Somebody", kra_pin="", address=""))


async def test_an_invoice_says_who_sells_what_to_whom(office: Office) -> None:
    row = await an_invoice(office.deps, ANNE, a_line(), an_item(), lowered(150_00))
    found = await paper(office.deps, "INV-main-000001")

    assert (found.title, found.number) == ("Tax invoice", "INV-main-000001")
    assert found.seller == ("Lango Networks Ltd", "Main", "PIN P051234567X")
    assert found.buyer[0] == "Anne"
    assert found.buyer[-1] == "PIN A001234567B"
    assert [(line[0], line[1], line[-1]) for line in found.lines.rows] == [
        ("Home 10 Mbit/s, November", "BX", "1,500.00"),
        ("Router", "B", "3,500.00"),
        ("New here", "BX", "-150.00"),
    ]
    assert found.classes is not None
    assert [line[:2] for line in found.classes.rows] == [
        ("BX", "excise 15 %, VAT 16 %"),
        ("B", "VAT 16 %"),
    ]
    assert found.totals[-1] == ("Total KES", "4,850.00")
    assert ("How to pay: M-PESA PayBill 600111") in found.notes
    assert found == await paper(office.deps, row.id)


async def test_nothing_that_changes_later_changes_a_document(office: Office) -> None:
    row = await an_invoice(office.deps)
    before = await paper(office.deps, row.id)
    await paid_in(office.deps, 700)
    await everything_changes(office)
    office.clock.forward(days=400)
    after = await paper(office.deps, row.id)

    assert after == before
    assert after.look.logo is not None
    assert drawn(after) == drawn(before)
    assert page_of(after) == page_of(before)


async def test_a_credit_note_names_its_invoice_and_a_receipt_what_it_paid(office: Office) -> None:
    invoice = await an_invoice(office.deps)
    await paid_in(office.deps, 2_000)
    part = part_of(a_line(), taxed(Money(100_00), KENYAN, included=True), "Two days")
    await a_credit(office.deps, invoice, part)
    note = await paper(office.deps, "CRN-main-000001")
    receipt = await paper(office.deps, "RCT-main-000001")

    assert note.title == "Credit note"
    assert ("Credit of", "INV-main-000001 of 23 Nov 2026") in note.facts
    assert note.totals[-1] == ("Credited KES", "100.00")
    assert receipt.title == "Receipt"
    assert receipt.lines.rows == (
        ("Invoice INV-main-000001", "1,500.00"),
        ("Kept for later invoices", "500.00"),
    )
    assert ("By", "M-PESA") in receipt.facts
    assert receipt.totals[0] == ("In your wallet now", "500.00")
    for each in (note, receipt):
        assert drawn(each).startswith(b"%PDF-")
        assert each.number in page_of(each).html


async def test_whoever_has_the_code_sees_the_document_and_nobody_else(office: Office) -> None:
    first, second = [
        await an_invoice(office.deps, cause=f"period:{n}", due_at=None) for n in (1, 2)
    ]
    code = code_of(office.deps, first.id)

    assert (await paper_of_holder(office.deps, first.id, code)).number == "INV-main-000001"
    for document_id, wrong in (
        (first.id, ""),
        (first.id, code[:-1]),
        (first.id, code_of(office.deps, second.id)),
        ("f" * 32, code_of(office.deps, "f" * 32)),
    ):
        with pytest.raises(DocumentUnknown):
            await paper_of_holder(office.deps, document_id, wrong)


async def test_the_address_stands_on_the_paper(office: Office) -> None:
    row = await an_invoice(office.deps)
    found = await paper(office.deps, row.id)

    assert found.verify == address_of(office.deps, row.id)
    assert found.verify.encode() in drawn(found)


async def test_a_page_runs_nothing_and_loads_nothing(office: Office) -> None:
    await an_invoice(office.deps, ANNE, replace(a_line(), text="<script>alert(1)</script>"))
    page = page_of(await paper(office.deps, "INV-main-000001"))

    assert "<script" not in page.html
    assert "&lt;script&gt;" in page.html
    assert set(re.findall(r'src="([a-z:/]+)', page.html)) == {"data:image/jpeg"}
    assert " style=" not in page.html
    assert "default-src 'none'" in page.policy
    assert "unsafe" not in page.policy


@pytest.mark.parametrize("look", [Look("red;}*{display:none"), Look("#12345"), Look("")])
async def test_a_colour_that_is_none_gets_nowhere(office: Office, look: Look) -> None:
    await an_invoice(office.deps)
    odd = replace(await paper(office.deps, "INV-main-000001"), look=look)

    assert "--brand:#0b6e4f" in page_of(odd).html
    assert drawn(odd).startswith(b"%PDF-")


def test_names_are_set_in_a_face_that_can_write_them() -> None:
    assert face_for(["Grace Akinyi", "Café"]) == HELVETICA
    assert face_for(["Wanjikũ Mũthoni"]) == DEJAVU


async def test_kikuyu_names_are_on_the_paper(office: Office) -> None:
    async with office.deps.db.begin() as tx:
        await tx.execute(update(SubscriberRow).values(name="Wanjikũ Kĩmani"))
    await an_invoice(office.deps)
    pdf = drawn(await paper(office.deps, "INV-main-000001"))
    unicode = b"".join(_unpacked(pdf))

    assert b"DejaVuSans" in pdf
    for letter_ in "ũĩ":
        assert f"<{ord(letter_):04X}>".encode() in unicode


@pytest.mark.parametrize("name", ["Grace Akinyi Otieno", "Wanjikũ Mũthoni"])
async def test_what_papers_share_is_not_made_again_for_each(office: Office, name: str) -> None:
    async with office.deps.db.begin() as tx:
        await tx.execute(update(SubscriberRow).values(name=name))
    await an_invoice(office.deps, ANNE, a_line(), an_item(), lowered(100_00))
    found = await paper(office.deps, "INV-main-000001")
    drawn(found)  # what is made once: the logo, the tables of the face
    logos = small_logo.cache_info().misses

    assert _calls(found) <= PDF_CALLS_MAX
    assert small_logo.cache_info().misses == logos


async def test_many_lines_go_on_on_more_pages(office: Office) -> None:
    long = replace(a_line(10), text="A very long description of a thing " * 5)
    await an_invoice(office.deps, ANNE, *[long] * 80)
    pdf = drawn(await paper(office.deps, "INV-main-000001"))

    assert pdf.count(b"/Type /Page\n") > 3


@pytest.mark.parametrize(
    ("tax_class", "excise_bp", "vat_bp", "sign"),
    [
        ("internet", 1_500, 1_600, "BX"),
        ("internet", 1_500, 0, "X"),
        ("internet", 0, 1_600, "B"),
        ("standard", 0, 1_600, "B"),
        ("standard", 0, 0, "D"),
        ("zero", 0, 0, "C"),
        ("exempt", 0, 0, "A"),
    ],
)
def test_a_letter_says_how_a_line_is_taxed(
    tax_class: str, excise_bp: int, vat_bp: int, sign: str
) -> None:
    assert letter(tax_class, excise_bp=excise_bp, vat_bp=vat_bp) == sign


@pytest.mark.parametrize(
    ("basis_points", "shown"),
    [(1_600, "16 %"), (150, "1.5 %"), (0, "0 %"), (1_000, "10 %"), (5, "0.05 %")],
)
def test_rates_are_shown_without_needless_zeros(basis_points: int, shown: str) -> None:
    assert per_cent(basis_points) == shown


def _calls(found: Paper) -> int:
    """How many Python functions are called to draw a paper."""
    seen = list[str]()
    sys.setprofile(lambda _frame, event, _of: seen.append(event))
    try:
        drawn(found)
    finally:
        sys.setprofile(None)
    return seen.count("call")


def _unpacked(pdf: bytes) -> list[bytes]:
    """The streams of a PDF, those that are packed unpacked."""
    found = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            found.append(stream)
    return found
