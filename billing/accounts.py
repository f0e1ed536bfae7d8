"""The ledger's accounts, by name: the one place where those names are made. PURE.

Of a posting the source is credited and the target debited, so assets and expenses have positive
balances, liabilities and income negative ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.ids import AccountName

if TYPE_CHECKING:
    from billing.tax import Tax


def till(rail: str, place: str) -> AccountName:
    """Where money of a rail lands: a shortcode, a branch's cash box, a bank account."""
    return AccountName(f"asset:{rail}:{place}")


def wallet(subscriber_id: str) -> AccountName:
    """Money that a subscriber paid and that is not spent: the operator owes it."""
    return AccountName(f"liability:wallet:{subscriber_id}")


def suspense(rail: str) -> AccountName:
    """Money that came in by a rail and is nobody's yet: the operator owes it to somebody."""
    return AccountName(f"liability:suspense:{rail}")


def refund_due(rail: str) -> AccountName:
    """Money that is being given back by a rail, and has not left yet."""
    return AccountName(f"liability:refund:{rail}")


def receivable(subscriber_id: str) -> AccountName:
    """What a subscriber owes on issued invoices."""
    return AccountName(f"asset:receivable:{subscriber_id}")


def tax_due(tax: Tax) -> AccountName:
    """Tax that was charged, and is owed to the revenue authority."""
    return AccountName(f"liability:tax:{tax}")


def plan_income(branch_id: str, plan_id: str) -> AccountName:
    """What a plan earned at a branch, without taxes."""
    return AccountName(f"income:{branch_id}:plan:{plan_id}")


def other_income(branch_id: str, what: str) -> AccountName:
    """What a branch earned otherwise: ``late-fee``, ``item:router``, … without taxes."""
    return AccountName(f"income:{branch_id}:{what}")


def discount(branch_id: str, promotion_id: str) -> AccountName:
    """What a promotion took off invoices of a branch, without taxes: income that was not earned."""
    return AccountName(f"income:{branch_id}:discount:{promotion_id}")


def reward(branch_id: str, promotion_id: str) -> AccountName:
    """What a branch gave away into wallets for referrals and loyalty."""
    return AccountName(f"expense:{branch_id}:reward:{promotion_id}")


def bad_debt(branch_id: str) -> AccountName:
    """What subscribers of a branch owed, and will not pay."""
    return AccountName(f"expense:{branch_id}:bad-debt")


def adjustment(branch_id: str) -> AccountName:
    """What staff gave to or took from wallets, with a reason."""
    return AccountName(f"expense:{branch_id}:adjustment")


def commission(branch_id: str, seller: str) -> AccountName:
    """What a seller of vouchers keeps."""
    return AccountName(f"expense:{branch_id}:commission:{seller}")


def rail_charge(rail: str) -> AccountName:
    """What a provider keeps for carrying money."""
    return AccountName(f"expense:main:charge:{rail}")


def withheld_vat() -> AccountName:
    """VAT that customers withheld and paid to the revenue authority: a tax credit, not a debt."""
    return AccountName("asset:tax:withheld-vat")
