"""Promotions: what is taken off an invoice, and what is given into wallets. PURE.

Discounts and coupons lower invoices, as lines of their own. Referrals and loyalty give money into
wallets, as ledger transactions that a reversed payment takes back. Terms are kept as JSON text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from billing import written
from billing.errors import InvalidField
from billing.money import Money, split
from billing.plan import ID_SHAPE
from billing.price import SEGMENT_SHAPE
from billing.tax import WHOLE

if TYPE_CHECKING:
    from datetime import datetime

AMOUNT_MAX_MINOR = 250_000 * 100
PERIODS_MAX = 120
USES_MAX = 1_000_000
EVERY_MAX = 1_000
LISTED_MAX = 100
_CODE = re.compile(r"[A-Z0-9]{3,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scope:
    """For what, for whom, where and when: an empty list is every one.

    It holds from ``from_at`` up to, and without, ``until_at``; None is no bound.
    """

    plans: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    from_at: datetime | None = None
    until_at: datetime | None = None


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
    return (
        (not scope.plans or plan_id in scope.plans)
        and (not scope.segments or segment in scope.segments)
        and (not scope.branches or branch_id in scope.branches)
        and (scope.from_at is None or scope.from_at <= at)
        and (scope.until_at is None or at < scope.until_at)
    )


def _scope(terms: Terms) -> Scope:
    match terms:
        case Discount() | Loyalty():
            return terms.scope
        case Coupon():
            return terms.discount.scope
        case Referral():
            return Scope()
        case _:
            assert_never(terms)


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

    ``paid`` is how much was paid for it. Zero when there is nothing to earn yet.
    """
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
    match terms:
        case Discount():
            _check_discount(terms)
        case Coupon():
            if normal_code(terms.code) != terms.code:
                raise InvalidField("code", f"want its normal form, {normal_code(terms.code)}")
            _check_within("uses_max", terms.uses_max, USES_MAX)
            _check_discount(terms.discount)
        case Referral():
            _check_referral(terms)
        case Loyalty():
            _check_loyalty(terms)
        case _:
            assert_never(terms)
    return terms


def _check_discount(terms: Discount) -> None:
    if (terms.basis_points is None) == (terms.amount is None):
        raise InvalidField("amount", "want a share or an amount, one of the two")
    _check_within("basis_points", terms.basis_points, WHOLE)
    _check_amount("amount", terms.amount)
    _check_within("periods", terms.periods, PERIODS_MAX)
    _check_scope(terms.scope)


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
    _check_scope(terms.scope)


def _check_scope(scope: Scope) -> None:
    lists = (
        ("plans", scope.plans, ID_SHAPE),
        ("segments", scope.segments, SEGMENT_SHAPE),
        ("branches", scope.branches, ID_SHAPE),
    )
    for name, listed, shape in lists:
        if len(listed) > LISTED_MAX or len(set(listed)) < len(listed):
            raise InvalidField(f"scope.{name}", f"want at most {LISTED_MAX}, and none twice")
        if not all(shape.fullmatch(each) for each in listed):
            raise InvalidField(f"scope.{name}", "one of them cannot be a name")
    for name, at in (("from_at", scope.from_at), ("until_at", scope.until_at)):
        if at is not None and at.tzinfo is None:
            raise InvalidField(f"scope.{name}", "want an instant with its time zone")
    if scope.from_at and scope.until_at and scope.until_at <= scope.from_at:
        raise InvalidField("scope.until_at", "want an instant after the first")


def _check_within(name: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidField(name, f"want 1 to {most:,}, got {value:,}")


def _check_amount(name: str, amount: Money | None) -> None:
    if amount is not None and not 1 <= amount.minor <= AMOUNT_MAX_MINOR:
        raise InvalidField(name, f"want up to {AMOUNT_MAX_MINOR // 100:,}, got {amount}")


def terms_text(terms: Terms) -> str:
    """Terms as JSON text."""
    match terms:
        case Discount():
            found = {"kind": "discount", **_discount_written(terms)}
        case Coupon():
            found = {"kind": "coupon", "code": terms.code, "uses_max": terms.uses_max}
            found["discount"] = _discount_written(terms.discount)
        case Referral():
            found = {
                "kind": "referral",
                "referrer": written.money_written(terms.referrer),
                "referred": written.money_written(terms.referred),
            }
        case Loyalty():
            found = {
                "kind": "loyalty",
                "every_invoices": terms.every_invoices,
                "reward": written.money_written(terms.reward),
                "basis_points": terms.basis_points,
                "scope": _scope_written(terms.scope),
            }
        case _:
            assert_never(terms)
    return written.written(found)


def _discount_written(terms: Discount) -> dict[str, Any]:
    return {
        "basis_points": terms.basis_points,
        "amount": written.money_written(terms.amount),
        "periods": terms.periods,
        "scope": _scope_written(terms.scope),
    }


def _scope_written(scope: Scope) -> dict[str, Any]:
    return {
        "plans": list(scope.plans),
        "segments": list(scope.segments),
        "branches": list(scope.branches),
        "from_at": scope.from_at.isoformat() if scope.from_at else None,
        "until_at": scope.until_at.isoformat() if scope.until_at else None,
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
        scope=_read_scope(found, where),
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
        scope=_read_scope(found, "terms"),
    )


def _read_scope(found: dict[str, Any], where: str) -> Scope:
    scope = written.an_object(found.get("scope", {}), f"{where}.scope")
    where = f"{where}.scope"
    written.only(scope, ("plans", "segments", "branches", "from_at", "until_at"), where)
    return Scope(
        plans=written.words(scope, "plans", where),
        segments=written.words(scope, "segments", where),
        branches=written.words(scope, "branches", where),
        from_at=written.maybe_instant(scope, "from_at", where),
        until_at=written.maybe_instant(scope, "until_at", where),
    )
