"""The staff: who works here, as what, at which branches; invitations; and API tokens.

Nobody chooses anybody else's password: an account is made with an invitation, one use, by which its
owner chooses their own password and second factor. A reset is a new invitation. Nobody makes,
changes or removes an account above their own role or beyond their own branches, nobody changes
their own, and the last owner stays.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.passwords import good_password
from controller.rights import Role, Who, may_rule
from controller.store import branches as branch_store
from controller.store import staff
from controller.store.staff_rows import StaffInviteRow, StaffRow
from controller.usecases import particulars
from controller.usecases.factors import (
    OfferedApp,
    is_totp,
    new_recovery_codes,
    offer_app,
    offered_app,
    recovery_hash,
)
from controller.usecases.sign_in import SECRET_BYTES, acting_as, begin_session
from controller.usecases.staff_names import (
    at_most,
    branches_of,
    good_login,
    holds,
    written_branches,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from controller.deps import Deps
    from controller.passwords import Passwords
    from controller.store.database import Tx
    from controller.usecases.sign_in import Caller, SignedIn

INVITE = "staff-invite"
OWNER_INVITE_LASTS = timedelta(minutes=30)
INVITE_LASTS = timedelta(days=3)


class StaffUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such member of staff, or none for whoever asks."""

    def __init__(self, staff_id: str) -> None:
        super().__init__(f"there is no member of staff {staff_id[:64]}")


class LoginTaken(Exception):  # noqa: N818 - a refusal, see style
    """Somebody else signs in with this e-mail address or phone."""

    field = "login"


class AboveYou(Exception):  # noqa: N818 - a refusal, see style
    """The role or the branches are more than those of who asks, or it is their own account."""


class LastOwner(Exception):  # noqa: N818 - a refusal, see style
    """The last owner who can sign in stays one."""


class OwnerExists(Exception):  # noqa: N818 - a refusal, see style
    """There is an owner already: ask them for an account."""


class InvitationOver(Exception):  # noqa: N818 - a refusal, see style
    """The invitation was used, is too old, or never was."""


@dataclass(frozen=True, slots=True)
class NewStaff:
    """Somebody to take on; ``branches`` None: all of them."""

    login: str
    name: str
    role: Role
    branches: frozenset[str] | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class StaffChange:
    """What is to be another; what is None stays. ``branches`` () is all of them."""

    name: str | None = None
    role: Role | None = None
    branches: tuple[str, ...] | None = None
    language: str | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Invited:
    """An account and the secret by which its owner comes in, once, until then."""

    staff_id: str | None
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the page of an invitation shows: whom it is for (None: the first owner).

    The secret for their app is none of the invitation's: whoever made that would know it for good.
    """

    row: StaffRow | None


@dataclass(frozen=True, slots=True)
class Welcome:
    """Somebody who has come in for the first time; the recovery codes are shown this once."""

    signed_in: SignedIn
    codes: tuple[str, ...] = field(repr=False)


async def invite_owner(deps: Deps, who: Who) -> Invited:
    """A right to become the first owner, 30 minutes; an older one ends.

    Asked for by the machine's own key, or by a program with an owner's. Raises `OwnerExists`,
    `AboveYou`.
    """
    if who.role is not Role.OWNER:
        raise AboveYou("only the controller's own key makes the first owner")
    async with deps.db.begin() as tx:
        if await staff.has_owner(tx):
            raise OwnerExists("there is an owner already")
        return await _invited(tx, deps, None, OWNER_INVITE_LASTS)


async def add(deps: Deps, who: Who, new: NewStaff) -> Invited:
    """Take somebody on. Raises `AboveYou`, `LoginTaken`, `InvalidField`."""
    _must_rule(who, new.role, new.branches)
    row = StaffRow(
        id=secrets.token_hex(16),
        login=good_login(new.login),
        name=particulars.name(new.name),
        role=new.role.value,
        branches=written_branches(_good_branches(new.role, new.branches)),
        language=particulars.language(new.language),
        created_at=deps.now(),
        disabled_at=None,
        password_hash="",
        totp_sealed=None,
        totp_step=None,
        signed_in_at=None,
    )
    async with deps.db.begin() as tx:
        await _must_be_branches(tx, new.branches)
        if not await staff.add(tx, row):
            raise LoginTaken("somebody else signs in with this")
        return await _invited(tx, deps, row.id, INVITE_LASTS)


async def change(deps: Deps, who: Who, staff_id: str, wanted: StaffChange) -> StaffRow:
    """Change somebody's account. A role or branch less ends sessions, so that it holds at once.

    Raises `StaffUnknown`, `AboveYou`, `LastOwner`, `InvalidField`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        owners = await staff.lock_owners(tx)
        row = await _must_find(tx, who, staff_id, lock=True)
        _must_not_be(who, row)
        role = wanted.role or Role(row.role)
        branches = branches_of(row.branches)
        if wanted.branches is not None:
            branches = frozenset(wanted.branches) or None
        _must_rule(who, role, branches)
        await _must_be_branches(tx, branches)
        gone = wanted.disabled is True or role is not Role.OWNER
        if gone and [one.id for one in owners] == [row.id]:
            raise LastOwner("the last owner who can sign in stays one")
        less = role.value != row.role or branches != branches_of(row.branches)
        row.role = role.value
        row.branches = written_branches(_good_branches(role, branches))
        if wanted.name is not None:
            row.name = particulars.name(wanted.name)
        if wanted.language is not None:
            row.language = particulars.language(wanted.language)
        if wanted.disabled is not None:
            row.disabled_at = (row.disabled_at or now) if wanted.disabled else None
        if less or wanted.disabled:
            await staff.end_everything(tx, row.id, now, tokens=True)
        await tx.flush()
        return row


async def reset(deps: Deps, who: Who, staff_id: str) -> Invited:
    """Forget somebody's password and factors, end what is open, and invite them anew.

    An owner may be reset by an owner, or by the machine's key. Raises `StaffUnknown`, `AboveYou`,
    `LastOwner`: the last owner is reset on the machine itself.
    """
    async with deps.db.begin() as tx:
        owners = await staff.lock_owners(tx)
        row = await _must_find(tx, who, staff_id, lock=True)
        _must_not_be(who, row)
        if [one.id for one in owners] == [row.id] and who.id != "key":
            raise LastOwner("the last owner is reset on the controller's own machine")
        await staff.forget_factors(tx, row)
        await staff.end_everything(tx, row.id, deps.now(), tokens=True)
        return await _invited(tx, deps, row.id, INVITE_LASTS)


async def invitation(deps: Deps, token: str) -> Invitation:
    """What an invitation is for. Raises `InvitationOver`."""
    async with deps.db.read() as tx:
        row = await staff.invitation(tx, _hash(deps, token), deps.now())
        if row is None:
            raise InvitationOver("this link was used, or is too old")
        whose = None if row.staff_id is None else await staff.load(tx, row.staff_id)
        if whose is None and await staff.has_owner(tx):
            raise InvitationOver("there is an owner already")
        if whose is not None and whose.disabled_at is not None:
            raise InvitationOver("this account is disabled")
        return Invitation(whose)


def offer(deps: Deps, token: str) -> OfferedApp:
    """A secret for the app of whoever looks at the page of an invitation now."""
    return offer_app(deps, _hash(deps, token), INVITE_LASTS)


def offered(deps: Deps, token: str, sealed: str) -> OfferedApp:
    """What that page offered, when its form comes back. Raises `InvalidField`."""
    return offered_app(deps, _hash(deps, token), sealed)


async def accept(
    deps: Deps,
    passwords: Passwords,
    token: str,
    *,
    password: str,
    sealed: str,
    code: str,
    caller: Caller,
    login: str = "",
    name: str = "",
) -> Welcome:
    """Come in by an invitation, with a password and the first code of an authenticator app.

    ``sealed`` is what `offer` gave to the form; ``login`` and ``name`` are those of a first owner.
    Raises `InvitationOver`, `InvalidField`, `LoginTaken`.
    """
    told = await invitation(deps, token)
    invited = told.row or _first_owner(deps, good_login(login), particulars.name(name))
    good_password(password, login=invited.login)
    app = offered(deps, token, sealed)
    step = is_totp(app.secret, "".join(code.split()), deps.now())
    if step is None:
        raise InvalidField("code", "this is not the code that the app shows now")
    hashed = await passwords.hashed(password)
    codes = new_recovery_codes()
    with acting_as(deps, invited, caller, route="accept invitation"):
        async with deps.db.begin() as tx:
            if not await staff.use_invitation(tx, _hash(deps, token), deps.now()):
                raise InvitationOver("this link was used, or is too old")
            row = await _coming_in(tx, invited, is_first=told.row is None)
            row.password_hash = hashed
            row.totp_sealed, row.totp_step = deps.vault.seal(app.secret.encode()), step
            await staff.set_recovery(tx, row.id, [recovery_hash(deps.vault, one) for one in codes])
            await tx.flush()
            return Welcome(await begin_session(tx, deps, row, caller, factor="totp"), codes)


async def find(tx: Tx, who: Who, staff_id: str) -> StaffRow:
    """A member of staff whom somebody may see. Raises `StaffUnknown`."""
    return await _must_find(tx, who, staff_id)


async def _coming_in(tx: Tx, invited: StaffRow, *, is_first: bool) -> StaffRow:
    if is_first:
        if await staff.has_owner(tx):
            raise InvitationOver("there is an owner already")
        if not await staff.add(tx, invited):
            raise LoginTaken("somebody else signs in with this")
    row = await staff.load(tx, invited.id, lock=True)
    if row is None or row.disabled_at is not None:
        raise InvitationOver("this account is disabled")
    return row


def _first_owner(deps: Deps, login: str, name: str) -> StaffRow:
    return StaffRow(
        id=secrets.token_hex(16),
        login=login,
        name=name,
        role=Role.OWNER.value,
        branches=None,
        language="en",
        created_at=deps.now(),
        disabled_at=None,
        password_hash="",
        totp_sealed=None,
        totp_step=None,
        signed_in_at=None,
    )


async def _invited(tx: Tx, deps: Deps, staff_id: str | None, lasts: timedelta) -> Invited:
    token, now = secrets.token_urlsafe(SECRET_BYTES), deps.now()
    row = StaffInviteRow(
        token_hash=_hash(deps, token),
        staff_id=staff_id,
        sealed=b"",
        created_at=now,
        expires_at=now + lasts,
        used_at=None,
    )
    await staff.invite(tx, row)
    return Invited(staff_id, token, row.expires_at)


async def _must_find(tx: Tx, who: Who, staff_id: str, *, lock: bool = False) -> StaffRow:
    row = await staff.load(tx, staff_id, lock=lock)
    if row is None or not holds(who.branches, branches_of(row.branches)):
        raise StaffUnknown(staff_id)
    return row


def _must_not_be(who: Who, row: StaffRow) -> None:
    if row.id == who.id:
        raise AboveYou("nobody changes their own role; ask another")
    if not may_rule(who, Role(row.role)):
        raise AboveYou(f"this account is of a role above yours: {row.role}")


def _must_rule(who: Who, role: Role, branches: frozenset[str] | None) -> None:
    if not may_rule(who, role) or not at_most(role, who.role):
        raise AboveYou(f"you may not make anybody {role.value}")
    if not holds(who.branches, branches):
        raise AboveYou("want branches that you yourself are held to")


def _good_branches(role: Role, branches: frozenset[str] | None) -> frozenset[str] | None:
    if role is Role.OWNER and branches is not None:
        raise InvalidField("branches", "an owner has every branch")
    return branches


async def _must_be_branches(tx: Tx, branches: Iterable[str] | None) -> None:
    for one in sorted(branches or ()):
        if await branch_store.load(tx, one) is None:
            raise InvalidField("branches", f"there is no branch {one[:40]}")


def _hash(deps: Deps, token: str) -> str:
    return deps.vault.fingerprint(INVITE, token)
