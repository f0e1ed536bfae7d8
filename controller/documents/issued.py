"""An issued document as a paper, from its row, its lines and what was frozen with it. PURE.

Nothing here looks at what changes after the day of issue: what is still open of an invoice stands
on a statement, never on the invoice.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing.invoice import DocumentKind, shown_number
from controller.documents.paper import (
    Look,
    Paper,
    Table,
    amount,
    day,
    moment,
    per_cent,
    phone_number,
    present,
    span,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.invoice import Line
    from controller.store.billing_rows import DocumentRow

EXEMPT, VAT, ZERO, UNTAXED, EXCISED, EXCISE_ONLY = "A", "B", "C", "D", "BX", "X"
"""Letters of tax classes: A to D as the revenue authority has them, X where excise is in it."""

MEANINGS = {
    EXEMPT: "exempt",
    VAT: "VAT",
    ZERO: "zero-rated",
    UNTAXED: "not taxed",
    EXCISED: "excise duty and VAT",
    EXCISE_ONLY: "excise duty",
}


def paper_of(document: DocumentRow, lines: Sequence[Line], *, look: Look, verify: str) -> Paper:
    """The paper of a document. ``verify`` is its address for whoever holds it."""
    frozen = json.loads(document.frozen)
    match DocumentKind(document.kind):
        case DocumentKind.RECEIPT:
            return _receipt(document, frozen, look, verify)
        case DocumentKind.INVOICE | DocumentKind.CREDIT_NOTE:
            return _charged(document, lines, frozen, look, verify)


def look_name(frozen: str) -> tuple[str, str]:
    """The colour, and the name of the logo, that a document was issued with."""
    seller = json.loads(frozen)["seller"]
    return seller["colour"], seller["logo"]


def letter(tax_class: str, *, excise_bp: int, vat_bp: int) -> str:
    """The letter that says how a line is taxed."""
    if tax_class == "exempt":
        return EXEMPT
    if tax_class == "zero":
        return ZERO
    if excise_bp:
        return EXCISED if vat_bp else EXCISE_ONLY
    return VAT if vat_bp else UNTAXED


def _charged(
    document: DocumentRow, lines: Sequence[Line], frozen: Mapping[str, Any], look: Look, verify: str
) -> Paper:
    return Paper(
        title=_title(document, frozen),
        number=shown_number(document.series, document.number),
        made_at=document.issued_at,
        seller=_seller(frozen["seller"]),
        buyer=_buyer(frozen["buyer"]),
        facts=tuple(_facts(document, frozen)),
        lines=_lines(lines, document.currency),
        classes=_classes(frozen["classes"]),
        totals=_totals(document),
        notes=_how_to_pay(document, frozen),
        verify=verify,
        look=look,
    )


def _title(document: DocumentRow, frozen: Mapping[str, Any]) -> str:
    if document.kind == DocumentKind.CREDIT_NOTE:
        return "Credit note"
    taxed = any(one["excise_bp"] or one["vat_bp"] for one in frozen["classes"])
    return "Tax invoice" if taxed else "Invoice"


def _seller(seller: Mapping[str, str]) -> tuple[str, ...]:
    branch = seller["branch"] if seller["branch"] != seller["name"] else ""
    pin = f"PIN {seller['pin']}" if seller["pin"] else ""
    return (
        seller["name"] or branch or "-",
        *present(branch if seller["name"] else "", seller["address"]),
        *present(seller["phone"], seller["email"], pin),
    )


def _buyer(buyer: Mapping[str, str]) -> tuple[str, ...]:
    phone = phone_number(buyer["phone"])
    pin = f"PIN {buyer['pin']}" if buyer["pin"] else ""
    return (buyer["name"] or phone, *present(buyer["address"], f"Account {phone}", pin))


def _facts(document: DocumentRow, frozen: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("Date", moment(document.issued_at))]
    if document.refers_to is not None:
        of = frozen["of"]
        issued_at = datetime.fromisoformat(of["issued_at"])
        facts.append(("Credit of", f"{of['number']} of {day(issued_at)}"))
    if document.period_start is not None and document.period_end is not None:
        facts.append(("Period", span(document.period_start, document.period_end)))
    if document.due_at is not None:
        facts.append(("Pay before", until(document.due_at)))
    return facts


def _lines(lines: Sequence[Line], currency: str) -> Table:
    return Table(
        ("*Description", "Tax", ">Net", ">Excise", ">VAT", f">{currency}"),
        tuple(
            (
                line.text,
                letter(line.tax_class, excise_bp=line.rates.excise_bp, vat_bp=line.rates.vat_bp),
                amount(line.taxed.net.minor),
                amount(line.taxed.excise.minor),
                amount(line.taxed.vat.minor),
                amount(line.taxed.total.minor),
            )
            for line in lines
        ),
    )


def _classes(classes: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        ("Tax", "*Meaning", ">Net", ">Excise", ">VAT", ">Total"),
        tuple(_class(one) for one in classes),
    )


def _class(one: Mapping[str, Any]) -> tuple[str, ...]:
    excise_bp, vat_bp = one["excise_bp"], one["vat_bp"]
    sign = letter(one["tax_class"], excise_bp=excise_bp, vat_bp=vat_bp)
    rates = present(
        f"excise {per_cent(excise_bp)}" if excise_bp else "",
        f"VAT {per_cent(vat_bp)}" if vat_bp else "",
    )
    sums = ("net_minor", "excise_minor", "vat_minor", "total_minor")
    return (sign, ", ".join(rates) or MEANINGS[sign], *(amount(one[name]) for name in sums))


def _totals(document: DocumentRow) -> tuple[tuple[str, str], ...]:
    what = "Credited" if document.kind == DocumentKind.CREDIT_NOTE else "Total"
    return (
        ("Net", amount(document.net_minor)),
        ("Excise duty", amount(document.excise_minor)),
        ("VAT", amount(document.vat_minor)),
        (f"{what} {document.currency}", amount(document.total_minor)),
    )


def _how_to_pay(document: DocumentRow, frozen: Mapping[str, Any]) -> tuple[str, ...]:
    if document.kind == DocumentKind.CREDIT_NOTE:
        return ()
    pay_to = frozen["seller"]["pay_to"]
    account = f"Account number: {phone_number(frozen['buyer']['phone'])}"
    return present(f"How to pay: {pay_to}" if pay_to else "", account)


def _receipt(document: DocumentRow, frozen: Mapping[str, Any], look: Look, verify: str) -> Paper:
    came = frozen["received"]
    left = document.total_minor - sum(paid["amount_minor"] for paid in frozen["paid"])
    rows = [(f"Invoice {paid['number']}", amount(paid["amount_minor"])) for paid in frozen["paid"]]
    if left:
        rows.append(("Kept for later invoices", amount(left)))
    return Paper(
        title="Receipt",
        number=shown_number(document.series, document.number),
        made_at=document.issued_at,
        seller=_seller(frozen["seller"]),
        buyer=_buyer(frozen["buyer"]),
        facts=(
            ("Date", moment(document.issued_at)),
            ("Received", moment(datetime.fromisoformat(frozen["received_at"]))),
            ("By", rail_name(came["rail"])),
            *((("Reference", came["receipt"]),) if came["receipt"] != came["id"] else ()),
            *((("Note", came["note"]),) if came["note"] else ()),
        ),
        lines=Table(("*Paid", f">{document.currency}"), tuple(rows)),
        totals=(
            ("In your wallet now", amount(frozen["wallet_minor"])),
            (f"Received {document.currency}", amount(document.total_minor)),
        ),
        verify=verify,
        look=look,
    )


def rail_name(rail: str) -> str:
    """A rail as people call it."""
    known = {"mpesa": "M-PESA", "cash": "cash", "bank": "bank", "withheld-vat": "withheld VAT"}
    return known.get(rail, rail)
