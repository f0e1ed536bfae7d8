"""How states are called, and what they mean: of sites, payments, and access that is not there.

PURE. A state is shown by word, shape and colour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.grant import Spent
from billing.msisdn import masked
from billing.payment import PaymentState
from controller.noc import text
from controller.noc.words import word

if TYPE_CHECKING:
    from datetime import datetime

    from controller.noc.incoming import WaitingView
    from controller.store.rows import GrantRow
    from controller.store.site_rows import SiteRow

ONLINE_WITHIN_S = 60
"""A site that was silent for longer is shown as offline."""

_PHONE_IN_IT = re.compile(r"[0-9]{9,}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mood:
    """A state by word and shape: ``tone`` (good, busy, bad, quiet) picks both colour and shape."""

    word: str
    tone: str


class Why(StrEnum):
    """Why somebody who paid is not connected."""

    SITE_OFFLINE = "site_offline"  # nothing is heard of the site
    NOT_APPLIED = "not_applied"  # the site is heard, and has not confirmed the access
    DEVICE_UNSEEN = "device_unseen"  # the site has applied it; the device was not let in since


WHY_MOODS = {
    Why.SITE_OFFLINE: Mood(word("site offline"), "bad"),
    Why.NOT_APPLIED: Mood(word("not applied"), "busy"),
    Why.DEVICE_UNSEEN: Mood(word("device not seen"), "quiet"),
}
ARRIVAL_MOODS = {
    "doubted": Mood(word("unconfirmed"), "busy"),
    "suspense": Mood(word("unmatched"), "bad"),
    "credited": Mood(word("credited"), "good"),
    "returned": Mood(word("gone back"), "quiet"),
}
PAYMENT_MOODS = {
    PaymentState.CREATED: Mood(word("starting"), "busy"),
    PaymentState.SENT: Mood(word("asking"), "busy"),
    PaymentState.PENDING: Mood(word("asking"), "busy"),
    PaymentState.UNKNOWN: Mood(word("checking"), "busy"),
    PaymentState.REFUSED: Mood(word("refused"), "bad"),
    PaymentState.EXPIRED: Mood(word("not sent"), "quiet"),
    PaymentState.SETTLED: Mood(word("paid"), "good"),
}


def is_online(site: SiteRow, now: datetime) -> bool:
    """Whether the site was heard of lately."""
    seen = site.last_seen_at
    return seen is not None and now - seen <= timedelta(seconds=ONLINE_WITHIN_S)


def why_waiting(view: WaitingView, now: datetime) -> Why:
    """Why somebody who paid is not connected, as far as is known here."""
    if view.applied:
        return Why.DEVICE_UNSEEN
    return Why.NOT_APPLIED if is_online(view.site, now) else Why.SITE_OFFLINE


def waiting_sentence(view: WaitingView, now: datetime) -> str:
    """The same in words for whoever has the customer on the phone."""
    if view.applied:
        return "the site lets it in; the device has not been seen since"
    if view.site.last_seen_at is None:
        return "waiting for site, never seen"
    return f"waiting for site, last seen {text.minute(view.site.last_seen_at, now)}"


def unread(told: str) -> str:
    """What a payer typed, without the phone numbers in it."""
    return _PHONE_IN_IT.sub(lambda digits: masked(digits[0]), told)


def is_in_step(site: SiteRow) -> bool:
    """Whether the site has applied exactly what it is wanted to."""
    return site.applied_generation == site.generation and bytes(site.applied_digest) == bytes(
        site.digest
    )


def spent_of(grant: GrantRow) -> Spent:
    """What sites have reported as used of this grant."""
    return Spent(
        validity_s=grant.spent_validity_s,
        uptime_s=grant.spent_uptime_s,
        used_bytes=grant.used_bytes,
    )
