"""Typed identifiers: text, made by the initiator of a thing before it is sent. PURE."""

from hashlib import sha256
from typing import NewType

SiteId = NewType("SiteId", str)
"""A site's short name, chosen by staff: ``[a-z0-9-]``, 1 to 32 characters."""

PlanId = NewType("PlanId", str)
"""A plan's short name, chosen by staff: ``[a-z0-9-]``, 1 to 32 characters."""

OrderId = NewType("OrderId", str)
"""A purchase, named by the site that took it before anything was sent: 32 hexadecimal digits.

The order id is also the id of the payment that collects for it.
"""

RedemptionId = NewType("RedemptionId", str)
"""One attempt to redeem a voucher, named by the site: 32 hexadecimal digits."""

GrantId = NewType("GrantId", str)
"""A grant: 32 hexadecimal digits. That of a redemption is `grant_of` it, at both ends."""

SessionId = NewType("SessionId", str)
"""One device's use of one grant at one site, named by the site: 32 hexadecimal digits."""

SubscriberId = NewType("SubscriberId", str)
"""Who pays and is granted: 32 hexadecimal digits."""

TransactionId = NewType("TransactionId", str)
"""A ledger transaction, named after its cause (for example ``payment:<order id>:settled``)."""

AccountName = NewType("AccountName", str)
"""A ledger account: colon-separated words, for example ``asset:mpesa:600111``."""


def grant_of(redemption_id: RedemptionId) -> GrantId:
    """The grant that a redemption gives, whether the site or the controller carries it out."""
    return GrantId(sha256(b"grant\0" + redemption_id.encode()).hexdigest()[:32])
