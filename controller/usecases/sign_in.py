"""Signing in: a password and a second factor, or a passkey alone; then a session.

- A failure says only "these do not fit": not which name is there, and it takes as long for one
  that is not. Every try is counted before it is looked at, so that many at once gain nothing.
- Nobody is locked out (``controller/slowing.py``): a browser that has signed in before is counted
  by itself, so a stranger's guesses do not slow its owner down.
- The session's id is made when the last factor was right, and is never one that the browser
  brought: there is nothing to fix beforehand. Only a keyed hash of it is kept.
- A code of an authenticator app is used once, a recovery code is used once, a challenge to a
  passkey is used once.
"""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.fernet import InvalidToken

from controller import slowing
from controller.acting import Actor, acting
from controller.rights import Right, Role, Who
from controller.store import sign_ins, staff
from controller.store.staff_rows import StaffSessionRow, StaffStepRow
from controller.usecases.factors import (
    PasskeyRefused,
    asked_of,
    is_totp,
    passkey_of,
    recovery_hash,
    verified,
)
from controller.usecases.sign_in_alert import tell_new_in
from controller.usecases.staff_names import login_of, who_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controller.deps import Deps
    from controller.passwords import Passwords
    from controller.store.database import Tx
    from controller.store.staff_rows import StaffRow

STEP_LASTS = timedelta(minutes=5)
STEP_TRIES_MAX = 5
SESSION_LASTS = timedelta(hours=12)
IDLE_MONEY = timedelta(minutes=30)
"""Roles that can book money, give access or run the staff end after so long without a request."""

IDLE_OTHERS = SESSION_LASTS
TOUCH_EVERY = timedelta(minutes=1)
SECRET_BYTES = 32
CHALLENGE = "staff-challenge"

STEP, SESSION, BROWSER, NETWORK, TRY = (
    "staff-step",
    "staff-session",
    "staff-browser",
    "staff-network",
    "staff-try",
)
"""Purposes of the keyed hashes."""

_MONEY = (Right.BOOK_MONEY, Right.GIVE_ACCESS, Right.RUN_STAFF)


class NotSignedIn(Exception):  # noqa: N818 - a refusal, see style
    """What was shown does not fit; more is not said."""

    def __init__(self, why: str = "name, password or code do not fit") -> None:
        super().__init__(why)


class StepOver(NotSignedIn):
    """The sign-in took too long, or too many wrong codes were given: begin again."""

    def __init__(self) -> None:
        super().__init__("this sign-in is over; begin again")


class TooSoon(Exception):  # noqa: N818 - a refusal, see style
    """After so many failures the next try must wait for ``wait_s``."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many tries; wait {wait_s} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a sign-in comes from. ``browser`` is what we gave that browser to keep, or ""."""

    address: str
    device: str
    browser: str = field(default="", repr=False)
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session, and what its browser is to keep to be known again."""

    staff_id: str
    session: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a browser's authenticator is asked (JSON), and the step that waits for its answer."""

    step: str = field(repr=False)
    options: str = field(repr=False)


def idle_max(role: Role) -> timedelta:
    """How long a session of a role may be left without a request."""
    who = Who("", "", role)
    return IDLE_MONEY if any(who.may(right) for right in _MONEY) else IDLE_OTHERS


async def with_password(
    deps: Deps, passwords: Passwords, login: str, password: str, caller: Caller
) -> str:
    """The step that waits for a second factor. Raises `NotSignedIn`, `TooSoon`."""
    named = login_of(login)
    subjects = await _take_turn(deps, named, caller)
    async with deps.db.read() as tx:
        row = await staff.by_login(tx, named)
    usable = row if row is not None and row.disabled_at is None else None
    verdict = await passwords.check(usable.password_hash if usable else "", password)
    if usable is None or not verdict.is_right:
        raise NotSignedIn
    newer = await passwords.hashed(password) if verdict.is_stale else ""
    async with deps.db.begin() as tx:
        if newer:
            fresh = await staff.load(tx, usable.id, lock=True)
            assert fresh is not None, "accounts stay"
            if fresh.password_hash == usable.password_hash:
                fresh.password_hash = newer
        await _taken_back(tx, subjects)
        return await _new_step(tx, deps, "second", usable.id, secrets.token_bytes(SECRET_BYTES))


async def with_code(deps: Deps, step: str, code: str, caller: Caller) -> SignedIn:
    """A session, by a code of an authenticator app or a recovery code.

    Raises `StepOver`, `NotSignedIn`, `TooSoon`.
    """
    subjects, row = await _take_step_turn(deps, step, caller)
    with acting_as(deps, row, caller, route="sign in"):
        async with deps.db.begin() as tx:
            fresh = await _account(tx, row.id)
            factor = await _code_of(tx, deps, fresh, code)
            if not factor:
                raise NotSignedIn
            if not await sign_ins.use_step(tx, _hash(deps, STEP, step), deps.now()):
                raise StepOver
            await _forgive(tx, subjects)
            return await _begun(tx, deps, fresh, caller, factor)


async def ask_passkey(deps: Deps, step: str = "") -> Asked:
    """Ask for a passkey: of the account of a step, or whichever the browser has.

    Nothing is written down for a stranger who asks: the browser carries their challenge, sealed.
    Raises `StepOver`, `PasskeyRefused` where no passkey can be used.
    """
    if not step:
        challenge = secrets.token_bytes(SECRET_BYTES)
        return Asked(_sealed(deps, challenge), asked_of(deps, challenge, ()))
    async with deps.db.read() as tx:
        waiting = await sign_ins.step(tx, _hash(deps, STEP, step), deps.now(), lock=False)
        if waiting is None or waiting.kind != "second" or waiting.staff_id is None:
            raise StepOver
        theirs = await staff.passkeys(tx, waiting.staff_id)
        return Asked(step, asked_of(deps, waiting.challenge, theirs))


async def with_passkey(deps: Deps, step: str, answer: str, caller: Caller) -> SignedIn:
    """A session, by what an authenticator answered (JSON) to the challenge of a step.

    Raises `StepOver`, `NotSignedIn`, `TooSoon`.
    """
    now = deps.now()
    async with deps.db.read() as tx:
        waiting = await _waiting(tx, deps, step)
        shown = await passkey_of(tx, answer)
        row = None if shown is None else await staff.load(tx, shown.staff_id)
    subjects = await _take_turn(deps, row.login if row else "", caller)
    if shown is None or row is None or waiting.staff_id not in {None, row.id}:
        raise NotSignedIn
    async with deps.db.begin() as tx:
        # Used up whatever comes of it: a challenge is answered once.
        if not await _use_up(tx, waiting, now):
            raise StepOver
    with acting_as(deps, row, caller, route="sign in"):
        async with deps.db.begin() as tx:
            fresh = await _account(tx, row.id)
            kept = await staff.passkey(tx, shown.id, lock=True)
            if kept is None:
                raise NotSignedIn
            try:
                alone = waiting.staff_id is None
                count = verified(deps, answer, waiting.challenge, kept, alone=alone)
            except PasskeyRefused as refused:
                raise NotSignedIn from refused
            kept.sign_count, kept.used_at = count, now
            await _forgive(tx, subjects)
            return await _begun(tx, deps, fresh, caller, "passkey")


async def begin_session(
    tx: Tx, deps: Deps, row: StaffRow, caller: Caller, *, factor: str
) -> SignedIn:
    """A session of an account whose factors have just been chosen, in the caller's transaction."""
    return await _begun(tx, deps, row, caller, factor)


async def session_of(deps: Deps, token: str) -> tuple[StaffSessionRow, Who] | None:
    """The session of a cookie and who has it, if it still holds. Notes now and then that it does.

    A session ends when it is revoked, after `SESSION_LASTS`, when it was idle for too long, and
    with the account.
    """
    found, now = await look_at_session(deps, token), deps.now()
    if found is not None and now - found[0].seen_at >= TOUCH_EVERY:
        async with deps.db.begin() as tx:
            await sign_ins.touch(tx, found[0].id, now)
    return found


async def look_at_session(deps: Deps, token: str) -> tuple[StaffSessionRow, Who] | None:
    """The same without noting it: a page that is only left open does not keep a session alive."""
    now = deps.now()
    async with deps.db.read() as tx:
        found = await sign_ins.session(tx, _hash(deps, SESSION, token))
    if found is None:
        return None
    session, row = found
    idle = now - session.seen_at >= idle_max(Role(row.role))
    if session.ended_at is not None or session.ends_at <= now or idle or row.disabled_at:
        return None
    return session, who_of(row)


async def end_session_of(deps: Deps, token: str) -> None:
    """End the session of a cookie, if there is one."""
    async with deps.db.begin() as tx:
        found = await sign_ins.session(tx, _hash(deps, SESSION, token))
        if found is not None:
            await sign_ins.end_session(tx, found[1].id, found[0].id, deps.now())


async def new_step(tx: Tx, deps: Deps, kind: str, staff_id: str | None, challenge: bytes) -> str:
    """A step that waits for an answer, in the caller's transaction; its secret name."""
    return await _new_step(tx, deps, kind, staff_id, challenge)


def step_hash(deps: Deps, step: str) -> str:
    """How the step of a secret name is kept."""
    return _hash(deps, STEP, step)


async def _account(tx: Tx, staff_id: str) -> StaffRow:
    row = await staff.load(tx, staff_id, lock=True)
    if row is None or row.disabled_at is not None or not row.password_hash:
        raise NotSignedIn
    return row


async def _code_of(tx: Tx, deps: Deps, row: StaffRow, code: str) -> str:
    """Which factor a code is, used up by this; "" when it is none."""
    digits = "".join(code.split())
    if row.totp_sealed is not None:
        step = is_totp(deps.vault.unseal(bytes(row.totp_sealed)).decode(), digits, deps.now())
        if step is not None and await staff.use_step(tx, row.id, step):
            return "totp"
    if await staff.use_recovery(tx, row.id, recovery_hash(deps.vault, code), deps.now()):
        return "recovery"
    return ""


async def _waiting(tx: Tx, deps: Deps, step: str) -> StaffStepRow:
    """The step that waits for a passkey. Raises `StepOver`."""
    challenge = _unsealed(deps, step)
    if challenge is None:
        found = await sign_ins.step(tx, _hash(deps, STEP, step), deps.now(), lock=False)
        if found is None or found.kind != "second":
            raise StepOver
        return found
    # By the challenge and not by the cookie, of which there may be several spellings.
    return _step(deps, challenge.hex(), "passkey", None, challenge)


async def _use_up(tx: Tx, waiting: StaffStepRow, now: datetime) -> bool:
    """Let a challenge be answered once; False when it was before."""
    if waiting.kind == "passkey":
        waiting.used_at = now
        return await sign_ins.keep_used_step(tx, waiting)
    return await sign_ins.use_step(tx, waiting.token_hash, now)


def _sealed(deps: Deps, challenge: bytes) -> str:
    until = (deps.now() + STEP_LASTS).isoformat()
    told = {"purpose": CHALLENGE, "challenge": challenge.hex(), "until": until}
    return deps.vault.seal(json.dumps(told).encode()).decode()


def _unsealed(deps: Deps, step: str) -> bytes | None:
    try:
        told = json.loads(deps.vault.unseal(step.encode()))
        if told["purpose"] == CHALLENGE and datetime.fromisoformat(told["until"]) > deps.now():
            return bytes.fromhex(told["challenge"])
    except (InvalidToken, ValueError, KeyError, TypeError):
        pass
    return None


async def _new_step(tx: Tx, deps: Deps, kind: str, staff_id: str | None, challenge: bytes) -> str:
    name = secrets.token_urlsafe(SECRET_BYTES)
    tx.add(_step(deps, name, kind, staff_id, challenge))
    await tx.flush()
    return name


def _step(deps: Deps, name: str, kind: str, staff_id: str | None, challenge: bytes) -> StaffStepRow:
    return StaffStepRow(
        token_hash=_hash(deps, STEP, name),
        kind=kind,
        staff_id=staff_id,
        challenge=challenge,
        expires_at=deps.now() + STEP_LASTS,
        tries=0,
        used_at=None,
    )


async def _begun(tx: Tx, deps: Deps, row: StaffRow, caller: Caller, factor: str) -> SignedIn:
    now, token = deps.now(), secrets.token_urlsafe(SECRET_BYTES)
    before = await sign_ins.known(tx, row.id)
    is_known = bool(caller.browser) and _hash(deps, BROWSER, caller.browser) in before
    browser = caller.browser if is_known else secrets.token_urlsafe(SECRET_BYTES)
    tx.add(
        StaffSessionRow(
            id=secrets.token_hex(16),
            token_hash=_hash(deps, SESSION, token),
            staff_id=row.id,
            created_at=now,
            seen_at=now,
            ends_at=now + SESSION_LASTS,
            ended_at=None,
            address=caller.address[:64],
            device=caller.device[:80],
            factor=factor,
        )
    )
    marks = {
        _hash(deps, BROWSER, browser): "browser",
        _hash(deps, NETWORK, slowing.place_of(caller.address)): "network",
    }
    if before and set(marks) - set(before):
        await tell_new_in(tx, deps, row, device=caller.device, address=caller.address)
    await sign_ins.know(tx, row.id, marks, now)
    row.signed_in_at = now
    await tx.flush()
    return SignedIn(row.id, token, browser)


@dataclass(frozen=True, slots=True)
class _Subjects:
    """By what a try is counted: the pair (or a known browser) alone, and the address."""

    own: str
    address: str


async def _take_turn(deps: Deps, login: str, caller: Caller) -> _Subjects:
    """Count a try as failed, before it is looked at. Raises `TooSoon`."""
    host, mark = slowing.host_of(caller.address), _hash(deps, BROWSER, caller.browser)
    async with deps.db.begin() as tx:
        is_known = bool(caller.browser) and await sign_ins.knows(tx, login, mark)
        own = f"{mark} {login}" if is_known else f"{host} {login}"
        subjects = _Subjects(_hash(deps, TRY, own), "" if is_known else _hash(deps, TRY, host))
        free = {subjects.own: slowing.FREE_OF_ACCOUNT}
        if subjects.address:
            free[subjects.address] = slowing.FREE_OF_ADDRESS
        is_account = await staff.by_login(tx, login) is not None
        where = host.removesuffix("/32")[:64]
        tried = {subjects.address: sign_ins.Tried(host=where)}
        if is_account:
            tried[subjects.own] = sign_ins.Tried(login, where)
        await _count(tx, free, deps.now(), tried)
        return subjects


async def take_turn(deps: Deps, subject: str) -> str:
    """Count a try of somebody by itself, as failed; for `forgive_turn`. Raises `TooSoon`."""
    own = _hash(deps, TRY, subject)
    async with deps.db.begin() as tx:
        await _count(tx, {own: slowing.FREE_OF_ACCOUNT}, deps.now(), {})
    return own


async def forgive_turn(deps: Deps, turn: str) -> None:
    """Forget the failures of a turn that was right."""
    async with deps.db.begin() as tx:
        await sign_ins.take_back(tx, {turn: True})


async def _count(
    tx: Tx, free: Mapping[str, int], now: datetime, tried: Mapping[str, sign_ins.Tried]
) -> None:
    failed = await sign_ins.failures(tx, list(free), now)
    longest = max(slowing.wait(*failed[one], now, free=free[one]) for one in free)
    if longest > timedelta():
        raise TooSoon(-(-longest // timedelta(seconds=1)))
    counts = {one: slowing.counted(*failed[one], now) for one in free}
    await sign_ins.keep_failures(tx, counts, now, tried)


async def _take_step_turn(deps: Deps, step: str, caller: Caller) -> tuple[_Subjects, StaffRow]:
    """The same for the second factor; and whose step it is."""
    async with deps.db.begin() as tx:
        waiting = await sign_ins.step(tx, _hash(deps, STEP, step), deps.now(), lock=True)
        if waiting is None or waiting.kind != "second" or waiting.staff_id is None:
            raise StepOver
        if waiting.tries >= STEP_TRIES_MAX:
            raise StepOver
        waiting.tries += 1
        row = await staff.load(tx, waiting.staff_id)
        assert row is not None, "accounts stay"
    return await _take_turn(deps, row.login, caller), row


async def _taken_back(tx: Tx, subjects: _Subjects) -> None:
    """Take back the failure that this try was counted as, for it was right."""
    await sign_ins.take_back(tx, {one: False for one in (subjects.own, subjects.address) if one})


async def _forgive(tx: Tx, subjects: _Subjects) -> None:
    """Forget the failures of whoever has shown everything; of their address, only this try."""
    one_of = {subjects.address: False} if subjects.address else {}
    await sign_ins.take_back(tx, {subjects.own: True, **one_of})


@contextmanager
def acting_as(deps: Deps, row: StaffRow, caller: Caller, *, route: str) -> Iterator[None]:
    """Let the audit log say who comes in, and how: no request is let in as them yet."""
    who = Actor(
        staff_id=row.id,
        name=row.name,
        address=caller.address,
        route=route,
        request_id=caller.request_id,
        at=deps.now(),
    )
    with acting(replace(who, about=("staff", row.id))):
        yield


def _hash(deps: Deps, purpose: str, secret: str) -> str:
    return deps.vault.fingerprint(purpose, secret)
