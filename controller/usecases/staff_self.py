"""What members of staff do with their own account: password, factors, recovery codes."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.passwords import good_password
from controller.store import sign_ins, staff
from controller.usecases import particulars
from controller.usecases.factors import (
    asked_to_make,
    is_totp,
    made,
    new_recovery_codes,
    recovery_hash,
)
from controller.usecases.sign_in import (
    SECRET_BYTES,
    Asked,
    StepOver,
    forgive_turn,
    new_step,
    step_hash,
    take_turn,
)
from controller.usecases.staff import StaffUnknown

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.passwords import Passwords
    from controller.store.database import Tx
    from controller.store.staff_rows import StaffRow

PASSKEYS_MAX = 10


async def change_password(
    deps: Deps, passwords: Passwords, staff_id: str, *, session_id: str, old: str, new: str
) -> None:
    """Choose another password; every other session and every API token ends.

    Raises `InvalidField`, `TooSoon`.
    """
    row = await must_know(deps, passwords, staff_id, old)
    good_password(new, login=row.login)
    hashed = await passwords.hashed(new)
    async with deps.db.begin() as tx:
        row = await _own(tx, staff_id, lock=True)
        row.password_hash = hashed
        await staff.end_everything(tx, staff_id, deps.now(), tokens=True, but_session=session_id)


async def must_know(deps: Deps, passwords: Passwords, staff_id: str, password: str) -> StaffRow:
    """The account of somebody who knows its password. Raises `InvalidField`, `TooSoon`.

    A browser that was left open may be anybody's: wrong ones are slowed down as at sign-in.
    """
    turn = await take_turn(deps, f"own {staff_id}")
    async with deps.db.read() as tx:
        row = await _own(tx, staff_id)
    if not (await passwords.check(row.password_hash, password)).is_right:
        raise InvalidField("password", "this is not your password")
    await forgive_turn(deps, turn)
    return row


async def end_other_sessions(deps: Deps, staff_id: str, session_id: str) -> None:
    """End every session of an account but one."""
    async with deps.db.begin() as tx:
        await staff.end_everything(tx, staff_id, deps.now(), tokens=False, but_session=session_id)


async def change_totp(deps: Deps, staff_id: str, *, secret: str, code: str) -> None:
    """Use another authenticator app from now on. Raises `InvalidField`."""
    step = is_totp(secret, "".join(code.split()), deps.now())
    if step is None:
        raise InvalidField("code", "this is not the code that the app shows now")
    async with deps.db.begin() as tx:
        row = await _own(tx, staff_id, lock=True)
        row.totp_sealed, row.totp_step = deps.vault.seal(secret.encode()), step


async def new_codes(deps: Deps, staff_id: str) -> tuple[str, ...]:
    """Ten new recovery codes, shown this once; older ones are good no more."""
    codes = new_recovery_codes()
    async with deps.db.begin() as tx:
        row = await _own(tx, staff_id, lock=True)
        await staff.set_recovery(tx, row.id, [recovery_hash(deps.vault, one) for one in codes])
    return codes


async def ask_new_passkey(deps: Deps, staff_id: str) -> Asked:
    """Ask the browser for a new passkey. Raises `PasskeyRefused`, `InvalidField`."""
    challenge = secrets.token_bytes(SECRET_BYTES)
    async with deps.db.begin() as tx:
        row = await _own(tx, staff_id)
        theirs = await staff.passkeys(tx, staff_id)
        if len(theirs) >= PASSKEYS_MAX:
            raise InvalidField("passkey", f"want at most {PASSKEYS_MAX}; remove one first")
        options = asked_to_make(deps, row, challenge, theirs)
        return Asked(await new_step(tx, deps, "add", staff_id, challenge), options)


async def add_passkey(deps: Deps, staff_id: str, *, step: str, answer: str, name: str) -> None:
    """Keep the passkey that the browser made. Raises `PasskeyRefused`, `StepOver`."""
    named = particulars.line("name", name, length_max=80) or "Passkey"
    hashed = step_hash(deps, step)
    async with deps.db.begin() as tx:
        waiting = await sign_ins.step(tx, hashed, deps.now(), lock=False)
        if waiting is None or waiting.kind != "add" or waiting.staff_id != staff_id:
            raise StepOver
        challenge = waiting.challenge
        if not await sign_ins.use_step(tx, hashed, deps.now()):
            raise StepOver
    async with deps.db.begin() as tx:
        row = await _own(tx, staff_id, lock=True)
        if not await staff.add_passkey(tx, made(deps, row, answer, challenge, named)):
            raise InvalidField("passkey", "this passkey is known already")


async def remove_passkey(deps: Deps, staff_id: str, key: str) -> bool:
    """Forget a passkey; the app's codes stay. Whether it was there."""
    async with deps.db.begin() as tx:
        await _own(tx, staff_id, lock=True)
        return await staff.remove_passkey(tx, staff_id, key)


async def end_session(deps: Deps, staff_id: str, session_id: str) -> bool:
    """End one of one's own sessions; whether it was there."""
    async with deps.db.begin() as tx:
        return await sign_ins.end_session(tx, staff_id, session_id, deps.now())


async def _own(tx: Tx, staff_id: str, *, lock: bool = False) -> StaffRow:
    row = await staff.load(tx, staff_id, lock=lock)
    if row is None:
        raise StaffUnknown(staff_id)
    return row
