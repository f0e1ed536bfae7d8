"""Money as one road shows it: a provider says that it came, whoever asked for it. PURE.

The same money may be seen on several roads: told after a push, confirmed for a PayBill, pulled,
looked up, or read in a statement. Its rail and receipt say that it is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from billing.money import Money


class Road(StrEnum):
    """How we came to know of money."""

    CALLBACK = "callback"  # told at the address of one payment
    QUERY = "query"  # the answer when we asked what became of a push
    CONFIRMATION = "confirmation"  # told because it came to our PayBill or Till (M-PESA C2B)
    PULL = "pull"  # listed when we asked for what we may have missed
    STATUS = "status"  # looked up by its receipt
    STATEMENT = "statement"  # a line of the provider's, or the bank's, statement
    NOTICE = "notice"  # a bank's instant notice
    STAFF = "staff"  # somebody of ours has seen it


@dataclass(frozen=True, slots=True)
class Seen:
    """Money that a provider says is ours. Its ``repr`` shows neither who paid nor for whom.

    ``place`` is where it landed: a shortcode, a till, a bank account. ``reference`` is what the
    payer typed as account, or what our push said; "" where a rail has none. ``payer`` is the
    payer's number as told: whole, masked or hashed, never to be relied upon. ``at`` is when it was
    paid, None where that is not told. A ``provider_id`` names the push that it answers.
    """

    rail: str
    receipt: str
    amount: Money
    place: str
    road: Road
    at: datetime | None
    reference: str = field(default="", repr=False)
    payer: str = field(default="", repr=False)
    payer_name: str = field(default="", repr=False)
    provider_id: str | None = None
    note: str = field(default="", repr=False)
