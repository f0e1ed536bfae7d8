"""Promotions are made, withdrawn and taken up; what they lower and give happens where it is due."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, assert_never

from billing.errors import InvalidField
from billing.promo import (
    Coupon,
    Discount,
    Loyalty,
    Referral,
    check_terms,
    normal_code,
    read_terms,
    terms_text,
)
from controller.store import promotions
from controller.store.billing_rows import PromotionRow, PromotionUseRow
from controller.usecases import payers

if TYPE_CHECKING:
    from datetime import datetime

    from billing.promo import Terms
    from controller.deps import Deps
    from controller.store.database import Tx

NAME_MAX = 80
TAKEN = "taken-up"
"""The cause of a use that lowers invoices: once for each subscriber and promotion."""

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


class PromotionUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such promotion, or no coupon with this code."""

    field = "promotion"


class PromotionDiffers(Exception):  # noqa: N818 - a refusal, see style
    """There is a promotion of this id, or a coupon with this code, with other terms."""

    field = "id"


class PromotionOver(Exception):  # noqa: N818 - a refusal, see style
    """The promotion has not begun, has ended, or was withdrawn."""

    field = "promotion"


class PromotionUsedUp(Exception):  # noqa: N818 - a refusal, see style
    """As many subscribers have the coupon as may."""

    field = "promotion"


async def create(
    deps: Deps,
    *,
    name: str,
    terms: Terms,
    promotion_id: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> PromotionRow:
    """Make a promotion, from now on unless told; the same again changes nothing.

    The id of a coupon is its code, in small letters: no two coupons have the same.

    Raises `InvalidField`, `PromotionDiffers`.
    """
    check_terms(terms)
    now = deps.now()
    if isinstance(terms, Coupon):
        promotion_id = terms.code.lower()
    if not _ID.fullmatch(promotion_id):
        raise InvalidField("id", "want 1 to 32 of a-z, 0-9 and -")
    if not name.strip() or len(name) > NAME_MAX:
        raise InvalidField("name", f"want 1 to {NAME_MAX} characters")
    begins = starts_at or now
    if ends_at is not None and ends_at <= begins:
        raise InvalidField("ends_at", "want a moment after it has begun")
    row = PromotionRow(
        id=promotion_id,
        kind=kind_of(terms),
        name=name,
        terms=terms_text(terms),
        starts_at=begins,
        ends_at=ends_at,
        created_at=now,
    )
    async with deps.db.begin() as tx:
        if not await promotions.add(tx, row):
            known = await promotions.load(tx, promotion_id)
            assert known is not None
            if (known.name, known.terms, known.ends_at) != (row.name, row.terms, row.ends_at):
                raise PromotionDiffers(f"promotion {promotion_id} is there, with other terms")
            return known
    deps.signals.wake("live")
    return row


def kind_of(terms: Terms) -> str:
    """How a kind of promotion is called."""
    match terms:
        case Discount():
            return "discount"
        case Coupon():
            return "coupon"
        case Referral():
            return "referral"
        case Loyalty():
            return "loyalty"
        case _:
            assert_never(terms)


async def withdraw(deps: Deps, promotion_id: str) -> PromotionRow:
    """Let nobody take a promotion up any more; who has it keeps it. Raises `PromotionUnknown`."""
    async with deps.db.begin() as tx:
        row = await promotions.locked(tx, promotion_id)
        if row is None:
            raise PromotionUnknown(f"there is no promotion {promotion_id[:40]}")
        row.withdrawn_at = row.withdrawn_at or deps.now()
    deps.signals.wake("live")
    return row


async def take_up(
    deps: Deps, *, msisdn_or_id: str, promotion_id: str = "", code: str = ""
) -> PromotionUseRow:
    """Let a subscriber have a discount (named by staff) or a coupon (by its code); once.

    Raises `payers.SubscriberUnknown`, `InvalidField`, `PromotionUnknown`, `PromotionOver`,
    `PromotionUsedUp`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, msisdn_or_id)
        found = normal_code(code).lower() if code else promotion_id
        row = await promotions.locked(tx, found)
        if row is None or (code and row.kind != "coupon"):
            raise PromotionUnknown(f"there is no promotion {found[:40]}")
        known = await promotions.use_of(tx, row.id, subscriber.id, TAKEN)
        if known is not None:
            return known
        use = PromotionUseRow(
            id=secrets.token_hex(16),
            promotion_id=row.id,
            subscriber_id=subscriber.id,
            cause=TAKEN,
            at=now,
            periods_left=await _periods(tx, row, now),
            reward_minor=0,
        )
        await promotions.add_use(tx, use)
    deps.signals.wake("live")
    return use


async def _periods(tx: Tx, row: PromotionRow, now: datetime) -> int | None:
    """How many periods a promotion lowers, if it can be taken up now; it is locked."""
    terms = read_terms(row.terms)
    if not isinstance(terms, Discount | Coupon):
        raise InvalidField("promotion", "only discounts and coupons are taken up")
    over = row.withdrawn_at is not None or (row.ends_at is not None and row.ends_at <= now)
    if over or row.starts_at > now:
        raise PromotionOver(f"promotion {row.id} cannot be taken up now")
    if isinstance(terms, Discount):
        return terms.periods
    if terms.uses_max is not None and await promotions.uses(tx, row.id) >= terms.uses_max:
        raise PromotionUsedUp(f"coupon {terms.code} has been taken up {terms.uses_max} times")
    return terms.discount.periods
