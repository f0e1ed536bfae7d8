"""Postings and transactions: double entry in integer minor units. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import UnbalancedTransaction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from billing.ids import AccountName, TransactionId
    from billing.money import Money


@dataclass(frozen=True, slots=True)
class Posting:
    """A positive amount that moves from one account to another of the same currency.

    Invariant: one source, one target, so that a posting cannot be unbalanced and all balances of a
    currency sum to zero.
    """

    source: AccountName
    target: AccountName
    amount: Money

    def __post_init__(self) -> None:
        if self.amount.minor <= 0:
            raise UnbalancedTransaction(f"amount of {self.source} → {self.target} is not positive")
        if self.source == self.target:
            raise UnbalancedTransaction(f"{self.source} cannot pay itself")


@dataclass(frozen=True, slots=True)
class Transaction:
    """An atomic list of postings. Its id is made from its cause, so it is posted once only."""

    id: TransactionId
    at: datetime
    cause: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if not self.postings:
            raise UnbalancedTransaction(f"transaction {self.id} has no postings")


def balances(postings: Iterable[Posting]) -> dict[tuple[AccountName, str], int]:
    """What each account holds, by (account, currency), in minor units; always sums to zero."""
    sums: dict[tuple[AccountName, str], int] = {}
    for p in postings:
        source, target = (p.source, p.amount.currency), (p.target, p.amount.currency)
        sums[source] = sums.get(source, 0) - p.amount.minor
        sums[target] = sums.get(target, 0) + p.amount.minor
    return sums
