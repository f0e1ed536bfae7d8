"""How staff are named, and who they are: logins, roles, branches. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.msisdn import masked, parse_msisdn
from controller.rights import RIGHTS, Role, Who
from controller.usecases.particulars import email

if TYPE_CHECKING:
    from controller.store.staff_rows import StaffRow


def login_of(text: str) -> str:
    """How a login is kept that somebody typed: a phone as 2547…, all else in small letters."""
    try:
        return parse_msisdn(text)
    except InvalidField:
        return text.strip().lower()[:120]


def good_login(text: str) -> str:
    """A login that may be chosen: an e-mail address or a phone. Raises `InvalidField`."""
    named = login_of(text)
    if "@" in named:
        try:
            return email(named)
        except InvalidField as refused:
            raise InvalidField("login", refused.problem) from refused
    if named.isascii() and named.isdigit():
        return named
    raise InvalidField("login", "want an e-mail address, or a phone like 0712345678")


def is_phone(login: str) -> bool:
    """Whether a login is a phone, to which an SMS can go."""
    return "@" not in login


def shown_login(login: str) -> str:
    """A login as lists show it: phones are masked."""
    return masked(login) if is_phone(login) else login


def branches_of(text: str | None) -> frozenset[str] | None:
    """The branches that a row holds somebody to."""
    return None if text is None else frozenset(text.split())


def written_branches(branches: frozenset[str] | None) -> str | None:
    """The same as a row keeps them."""
    return None if branches is None else " ".join(sorted(branches))


def who_of(row: StaffRow) -> Who:
    """Somebody on the staff as a request finds them."""
    return Who(row.id, row.name, Role(row.role), branches_of(row.branches))


def at_most(role: Role, of: Role) -> bool:
    """Whether a role has no right that another lacks, and is not an owner's unless that is too."""
    return RIGHTS[role] <= RIGHTS[of] and (role is not Role.OWNER or of is Role.OWNER)


def holds(outer: frozenset[str] | None, inner: frozenset[str] | None) -> bool:
    """Whether all branches of ``inner`` are among those of ``outer`` (None: every branch)."""
    return outer is None or (inner is not None and inner <= outer)
