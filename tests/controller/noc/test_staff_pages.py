"""The pages of the staff and of one's own account."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import httpx2
import pyotp
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import select

from controller.api.app import described_app
from controller.rights import RIGHTS, Right, Role
from controller.store.staff_rows import ApiTokenRow, StaffRow, StaffSessionRow
from controller.usecases import staff as usecase
from tests.support.office import Office, caller, opened
from tests.support.staff import KEY, PASSWORD, SAME, a_member, a_token, an_owner, browser, signed_in
from tests.support.two_branches import HERE, IDS, THERE, two_branches

NEW = "seven dry camels hum"


async def test_an_owner_takes_somebody_on_by_the_page(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        form = {"login": "0722 000 111", "name": "Achieng", "role": "technician", "branches": ""}
        made = await client.post("/noc/staff", data=form)
        page = await client.get("/noc/staff")
    link = re.search(r"/noc/welcome\?token=[\w-]{43}", made.text)

    assert (made.status_code, link is not None) == (201, True)
    assert "Achieng" in page.text
    assert "254722000111" not in page.text


async def test_somebody_is_let_in_no_more_and_again(office: Office) -> None:
    owner, member = await an_owner(office), await a_member(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        states = []
        for deed in ("disable", "enable"):
            await client.post(f"/noc/staff/{member.id}/{deed}")
            async with office.deps.db.read() as tx:
                row = await tx.get_one(StaffRow, member.id)
            states.append(row.disabled_at is not None)

    assert states == [True, False]


async def test_a_reset_wants_its_word_typed(office: Office) -> None:
    owner, member = await an_owner(office), await a_member(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        path = f"/noc/staff/{member.id}/reset"
        answers = [await client.post(path, data={"sure": word}) for word in ("", "reset")]

    assert [answer.status_code for answer in answers] == [422, 201]


async def test_an_admin_is_not_shown_how_to_change_an_owner(office: Office) -> None:
    owner = await an_owner(office)
    admin = await a_member(office, Role.ADMIN)
    async with browser(office) as client:
        await signed_in(office, client, admin)
        page = await client.get("/noc/staff")
        answer = await client.post(f"/noc/staff/{owner.id}/disable")
        after = await client.get("/noc/staff")

    assert f"/noc/staff/{owner.id}" not in page.text
    assert answer.status_code == 303
    assert "above yours" in after.text


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
async def test_the_page_is_there_for_whom_it_is_meant(office: Office, role: Role) -> None:
    member = await a_member(office, role)
    async with browser(office) as client:
        await signed_in(office, client, member)
        page = await client.get("/noc/staff")
        add = await client.post("/noc/staff", data={})
        own = await client.get("/noc/me")

    assert (page.status_code == 200) is (Right.SEE_STAFF in RIGHTS[role])
    assert (add.status_code != 403) is (Right.RUN_STAFF in RIGHTS[role])
    assert own.status_code == 200


async def test_the_overview_shows_what_is_of_ones_own_branches(office: Office) -> None:
    await two_branches(office)
    member = await a_member(office, Role.SUPPORT, branches=frozenset({HERE}))
    async with browser(office) as client:
        await signed_in(office, client, member)
        page = (await client.get("/noc")).text

    assert IDS[HERE]["site"] in page
    assert IDS[THERE]["site"] not in page
    assert "1 session" in page


@pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.READ_ONLY], ids=lambda role: role.value)
async def test_money_is_shown_to_whom_it_concerns(office: Office, role: Role) -> None:
    await two_branches(office)
    member = await a_member(office, role)
    async with browser(office) as client:
        await signed_in(office, client, member)
        sites = IDS[HERE]["site"]
        told = [await client.get(path) for path in ("/noc", "/noc/sites", f"/noc/sites/{sites}")]
        payments = await client.get("/noc/payments")

    assert [page.status_code for page in told] == [200] * 3
    shown = ["aken today" in told[0].text, ">Today<" in told[1].text, "aken today" in told[2].text]
    assert [*shown, payments.status_code == 200] == [role is Role.READ_ONLY] * 4


async def test_a_cashier_s_day_begins_at_the_counter(office: Office) -> None:
    member = await a_member(office, Role.CASHIER)
    async with browser(office) as client:
        await signed_in(office, client, member)
        front = await client.get("/noc")
        counter = await client.get("/noc/counter")

    assert (front.status_code, front.headers["location"]) == (303, "/noc/counter")
    assert counter.status_code == 200


# One's own account


async def test_another_password_ends_every_other_session(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as mine, browser(office) as other:
        for client in (mine, other):
            await signed_in(office, client, owner)
        form = {"old": PASSWORD, "password": NEW, "again": NEW}
        await mine.post("/noc/me/password", data=form)
        pages = [(await client.get("/noc/me")).status_code for client in (mine, other)]
        again = await other.post("/noc/login", data={"login": owner.login, "password": NEW})

    assert pages == [200, 401]
    assert again.status_code == 303


@pytest.mark.parametrize(
    "form",
    [
        {"old": "wrong", "password": NEW, "again": NEW},
        {"old": PASSWORD, "password": NEW, "again": "another"},
        {"old": PASSWORD, "password": "short", "again": "short"},
    ],
)
async def test_a_password_that_cannot_be_is_not_taken(office: Office, form: dict[str, str]) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        await client.post("/noc/me/password", data=form)
        old = await client.post("/noc/login", data={"login": owner.login, "password": PASSWORD})

    assert old.status_code == 303


async def test_another_app_is_used_once_its_code_was_shown(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        page = (await client.get("/noc/me", params={"app": "new"})).text
        sealed = re.search(r'name="sealed" value="([^"]+)"', page)
        secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
        assert sealed is not None
        assert secret is not None
        totp = pyotp.TOTP(secret[1].replace(" ", ""))
        code = totp.at(int(office.clock().timestamp()))
        form = {"sealed": sealed[1], "code": code, "password": PASSWORD}
        await client.post("/noc/me/app", data=form)
        office.clock.forward(seconds=60)
        await client.post("/noc/login", data={"login": owner.login, "password": PASSWORD})
        old = await client.post("/noc/second", data={"code": owner.code(office)})
        now = totp.at(int(office.clock().timestamp()))
        new = await client.post("/noc/second", data={"code": now})

    assert (old.status_code, new.status_code) == (401, 303)


async def test_new_recovery_codes_end_the_old(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        shown = await client.post("/noc/me/codes", data={"password": PASSWORD})
        codes = re.findall(r"<code>([a-z2-9]{5}-[a-z2-9]{5})</code>", shown.text)
        statuses = []
        for code in (owner.codes[0], codes[0]):
            await client.post("/noc/login", data={"login": owner.login, "password": PASSWORD})
            answer = await client.post("/noc/second", data={"code": code})
            statuses.append(answer.status_code)

    assert len(codes) == 10
    assert statuses == [401, 303]


FACTORS = ("/noc/me/app", "/noc/me/codes", "/noc/me/passkeys/x/remove", "/noc/me/tokens")


@pytest.mark.parametrize("path", FACTORS)
async def test_a_browser_left_open_does_not_change_how_one_signs_in(
    office: Office, path: str
) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        answers = [
            (await client.post(path, data={"password": "wrong"})).status_code for _ in range(6)
        ]

    assert answers == [422] * 5 + [429]


async def test_a_session_is_ended_by_its_owner_alone(office: Office) -> None:
    owner, member = await an_owner(office), await a_member(office)
    async with browser(office) as theirs, browser(office) as mine:
        await signed_in(office, theirs, owner)
        await signed_in(office, mine, member)
        async with office.deps.db.read() as tx:
            query = select(StaffSessionRow.id).where(StaffSessionRow.staff_id == owner.id)
            ids = list(await tx.scalars(query))
        for one in ids:
            await mine.post(f"/noc/me/sessions/{one}/end")
        before = (await theirs.get("/noc/me")).status_code
        await theirs.post("/noc/me/sessions/end")
        kept = (await theirs.get("/noc/me")).status_code
        for one in ids:
            await theirs.post(f"/noc/me/sessions/{one}/end")
        after = (await theirs.get("/noc/me")).status_code

    assert (before, kept, after) == (200, 200, 401)


TOKEN = {"name": "Laptop", "role": "cashier", "days": "90", "password": PASSWORD}


@pytest.mark.parametrize(
    "wrong",
    [{"password": ""}, {"password": "wrong"}, {"days": ""}, {"days": "0"}, {"days": "366"}],
    ids=str,
)
async def test_a_token_wants_the_password_and_an_end(office: Office, wrong: dict[str, str]) -> None:
    member = await a_member(office, Role.SUPPORT)
    async with browser(office) as client:
        await signed_in(office, client, member)
        answer = await client.post("/noc/me/tokens", data={**TOKEN, **wrong})
        none = await tokens_of(office)
        last = await client.post("/noc/me/tokens", data={**TOKEN, "days": "365"})
        made = await tokens_of(office)

    assert (answer.status_code, none, last.status_code) == (422, [], 200)
    assert [row.expires_at - row.created_at for row in made if row.expires_at] == [
        timedelta(days=365)
    ]


async def tokens_of(office: Office) -> list[ApiTokenRow]:
    async with office.deps.db.read() as tx:
        return list(await tx.scalars(select(ApiTokenRow)))


async def test_another_password_ends_the_tokens_and_the_page_says_so(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        page = await client.get("/noc/me")
        made = await client.post("/noc/me/tokens", data=TOKEN)
        token = re.search(r"lango_[\w-]{43}", made.text)
        form = {"old": PASSWORD, "password": NEW, "again": NEW}
        await client.post("/noc/me/password", data=form)
    assert token is not None
    async with caller(office, token[0]) as program:
        answer = await program.get("/api/v1/branches")

    assert "my other sessions and my API tokens end" in page.text
    assert answer.status_code == 401


async def test_a_token_is_made_shown_once_and_revoked(office: Office) -> None:
    member = await a_member(office, Role.SUPPORT)
    async with browser(office) as client:
        await signed_in(office, client, member)
        made = await client.post("/noc/me/tokens", data=TOKEN)
        page = await client.get("/noc/me")
        token = re.search(r"lango_[\w-]{43}", made.text)
        async with office.deps.db.read() as tx:
            (row,) = await tx.scalars(select(ApiTokenRow))
        await client.post(f"/noc/me/tokens/{row.id}/revoke")
    assert token is not None
    async with caller(office, token[0]) as program:
        answer = await program.get("/api/v1/branches")

    assert (row.role, row.staff_id) == ("cashier", member.id)
    assert token[0] not in page.text
    assert answer.status_code == 401


async def test_a_program_does_not_change_its_makers_account(office: Office) -> None:
    owner = await an_owner(office)
    token = await a_token(office, Role.OWNER, staff_id=owner.id)
    async with caller(office, token) as program:
        answer = await program.post(
            "/noc/me/codes", data={"password": PASSWORD}, headers={"Sec-Fetch-Site": "same-origin"}
        )

    assert answer.status_code == 403


OPEN = frozenset(
    ("/noc/login", "/noc/second", "/noc/welcome", "/noc/passkey/ask", "/noc/passkey/answer")
) | {"/noc/logout", "/noc/preferences"}
"""Here one comes in or goes out, or chooses colours."""


def posts_of_pages() -> list[str]:
    return sorted(
        route.path or ""
        for route in iter_route_contexts(described_app().routes)
        if "POST" in (route.methods or ()) and (route.path or "").startswith("/noc")
    )


FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "null"},
    {},
)


@pytest.mark.parametrize("path", posts_of_pages())
async def test_no_form_of_another_site_does_anything(office: Office, path: str) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        del client.headers["Sec-Fetch-Site"]
        answers = [
            await client.post(_filled(path), data={"password": PASSWORD}, headers=headers)
            for headers in FROM_ELSEWHERE
        ]

    assert [answer.status_code for answer in answers] == [403] * len(FROM_ELSEWHERE)


@pytest.mark.parametrize("path", sorted(set(posts_of_pages()) - OPEN))
async def test_nothing_is_done_for_a_stranger(office: Office, path: str) -> None:
    await an_owner(office)
    async with browser(office) as client:
        answer = await client.post(_filled(path), data={})

    assert answer.status_code == 401


def _filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "x", path)


async def test_a_stream_ends_with_the_account(office: Office) -> None:
    member = await a_member(office, Role.SUPPORT)
    async with opened(office) as url, httpx2.AsyncClient(headers=SAME, base_url=url) as client:
        await signed_in(office, client, member)
        async with client.stream("GET", "/noc/events") as stream:
            lines = stream.aiter_lines()
            while not (await anext(lines)).startswith("data:"):
                pass
            await usecase.change(office.deps, KEY, member.id, usecase.StaffChange(disabled=True))
            office.clock.forward(seconds=6)
            office.deps.signals.wake("live")
            async with asyncio.timeout(20):
                rest = [line async for line in lines]
        again = await client.get("/noc/events")

    assert all(line == "" or line.startswith("data:") for line in rest)
    assert again.status_code == 401


async def test_a_page_that_is_left_open_does_not_keep_its_session_alive(office: Office) -> None:
    owner = await an_owner(office)
    async with opened(office) as url, httpx2.AsyncClient(headers=SAME, base_url=url) as client:
        await signed_in(office, client, owner)
        for _ in range(3):
            office.clock.forward(minutes=9)
            async with client.stream("GET", "/noc/events") as stream:
                await anext(stream.aiter_lines())
        office.clock.forward(minutes=9)
        page = await client.get("/noc/me")

    assert page.status_code == 401
