"""Members of staff for tests: taken on, and signed in by the real pages."""

from __future__ import annotations

import secrets
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx2
import pyotp
from argon2 import PasswordHasher

from controller.api.app import create_app
from controller.passwords import Passwords
from controller.rights import Role, Who
from controller.store.billing_rows import BranchRow
from controller.store.staff_rows import ApiTokenRow
from controller.usecases import staff
from controller.usecases.api_tokens import PREFIX, PURPOSE
from controller.usecases.sign_in import Caller
from tests.support.office import NOON, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.office import Office

SAME = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "four wet goats sing"
KEY = Who("key", "the key", Role.OWNER)
PUBLIC = "http://localhost:8080"
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""Real hashes that take no time: there are many sign-ins in tests, and the rule is the same."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who can sign in."""

    id: str
    login: str
    secret: str
    codes: tuple[str, ...]

    def code(self, office: Office, *, steps: int = 0) -> str:
        """What their app shows, some steps of 30 s from now."""
        return pyotp.TOTP(self.secret).at(int(office.clock().timestamp()) + 30 * steps)


def public(office: Office, url: str = PUBLIC) -> Office:
    """The office at an address for which browsers know passkeys."""
    told = office.deps.settings
    http = told.http.model_copy(update={"public_url": url})
    return replace(
        office, deps=replace(office.deps, settings=told.model_copy(update={"http": http}))
    )


@asynccontextmanager
async def browser(
    office: Office, *, address: str = "197.232.61.9", agent: str = "Firefox/130.0 (X11; Linux)"
) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that keeps its cookies, at an address; argon2 is cheap here."""
    app = create_app(office.deps)
    app.state.staff.passwords = CHEAP
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 4711))
    headers = {**SAME, "User-Agent": agent}
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC, headers=headers) as client:
        yield client
    await app.state.hub.close()


@asynccontextmanager
async def opened_by_name(office: Office) -> AsyncIterator[tuple[str, Office]]:
    """The application at an address for which browsers know passkeys, and its office."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://localhost:{listening.getsockname()[1]}"
        named = public(office, url)
        async with serving(create_app(named.deps), listening):
            yield url, named


async def an_owner(office: Office, login: str = "amina@example.co.ke") -> Member:
    """The first owner, made by the link of the machine."""
    invited = await staff.invite_owner(office.deps, KEY)
    return await _come_in(office, invited.token, login=login, name="Amina Wanjiru")


async def a_member(
    office: Office,
    role: Role = Role.CASHIER,
    *,
    login: str = "juma@example.co.ke",
    branches: frozenset[str] | None = None,
) -> Member:
    """Somebody taken on by the machine's owner, who has accepted."""
    new = staff.NewStaff(login=login, name="Juma Otieno", role=role, branches=branches)
    invited = await staff.add(office.deps, KEY, new)
    return await _come_in(office, invited.token, login=login)


async def _come_in(office: Office, token: str, *, login: str, name: str = "") -> Member:
    app = staff.offer(office.deps, token)
    code = pyotp.TOTP(app.secret).at(int(office.clock().timestamp()))
    done = await staff.accept(
        office.deps,
        CHEAP,
        token,
        password=PASSWORD,
        sealed=app.sealed,
        code=code,
        caller=Caller("197.232.61.9", "Firefox on Linux"),
        login=login,
        name=name,
    )
    office.clock.forward(seconds=60)  # the code of this moment is used up
    return Member(done.signed_in.staff_id, login, app.secret, done.codes)


async def signed_in(office: Office, client: httpx2.AsyncClient, who: Member) -> None:
    """Sign in by the pages, as a person does."""
    answer = await client.post("/noc/login", data={"login": who.login, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    answer = await client.post("/noc/second", data={"code": who.code(office)})
    assert answer.status_code == 303, answer.text
    office.clock.forward(seconds=60)


async def a_token(
    office: Office, role: Role, branches: frozenset[str] | None = None, *, staff_id: str = ""
) -> str:
    """A key of a role, as a program has it."""
    secret = PREFIX + secrets.token_urlsafe(32)
    row = ApiTokenRow(
        id=secrets.token_hex(16),
        token_hash=office.deps.vault.fingerprint(PURPOSE, secret),
        staff_id=staff_id or None,
        name=f"a {role.value}",
        role=role.value,
        branches=None if branches is None else " ".join(sorted(branches)),
        created_at=office.clock(),
        expires_at=None,
        used_at=office.clock(),
        revoked_at=None,
    )
    await office.keep(row)
    return secret


def a_branch(branch_id: str) -> BranchRow:
    """A branch."""
    return BranchRow(
        id=branch_id,
        name=branch_id.title(),
        address="",
        phone="",
        email="",
        kra_branch="01",
        created_at=NOON,
    )
