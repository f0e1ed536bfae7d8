"""Who may do what: the roles of staff and the rights that each has. PURE.

A right is a verb on one part of the business. A role is a set of rights, fixed here so that an
owner can read on one page what a cashier can do. Beside the role each member of staff may be held
to some branches: then what belongs to other branches does not exist for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody on the staff is employed for."""

    OWNER = "owner"
    ADMIN = "admin"
    BILLING = "billing"
    SUPPORT = "support"
    TECHNICIAN = "technician"
    CASHIER = "cashier"
    READ_ONLY = "read_only"


class Right(StrEnum):
    """One thing that staff can be allowed to do. ``see_`` never changes anything."""

    SEE_SITES = "see_sites"
    RUN_SITES = "run_sites"  # add, configure, probe, update, upgrade
    SEE_CUSTOMERS = "see_customers"
    EDIT_CUSTOMERS = "edit_customers"
    SEE_SESSIONS = "see_sessions"
    RUN_SESSIONS = "run_sessions"  # disconnect, move, block
    GIVE_ACCESS = "give_access"  # a grant that nobody paid for, more time, more data
    MESSAGE = "message"  # write to customers
    SEE_MONEY = "see_money"  # payments, invoices, statements, reports, the ledger
    TAKE_MONEY = "take_money"  # a payment at the counter, a prompt to a phone
    BOOK_MONEY = "book_money"  # match, refund, credit, adjust, write off
    SEE_PLANS = "see_plans"
    EDIT_PLANS = "edit_plans"  # plans, prices, promotions
    SEE_VOUCHERS = "see_vouchers"
    SELL_VOUCHERS = "sell_vouchers"
    MAKE_VOUCHERS = "make_vouchers"
    SEE_ALERTS = "see_alerts"
    RUN_ALERTS = "run_alerts"  # acknowledge, silence, maintenance windows
    SEE_SYSTEM = "see_system"
    RUN_SYSTEM = "run_system"  # the business, rails, notices out, backups, branches
    SEE_STAFF = "see_staff"
    RUN_STAFF = "run_staff"
    SEE_AUDIT = "see_audit"


_SEE = frozenset(right for right in Right if right.startswith("see_"))
_OFFICE = frozenset({Right.SEE_STAFF, Right.SEE_AUDIT, Right.SEE_SYSTEM})
_COUNTER = frozenset({Right.TAKE_MONEY, Right.SEE_VOUCHERS, Right.SELL_VOUCHERS, Right.SEE_PLANS})
_DESK = frozenset({Right.EDIT_CUSTOMERS, Right.RUN_SESSIONS, Right.MESSAGE, Right.RUN_ALERTS})

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.ADMIN: frozenset(Right),
    Role.BILLING: (_SEE - _OFFICE)
    | _COUNTER
    | {Right.BOOK_MONEY, Right.EDIT_CUSTOMERS, Right.EDIT_PLANS, Right.MAKE_VOUCHERS}
    | {Right.MESSAGE},
    Role.SUPPORT: (_SEE - _OFFICE) | _DESK | _COUNTER,
    Role.TECHNICIAN: frozenset({Right.SEE_SITES, Right.RUN_SITES, Right.SEE_SESSIONS})
    | {Right.SEE_CUSTOMERS, Right.RUN_SESSIONS, Right.SEE_ALERTS, Right.RUN_ALERTS},
    Role.CASHIER: _COUNTER | {Right.SEE_CUSTOMERS},
    Role.READ_ONLY: _SEE - _OFFICE,
}
"""An admin may do all that an owner may, except to or with owners: see `may_rule`."""


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody on the staff, as a request finds them.

    ``id`` is the account, or "key" where the controller's own key was shown. ``branches`` holds
    the branches they are held to; None: all. ``by_token``: a program with an API token asks.
    """

    id: str
    name: str
    role: Role
    branches: frozenset[str] | None = None
    by_token: bool = False

    def may(self, right: Right) -> bool:
        """Whether their role has the right."""
        return right in RIGHTS[self.role]

    def reaches(self, branch_id: str) -> bool:
        """Whether what belongs to a branch exists for them."""
        return self.branches is None or branch_id in self.branches


ON_THE_COUNTER = frozenset({"cash", "cheque"})
"""Rails of money that can be counted in the drawer in the evening."""


def right_to_take(rail: str, *, is_dated: bool = False) -> Right:
    """The right that it wants to take money by a rail for an account.

    What came by another rail than over the counter, or on another day than it is told
    (``is_dated``), is in nobody's drawer: who tells it could credit whom they like.
    """
    return Right.TAKE_MONEY if rail in ON_THE_COUNTER and not is_dated else Right.BOOK_MONEY


def may_rule(who: Who, over: Role) -> bool:
    """Whether somebody may make, change or remove an account of a role: nobody above their own."""
    return who.may(Right.RUN_STAFF) and (who.role is Role.OWNER or over is not Role.OWNER)
