"""What may happen once happens once, also when many come at the same moment; on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyotp

from controller.rights import Role
from controller.store import sign_ins
from controller.usecases import sign_in, staff
from controller.usecases.sign_in import Caller, NotSignedIn, StepOver, TooSoon
from controller.usecases.staff import InvitationOver, LastOwner, LoginTaken, OwnerExists
from tests.support.office import an_office
from tests.support.staff import CHEAP, KEY, PASSWORD, a_member, an_owner

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from controller.store.database import Database
    from tests.support.office import Office
    from tests.support.staff import Member

HERE = Caller("197.232.61.9", "Firefox on Linux")
MANY = 8


async def outcomes(*deeds: Awaitable[object]) -> list[str]:
    """What came of deeds that are tried at the same moment: done, or the refusal."""
    found = await asyncio.gather(*deeds, return_exceptions=True)
    return sorted(type(one).__name__ if isinstance(one, Exception) else "done" for one in found)


async def step_of(office: Office, who: Member) -> str:
    return await sign_in.with_password(office.deps, CHEAP, who.login, PASSWORD, HERE)


async def test_one_code_opens_one_of_many_steps(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    owner = await an_owner(office)
    steps = [await step_of(office, owner) for _ in range(4)]
    code = owner.code(office)
    found = await outcomes(*(sign_in.with_code(office.deps, step, code, HERE) for step in steps))

    assert found.count("done") == 1
    assert set(found) <= {"done", NotSignedIn.__name__, TooSoon.__name__}


async def test_one_recovery_code_opens_one_of_many_steps(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    owner = await an_owner(office)
    steps = [await step_of(office, owner) for _ in range(4)]
    found = await outcomes(
        *(sign_in.with_code(office.deps, step, owner.codes[0], HERE) for step in steps)
    )

    assert found.count("done") == 1


async def test_one_step_begins_one_session(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    owner = await an_owner(office)
    step = await step_of(office, owner)
    found = await outcomes(
        sign_in.with_code(office.deps, step, owner.code(office), HERE),
        sign_in.with_code(office.deps, step, owner.codes[0], HERE),
    )
    async with db.read() as tx:
        sessions = await sign_ins.sessions(tx, owner.id, office.clock())

    assert found == [StepOver.__name__, "done"]
    assert len(sessions) == 2  # with that of the welcome


async def test_guesses_at_one_moment_gain_nothing(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    owner = await an_owner(office)
    other = Caller("41.90.1.1", "curl")
    found = await outcomes(
        *(
            sign_in.with_password(office.deps, CHEAP, owner.login, f"guess {n}", other)
            for n in range(MANY)
        )
    )

    assert found == [NotSignedIn.__name__] * 5 + [TooSoon.__name__] * (MANY - 5)


def test_passwords_are_of_no_one_loop() -> None:
    async def many() -> list[str]:
        return await outcomes(*(CHEAP.check("", PASSWORD) for _ in range(MANY)))

    assert [asyncio.run(many()) for _ in range(2)] == [["done"] * MANY] * 2


async def test_one_invitation_makes_one_owner(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    invited = await staff.invite_owner(office.deps, KEY)
    app = staff.offer(office.deps, invited.token)
    code = pyotp.TOTP(app.secret).at(int(office.clock().timestamp()))
    found = await outcomes(
        *(
            staff.accept(
                office.deps,
                CHEAP,
                invited.token,
                password=PASSWORD,
                sealed=app.sealed,
                code=code,
                caller=HERE,
                login=f"owner{n}@example.co.ke",
                name="Amina",
            )
            for n in range(4)
        )
    )

    assert found == [InvitationOver.__name__] * 3 + ["done"]


async def test_two_owners_cannot_remove_each_other(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    first = await an_owner(office)
    second = await a_member(office, Role.OWNER, login="second@example.co.ke")
    change = staff.StaffChange(disabled=True)
    found = await outcomes(
        staff.change(office.deps, KEY, first.id, change),
        staff.change(office.deps, KEY, second.id, change),
    )

    assert found == [LastOwner.__name__, "done"]


async def test_a_login_is_taken_by_one_of_many(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    new = staff.NewStaff("juma@example.co.ke", "Juma", Role.CASHIER)
    found = await outcomes(*(staff.add(office.deps, KEY, new) for _ in range(4)))

    assert found == [LoginTaken.__name__] * 3 + ["done"]


async def test_a_session_is_found_until_it_is_ended(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    owner = await an_owner(office)
    step = await step_of(office, owner)
    new = await sign_in.with_code(office.deps, step, owner.code(office), HERE)
    before = await sign_in.session_of(office.deps, new.session)
    await sign_in.end_session_of(office.deps, new.session)
    after = await sign_in.session_of(office.deps, new.session)

    assert before is not None
    assert (before[1].id, after) == (owner.id, None)


async def test_there_is_one_first_owner(db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, db)
    await an_owner(office)

    assert await outcomes(staff.invite_owner(office.deps, KEY)) == [OwnerExists.__name__]


async def test_many_count_and_are_forgiven_at_once(db: Database) -> None:
    async def count() -> None:
        async with db.begin() as tx:
            now = datetime.now(UTC)
            failed = await sign_ins.failures(tx, ["host", "account"], now)
            counts = {one: failures + 1 for one, (failures, _) in failed.items()}
            await sign_ins.keep_failures(tx, counts, now, {})

    async def forgive() -> None:
        async with db.begin() as tx:
            await sign_ins.take_back(tx, {"host": False, "account": True})

    await count()
    found = await outcomes(*(deed() for _ in range(MANY) for deed in (count, forgive)))
    async with db.begin() as tx:
        left = await sign_ins.failures(tx, ["host", "account"], datetime.now(UTC))

    assert set(found) == {"done"}
    assert all(0 <= failures <= MANY for failures, _ in left.values())
