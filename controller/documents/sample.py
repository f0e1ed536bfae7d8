"""An invoice of nobody, for whoever chooses how invoices look. PURE."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.accounts import plan_income
from billing.invoice import DocumentKind, Line, LineKind
from billing.money import Money
from billing.tax import TaxClass, taxed
from controller.documents.issued import paper_of
from controller.store.billing_rows import DocumentRow
from controller.usecases.frozen import Buyer, frozen

if TYPE_CHECKING:
    from datetime import datetime

    from billing.tax import Rates
    from controller.documents.paper import Look, Paper
    from controller.usecases.frozen import Seller

MONTH, FORTNIGHT = timedelta(days=30), timedelta(days=14)
BUYER = Buyer(name="Wanjiku Kamau", pin="", address="Nairobi", phone="254712345678")
PRICE = Money(2_999_00)


def sample_invoice(seller: Seller, rates: Rates, *, look: Look, at: datetime) -> Paper:
    """What an invoice for a month of internet would be, with the taxes that are charged."""
    parts = taxed(PRICE, rates, included=True)
    line = Line(
        kind=LineKind.PLAN,
        text="Home 20",
        account=plan_income("main", "home20"),
        taxed=parts,
        tax_class=TaxClass.INTERNET,
        rates=rates,
    )
    document = DocumentRow(
        kind=DocumentKind.INVOICE,
        series="INV-main",
        number=1,
        issued_at=at,
        due_at=at + FORTNIGHT,
        period_start=at,
        period_end=at + MONTH,
        currency=PRICE.currency,
        net_minor=parts.net.minor,
        excise_minor=parts.excise.minor,
        vat_minor=parts.vat.minor,
        total_minor=parts.total.minor,
        frozen=frozen(seller, BUYER, [line]),
    )
    return paper_of(document, [line], look=look, verify="")
