"""What a sale that is paid at once means to the ledger: income, and taxes due on it. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.accounts import tax_due
from billing.ledger import Posting
from billing.tax import Tax

if TYPE_CHECKING:
    from billing.ids import AccountName
    from billing.tax import Taxed


def sold(taxed: Taxed, *, income: AccountName, paid_from: AccountName) -> tuple[Posting, ...]:
    """The postings of a sale, without those of nothing. None for a thing that costs nothing."""
    parts = (
        (income, taxed.net),
        (tax_due(Tax.EXCISE), taxed.excise),
        (tax_due(Tax.VAT), taxed.vat),
    )
    return tuple(
        Posting(source=account, target=paid_from, amount=amount)
        for account, amount in parts
        if amount.minor
    )
