"""Keys for programs: named, with a role and branches that are never more than their maker's.

Kept as a keyed hash and shown once. One ends when it is revoked, when it expires, and with its
maker: when they are disabled, reset, get another role or choose another password.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.rights import Right, Role, Who
from controller.store import api_tokens, staff
from controller.store.staff_rows import ApiTokenRow
from controller.usecases import particulars
from controller.usecases.staff import AboveYou
from controller.usecases.staff_names import (
    at_most,
    branches_of,
    holds,
    who_of,
    written_branches,
)

if TYPE_CHECKING:
    from controller.deps import Deps

PREFIX = "lango_"
PURPOSE = "api-token"
SECRET_BYTES = 32
TOKENS_MAX = 50
TOUCH_EVERY = timedelta(minutes=1)
LASTS_USUAL_DAYS = 90
LASTS_MAX_DAYS = 365


class TokenNotThere(Exception):  # noqa: N818 - a refusal, see style
    """There is no such API token, or none for whoever asks."""

    def __init__(self, token_id: str) -> None:
        super().__init__(f"there is no API token {token_id[:64]}")


@dataclass(frozen=True, slots=True)
class Made:
    """A new key: the row to show, and the secret, shown this once."""

    row: ApiTokenRow
    secret: str = field(repr=False)


async def make(
    deps: Deps,
    who: Who,
    *,
    name: str,
    role: Role | None = None,
    branches: frozenset[str] | None = None,
    lasts: timedelta,
) -> Made:
    """A key of a role (the maker's own unless told) and branches (as theirs unless told).

    Raises `AboveYou`, also for a program: whoever gets hold of a key could outlive it by others.
    Raises `InvalidField`.
    """
    if who.by_token:
        raise AboveYou("a token makes no others: sign in, at /noc/me")
    now, wanted = deps.now(), role or who.role
    held = who.branches if branches is None else branches
    _must_hold(who, wanted, held)
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    row = ApiTokenRow(
        id=secrets.token_hex(16),
        token_hash=deps.vault.fingerprint(PURPOSE, secret),
        staff_id=None if who.id == "key" else who.id,
        name=particulars.name(name),
        role=wanted.value,
        branches=written_branches(held),
        created_at=now,
        expires_at=now + lasts,
        used_at=None,
        revoked_at=None,
    )
    async with deps.db.begin() as tx:
        if row.staff_id is not None:
            maker = await staff.load(tx, row.staff_id, lock=True)
            if maker is None or maker.disabled_at is not None or not maker.password_hash:
                raise AboveYou("this account makes no tokens any more")
            _must_hold(who_of(maker), wanted, held)  # they may be less than when they asked
        if len(await api_tokens.in_use(tx, staff_id=row.staff_id)) >= TOKENS_MAX:
            raise InvalidField("name", f"want at most {TOKENS_MAX} tokens; revoke one first")
        tx.add(row)
        await tx.flush()
    return Made(row, secret)


async def listed(deps: Deps, who: Who) -> list[ApiTokenRow]:
    """The keys that somebody may see: their own; those of all whom they rule over."""
    async with deps.db.read() as tx:
        if not who.may(Right.RUN_STAFF):
            return await api_tokens.in_use(tx, staff_id=who.id)
        return [row for row in await api_tokens.in_use(tx) if _reaches(who, row)]


async def made_by(deps: Deps, staff_id: str) -> list[ApiTokenRow]:
    """The keys that somebody made."""
    async with deps.db.read() as tx:
        return await api_tokens.in_use(tx, staff_id=staff_id)


async def revoke(deps: Deps, who: Who, token_id: str) -> None:
    """Let a key open nothing any more; again changes nothing. Raises `TokenNotThere`."""
    async with deps.db.begin() as tx:
        row = await api_tokens.load(tx, token_id)
        own = row is not None and row.staff_id == who.id and at_most(Role(row.role), who.role)
        if row is None or not (own or _reaches(who, row)):
            raise TokenNotThere(token_id)
        await api_tokens.revoke(tx, token_id, deps.now())


async def who_has(deps: Deps, secret: str) -> Who | None:
    """Whoever a key stands for, while it and its maker are good; None otherwise."""
    now = deps.now()
    async with deps.db.read() as tx:
        found = await api_tokens.by_hash(tx, deps.vault.fingerprint(PURPOSE, secret))
    if found is None:
        return None
    row, maker = found
    over = row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now)
    gone = row.staff_id is not None and (maker is None or maker.disabled_at is not None)
    if over or gone:
        return None
    if row.used_at is None or now - row.used_at >= TOUCH_EVERY:
        async with deps.db.begin() as tx:
            await api_tokens.touch(tx, row.id, now)
    name = row.name if maker is None else f"{maker.name} ({row.name})"
    whole = Who(
        row.staff_id or row.id,
        name[:120],
        Role(row.role),
        branches_of(row.branches),
        by_token=True,
    )
    return whole if maker is None else _at_most_as(whole, who_of(maker))


async def holder(deps: Deps, staff_id: str) -> Who | None:
    """Who an account stands for now; for a key that is made at the end of a sign-in."""
    async with deps.db.read() as tx:
        row = await staff.load(tx, staff_id)
    return None if row is None else who_of(row)


def _must_hold(who: Who, role: Role, branches: frozenset[str] | None) -> None:
    if not at_most(role, who.role):
        raise AboveYou(f"your own role is less than {role.value}")
    if not holds(who.branches, branches):
        raise AboveYou("want branches that you yourself are held to")


def _at_most_as(program: Who, maker: Who) -> Who | None:
    """A program with no more than its maker has now; None where nothing is left."""
    roles = (program.role, maker.role)
    role = next((one for one in roles if all(at_most(one, other) for other in roles)), None)
    branches = maker.branches if program.branches is None else program.branches
    if branches is not None and maker.branches is not None:
        branches &= maker.branches
    if role is None or branches == frozenset():
        return None
    return replace(program, role=role, branches=branches)


def _reaches(who: Who, row: ApiTokenRow) -> bool:
    ruled = who.may(Right.RUN_STAFF) and at_most(Role(row.role), who.role)
    return ruled and holds(who.branches, branches_of(row.branches))
