"""Promotions: what is taken off an invoice, and what is given into wallets. PURE.

Discounts and coupons lower invoices, as lines of their own. Referrals and loyalty give money into
wallets, as ledger transactions that a reversed payment takes back. Terms are kept as JSON text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from billing import written
from billing.errors import InvalidField
from billing.money import Money, split
from billing.scope import Scope, check_scope, covers, read_scope, scope_written
from billing.tax import WHOLE

if TYPE_CHECKING:
    from datetime import datetime

AMOUNT_MAX_MINOR = 250_000 * 100
PERIODS_MAX = 120
USES_MAX = 1_000_000
EVERY_MAX = 1_000
_CODE = re.compile(r"[A-Z0-9]{3,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Discount:
    """A share of the amount in hundredths of a per cent, or an amount; one of the two.

    ``periods`` is how many periods of a subscription it lowers; None: as long as it holds.
    """

    basis_points: int | None = None
    amount: Money | None = None
    periods: int | None = None
    scope: Scope = field(default_factory=Scope)


@dataclass(frozen=True, slots=True)
class Coupon:
    """A discount for who knows the ``code``, once for each subscriber.

    ``uses_max`` is for how many subscribers; None: for any number.
    """

    code: str
    discount: Discount
    uses_max: int | None = None


@dataclass(frozen=True, slots=True)
class Referral:
    """What both get into their wallets when the one who was referred first pays."""

    referrer: Money
    referred: Money


@dataclass(frozen=True, slots=True)
class Loyalty:
    """A ``reward`` for every so many paid invoices, or a share of each payment; one of the two."""

    every_invoices: int | None = None
    reward: Money | None = None
    basis_points: int | None = None
    scope: Scope = field(default_factory=Scope)


Terms = Discount | Coupon | Referral | Loyalty


def applies(terms: Terms, *, plan_id: str, segment: str, branch_id: str, at: datetime) -> bool:
    """Whether a promotion is for this plan, segment and branch at this moment."""
    scope = _scope(terms)
    return covers(scope, plan_id=plan_id, segment=segment, branch_id=branch_id, at=at)


def _scope(terms: Terms) -> Scope:
    if isinstance(terms, Referral):
        return Scope()
    return terms.discount.scope if isinstance(terms, Coupon) else terms.scope


def discount_of(terms: Discount | Coupon, amount: Money) -> Money:
    """What is taken off an amount: never more than all of it, a share rounded half up.

    Raises `InvalidField` for a negative amount, `CurrencyMismatch` for another currency.
    """
    if amount.minor < 0:
        raise InvalidField("amount", f"want no less than 0, got {amount}")
    discount = terms.discount if isinstance(terms, Coupon) else terms
    if discount.amount is not None:
        left = amount - discount.amount
        return amount if left.minor < 0 else discount.amount
    return _share(amount, discount.basis_points or 0)


def reward_of(terms: Loyalty, *, paid_invoices: int, paid: Money) -> Money:
    """What a subscriber earns with the invoice that is their ``paid_invoices``-th, and paid.

    ``paid`` is how much was paid for it. Zero when there is nothing to earn yet. Raises
    `InvalidField` for a negative payment.
    """
    if paid.minor < 0:
        raise InvalidField("paid", f"want no less than 0, got {paid}")
    if terms.every_invoices is None or terms.reward is None:
        return _share(paid, terms.basis_points or 0)
    earned = paid_invoices > 0 and paid_invoices % terms.every_invoices == 0
    return terms.reward if earned else Money(0, terms.reward.currency)


def _share(amount: Money, basis_points: int) -> Money:
    return split(amount, (basis_points, WHOLE - basis_points))[0]


def normal_code(text: str) -> str:
    """The normal form of a coupon code that a person typed. Raises `InvalidField` (``code``)."""
    code = text.upper().replace(" ", "").replace("-", "")
    if not _CODE.fullmatch(code):
        raise InvalidField("code", "want 3 to 20 letters and digits")
    return code


def check_terms(terms: Terms) -> Terms:
    """The terms themselves when they can be kept. Raises `InvalidField` naming what is wrong."""
    if isinstance(terms, Discount):
        _check_discount(terms)
    elif isinstance(terms, Coupon):
        _check_coupon(terms)
    elif isinstance(terms, Referral):
        _check_referral(terms)
    else:
        _check_loyalty(terms)
    return terms


def _check_discount(terms: Discount) -> None:
    if (terms.basis_points is None) == (terms.amount is None):
        raise InvalidField("amount", "want a share or an amount, one of the two")
    _check_within("basis_points", terms.basis_points, WHOLE)
    _check_amount("amount", terms.amount)
    _check_within("periods", terms.periods, PERIODS_MAX)
    check_scope(terms.scope)


def _check_coupon(terms: Coupon) -> None:
    if normal_code(terms.code) != terms.code:
        raise InvalidField("code", f"want its normal form, {normal_code(terms.code)}")
    _check_within("uses_max", terms.uses_max, USES_MAX)
    _check_discount(terms.discount)


def _check_referral(terms: Referral) -> None:
    for name, amount in (("referrer", terms.referrer), ("referred", terms.referred)):
        if not 0 <= amount.minor <= AMOUNT_MAX_MINOR:
            raise InvalidField(name, f"want 0 to {AMOUNT_MAX_MINOR // 100:,}, got {amount}")
    if terms.referrer.minor == terms.referred.minor == 0:
        raise InvalidField("referrer", "want something for one of the two at least")
    if terms.referrer.currency != terms.referred.currency:
        raise InvalidField("referred", f"want {terms.referrer.currency} for both")


def _check_loyalty(terms: Loyalty) -> None:
    if (terms.basis_points is None) == (terms.reward is None):
        raise InvalidField("reward", "want a reward or a share, one of the two")
    if (terms.every_invoices is None) != (terms.reward is None):
        raise InvalidField("every_invoices", "want it with a reward, and only then")
    _check_within("basis_points", terms.basis_points, WHOLE)
    _check_within("every_invoices", terms.every_invoices, EVERY_MAX)
    _check_amount("reward", terms.reward)
    check_scope(terms.scope)


def _check_within(name: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidField(name, f"want 1 to {most:,}, got {value:,}")


def _check_amount(name: str, amount: Money | None) -> None:
    if amount is not None and not 1 <= amount.minor <= AMOUNT_MAX_MINOR:
        raise InvalidField(name, f"want up to {AMOUNT_MAX_MINOR // 100:,}, got {amount}")


def terms_text(terms: Terms) -> str:
    """Terms as JSON text."""
    if isinstance(terms, Discount):
        return written.written({"kind": "discount", **_discount_written(terms)})
    if isinstance(terms, Coupon):
        return written.written(
            {
                "kind": "coupon",
                "code": terms.code,
                "uses_max": terms.uses_max,
                "discount": _discount_written(terms.discount),
            }
        )
    if isinstance(terms, Referral):
        return written.written(
            {
                "kind": "referral",
                "referrer": written.money_written(terms.referrer),
                "referred": written.money_written(terms.referred),
            }
        )
    return written.written(
        {
            "kind": "loyalty",
            "every_invoices": terms.every_invoices,
            "reward": written.money_written(terms.reward),
            "basis_points": terms.basis_points,
            "scope": scope_written(terms.scope),
        }
    )


def _discount_written(terms: Discount) -> dict[str, Any]:
    return {
        "basis_points": terms.basis_points,
        "amount": written.money_written(terms.amount),
        "periods": terms.periods,
        "scope": scope_written(terms.scope),
    }


def read_terms(text: str) -> Terms:
    """The terms that a JSON text holds. Raises `InvalidField` naming what is wrong with them."""
    found = written.read(text, "terms")
    kind = found.pop("kind", None)
    match kind:
        case "discount":
            return check_terms(_read_discount(found, "terms"))
        case "coupon":
            return check_terms(_read_coupon(found))
        case "referral":
            return check_terms(_read_referral(found))
        case "loyalty":
            return check_terms(_read_loyalty(found))
        case _:
            raise InvalidField("terms.kind", "want discount, coupon, referral or loyalty")


def _read_discount(found: dict[str, Any], where: str) -> Discount:
    written.only(found, ("basis_points", "amount", "periods", "scope"), where)
    return Discount(
        basis_points=written.maybe_int(found, "basis_points", where),
        amount=written.maybe_money(found, "amount", where),
        periods=written.maybe_int(found, "periods", where),
        scope=read_scope(found.get("scope", {}), f"{where}.scope"),
    )


def _read_coupon(found: dict[str, Any]) -> Coupon:
    written.only(found, ("code", "uses_max", "discount"), "terms")
    discount = written.an_object(found.get("discount"), "terms.discount")
    return Coupon(
        code=written.a_word(found, "code", "terms"),
        discount=_read_discount(discount, "terms.discount"),
        uses_max=written.maybe_int(found, "uses_max", "terms"),
    )


def _read_referral(found: dict[str, Any]) -> Referral:
    written.only(found, ("referrer", "referred"), "terms")
    return Referral(
        referrer=written.some_money(found, "referrer", "terms"),
        referred=written.some_money(found, "referred", "terms"),
    )


def _read_loyalty(found: dict[str, Any]) -> Loyalty:
    written.only(found, ("every_invoices", "reward", "basis_points", "scope"), "terms")
    return Loyalty(
        every_invoices=written.maybe_int(found, "every_invoices", "terms"),
        reward=written.maybe_money(found, "reward", "terms"),
        basis_points=written.maybe_int(found, "basis_points", "terms"),
        scope=read_scope(found.get("scope", {}), "terms.scope"),
    )
