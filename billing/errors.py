"""The refusals of the money rules. PURE.

Drawn as a tree; business refusals are sentences:

* BillingRefusal
  - InvalidField            a value that cannot be, with the field's name
  - CurrencyMismatch        two currencies met in one sum
  - UnbalancedTransaction   a transaction whose postings break the posting rule
  - SubscriptionEnded       it ended for good
  - SubscriptionNotStarted  its first day has not come
  - SubscriptionPaused      it is paused, and asked for what a paused one cannot do
  - SubscriptionSuspended   it is suspended, and asked for what a suspended one cannot do
"""

from __future__ import annotations


class BillingRefusal(Exception):  # noqa: N818 - refusals are sentences, see style
    """Something that the money rules refuse; nothing was changed."""


class InvalidField(BillingRefusal):
    """A value that cannot be. ``field`` names it; ``problem`` says what would be right."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class CurrencyMismatch(BillingRefusal):
    """Two currencies met in one sum."""


class UnbalancedTransaction(BillingRefusal):
    """A transaction whose postings break the posting rule."""


class SubscriptionEnded(BillingRefusal):
    """A subscription ended for good."""


class SubscriptionNotStarted(BillingRefusal):
    """A subscription's first day has not come."""


class SubscriptionPaused(BillingRefusal):
    """A subscription is paused, and asked for what a paused one cannot do."""


class SubscriptionSuspended(BillingRefusal):
    """A subscription is suspended, and asked for what a suspended one cannot do."""
