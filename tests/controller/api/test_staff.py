"""The staff and their API tokens over HTTP: who may rule over whom, and what ends with whom."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from sqlalchemy import select

from controller.rights import Role, Who
from controller.store.audit_rows import AuditRow
from controller.store.staff_rows import ApiTokenRow
from controller.usecases import api_tokens
from controller.usecases import staff as usecase
from tests.support.office import Office, caller
from tests.support.staff import (
    KEY,
    PASSWORD,
    a_branch,
    a_member,
    a_token,
    an_owner,
    browser,
    signed_in,
)

if TYPE_CHECKING:
    import httpx2

DAY = timedelta(days=1)
JUMA = {"login": "juma@example.co.ke", "name": "Juma Otieno", "role": "cashier"}


async def asked(
    office: Office, token: str, method: str, path: str, body: Any = None
) -> httpx2.Response:
    async with caller(office, token) as client:
        return await client.request(method, f"/api/v1/{path}", json=body)


async def test_somebody_is_taken_on_and_comes_in_by_their_link(office: Office) -> None:
    made = (await asked(office, office.key, "POST", "staff", JUMA)).json()
    path, token = made["url"].split("?token=")
    async with browser(office) as client:
        page = await client.get("/noc/welcome", params={"token": token})

    assert path.endswith("/noc/welcome")
    assert "Welcome, Juma Otieno" in page.text
    assert (made["staff"]["role"], made["staff"]["has_accepted"]) == ("cashier", False)


async def test_a_login_is_one_persons_only(office: Office) -> None:
    answers = [await asked(office, office.key, "POST", "staff", JUMA) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["errors"][0]["field"] == "login"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"login": "juma"}, "login"),
        ({"login": "x@"}, "login"),
        ({"name": " "}, "name"),
        ({"role": "king"}, "role"),
        ({"branches": ["nowhere"]}, "branches"),
        ({"role": "owner", "branches": ["main"]}, "branches"),
        ({"language": "xx"}, "language"),
    ],
)
async def test_what_cannot_be_names_its_field(
    office: Office, fields: dict[str, Any], field: str
) -> None:
    answer = await asked(office, office.key, "POST", "staff", {**JUMA, **fields})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


RULE = """
             owner    admin    cashier
owner        yes      yes      yes
admin        no       yes      yes
"""


def rule_lines() -> list[tuple[str, str, bool]]:
    head, *rows = [line.split() for line in RULE.strip().splitlines()]
    return [
        (row[0], over, may == "yes")
        for row in rows
        for over, may in zip(head, row[1:], strict=True)
    ]


@pytest.mark.parametrize(("who", "over", "may"), rule_lines())
@pytest.mark.parametrize("deed", ["add", "disable", "reset", "raise"])
async def test_nobody_rules_over_a_role_above_their_own(
    office: Office, who: str, over: str, *, may: bool, deed: str
) -> None:
    await an_owner(office)
    token = await a_token(office, Role(who))
    if deed == "add":
        body = {**JUMA, "role": over}
        answer = await asked(office, token, "POST", "staff", body)
    else:
        other = await a_member(office, Role(over) if deed != "raise" else Role.CASHIER)
        path = f"staff/{other.id}{'/reset' if deed == 'reset' else ''}"
        body = {"disable": {"disabled": True}, "reset": None, "raise": {"role": over}}[deed]  # type: ignore[assignment]
        answer = await asked(office, token, "POST", path, body)

    assert (answer.status_code != 403) is may


async def test_nobody_changes_their_own_account(office: Office) -> None:
    owner = await an_owner(office)
    token = await a_token(office, Role.OWNER, staff_id=owner.id)
    answer = await asked(office, token, "POST", f"staff/{owner.id}", {"role": "cashier"})

    assert (answer.status_code, answer.json()["code"]) == (403, "above_you")


@pytest.mark.parametrize("change", [{"role": "admin"}, {"disabled": True}])
async def test_the_last_owner_stays(office: Office, change: dict[str, Any]) -> None:
    owner = await an_owner(office)
    last = await asked(office, office.key, "POST", f"staff/{owner.id}", change)
    await a_member(office, Role.OWNER, login="second@example.co.ke")
    then = await asked(office, office.key, "POST", f"staff/{owner.id}", change)

    assert (last.status_code, last.json()["code"]) == (409, "last_owner")
    assert then.status_code == 200


async def test_an_owner_by_invitation_who_never_came_does_not_count_as_one(
    office: Office,
) -> None:
    owner = await an_owner(office)
    await asked(office, office.key, "POST", "staff", {**JUMA, "role": "owner"})
    answer = await asked(office, office.key, "POST", f"staff/{owner.id}", {"disabled": True})

    assert answer.status_code == 409


async def test_who_is_held_to_a_branch_does_not_see_staff_of_others(office: Office) -> None:
    await office.keep(a_branch("thika"), a_branch("nakuru"))
    here = await a_member(office, login="a@example.co.ke", branches=frozenset({"thika"}))
    there = await a_member(office, login="b@example.co.ke", branches=frozenset({"nakuru"}))
    everywhere = await a_member(office, login="c@example.co.ke")
    token = await a_token(office, Role.ADMIN, frozenset({"thika"}))
    listed = (await asked(office, token, "GET", "staff")).json()["data"]
    deeds = [
        (await asked(office, token, method, f"staff/{one.id}{tail}", body)).status_code
        for one in (there, everywhere)
        for method, tail, body in (
            ("GET", "", None),
            ("POST", "", {"disabled": True}),
            ("POST", "/reset", None),
        )
    ]

    assert [one["id"] for one in listed] == [here.id]
    assert deeds == [404] * 6


@pytest.mark.parametrize("branches", [None, [], ["nakuru"], ["thika", "nakuru"]])
async def test_nobody_gives_more_branches_than_their_own(
    office: Office, branches: list[str] | None
) -> None:
    await office.keep(a_branch("thika"), a_branch("nakuru"))
    held = frozenset({"thika"})
    maker = await a_member(office, Role.ADMIN, login="ann@example.co.ke", branches=held)
    token = await a_token(office, Role.ADMIN, held, staff_id=maker.id)
    added = await asked(office, token, "POST", "staff", {**JUMA, "branches": branches})
    who = Who(maker.id, "Ann", Role.ADMIN, held)
    told = None if not branches else frozenset(branches)
    if told:
        with pytest.raises(usecase.AboveYou):
            await api_tokens.make(office.deps, who, name="x", branches=told, lasts=DAY)
    else:
        keyed = await api_tokens.make(office.deps, who, name="x", branches=told, lasts=DAY)
        assert keyed.row.branches == "thika"

    assert added.status_code in {403, 404}


async def test_another_role_ends_sessions_and_tokens_at_once(office: Office) -> None:
    member = await a_member(office, Role.BILLING)
    token = await a_token(office, Role.BILLING, staff_id=member.id)
    async with browser(office) as client:
        await signed_in(office, client, member)
        await asked(office, office.key, "POST", f"staff/{member.id}", {"role": "cashier"})
        page = await client.get("/noc/help")
    answer = await asked(office, token, "GET", "sites")

    assert (page.status_code, answer.status_code) == (401, 401)


async def test_a_reset_leaves_neither_password_nor_code(office: Office) -> None:
    member = await a_member(office)
    made = (await asked(office, office.key, "POST", f"staff/{member.id}/reset")).json()
    async with browser(office) as client:
        words = {"login": member.login, "password": PASSWORD}
        old = await client.post("/noc/login", data=words)
        page = await client.get(made["url"].removeprefix("http://127.0.0.1:8080"))

    assert (old.status_code, page.status_code) == (401, 200)


async def test_phones_are_masked_in_lists(office: Office) -> None:
    await a_member(office, login="0722000111")
    (line,) = (await asked(office, office.key, "GET", "staff")).json()["data"]

    assert line["login"] == "2547••••111"


async def test_what_is_done_with_staff_is_audited_without_secrets(office: Office) -> None:
    made = (await asked(office, office.key, "POST", "staff", JUMA)).json()
    async with office.deps.db.read() as tx:
        rows = list(await tx.scalars(select(AuditRow.changes)))
    told = "".join(rows)

    assert "juma@example.co.ke" in told
    assert made["url"].split("token=")[1] not in told
    assert '"password_hash"' not in told.replace('"hidden":["password_hash"', "")


# API tokens


async def test_a_token_opens_what_its_role_may(office: Office) -> None:
    made = (
        await asked(
            office, office.key, "POST", "api-tokens", {"name": "Grafana", "role": "read_only"}
        )
    ).json()
    seen = await asked(office, made["token"], "GET", "payments")
    done = await asked(office, made["token"], "POST", "sites", {"id": "x", "name": "X"})

    assert (seen.status_code, done.status_code) == (200, 403)
    assert made["token"].startswith("lango_")


async def test_a_token_is_never_more_than_its_maker(office: Office) -> None:
    maker = await a_member(office, Role.BILLING)
    who = Who(maker.id, "Juma", Role.BILLING)
    made = set[Role]()
    for role in Role:
        try:
            await api_tokens.make(office.deps, who, name="x", role=role, lasts=DAY)
        except usecase.AboveYou:
            continue
        made.add(role)

    assert made == {Role.BILLING, Role.CASHIER, Role.READ_ONLY}


@pytest.mark.parametrize("is_a_persons", [True, False])
async def test_a_token_makes_no_tokens(office: Office, *, is_a_persons: bool) -> None:
    staff_id = (await an_owner(office)).id if is_a_persons else ""
    token = await a_token(office, Role.OWNER, staff_id=staff_id)
    answer = await asked(office, token, "POST", "api-tokens", {"name": "x", "days": 1})

    assert (answer.status_code, answer.json()["code"]) == (403, "above_you")


async def test_a_browser_that_was_left_open_makes_no_token(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        answer = await client.post("/api/v1/api-tokens", json={"name": "x", "days": 1})

    assert (answer.status_code, answer.json()["code"]) == (403, "password_wanted")


@pytest.mark.parametrize(("days", "lasts"), [({}, 90), ({"days": 365}, 365)], ids=str)
async def test_a_token_always_ends(office: Office, days: dict[str, int], lasts: int) -> None:
    made = (await asked(office, office.key, "POST", "api-tokens", {"name": "x", **days})).json()
    bad = [
        await asked(office, office.key, "POST", "api-tokens", {"name": "x", "days": wrong})
        for wrong in (0, 366, None)
    ]

    assert datetime.fromisoformat(made["expires_at"]) == office.clock() + timedelta(days=lasts)
    assert [answer.status_code for answer in bad] == [422] * 3


@pytest.mark.parametrize(
    "change",
    [
        usecase.StaffChange(role=Role.CASHIER),
        usecase.StaffChange(branches=("thika",)),
        usecase.StaffChange(disabled=True),
    ],
    ids=["role", "branches", "disabled"],
)
async def test_who_was_more_when_they_asked_makes_no_token_of_what_they_were(
    office: Office, change: usecase.StaffChange
) -> None:
    await office.keep(a_branch("thika"))
    maker = await a_member(office, Role.BILLING)
    asked_as = Who(maker.id, "Juma", Role.BILLING)
    await usecase.change(office.deps, KEY, maker.id, change)
    with pytest.raises(usecase.AboveYou):
        await api_tokens.make(office.deps, asked_as, name="x", lasts=DAY)


OUTLIVED = """
maker now              | token of           | opens
billing                | billing            | billing
cashier                | billing            | cashier
billing                | cashier            | cashier
technician             | billing            | nothing
cashier thika          | cashier            | cashier thika
cashier nakuru thika   | cashier nakuru     | cashier nakuru
cashier nakuru         | cashier thika      | nothing
"""


@pytest.mark.parametrize("line", OUTLIVED.strip().splitlines()[1:])
async def test_a_token_that_outlived_its_makers_role_is_no_more_than_they_are_now(
    office: Office, line: str
) -> None:
    now, token_of, opens = (part.split() for part in line.split("|"))
    await office.keep(a_branch("thika"), a_branch("nakuru"))
    maker = await a_member(office, Role(now[0]), branches=frozenset(now[1:]) or None)
    held = frozenset(token_of[1:]) or None
    token = await a_token(office, Role(token_of[0]), held, staff_id=maker.id)
    found = await api_tokens.who_has(office.deps, token)

    told = ["nothing"] if found is None else [found.role.value, *sorted(found.branches or ())]
    assert told == opens


async def test_a_token_is_kept_as_a_hash_and_shown_once(office: Office) -> None:
    made = (await asked(office, office.key, "POST", "api-tokens", {"name": "x"})).json()
    listed = await asked(office, office.key, "GET", "api-tokens")
    async with office.deps.db.read() as tx:
        (kept,) = await tx.scalars(select(ApiTokenRow.token_hash))

    assert made["token"] not in listed.text
    assert kept not in {made["token"], made["token"].removeprefix("lango_")}


async def test_a_token_ends_by_itself_and_by_being_revoked(office: Office) -> None:
    body = {"name": "x", "days": 1}
    first = (await asked(office, office.key, "POST", "api-tokens", body)).json()
    second = (await asked(office, office.key, "POST", "api-tokens", {"name": "y"})).json()
    before = (await asked(office, first["token"], "GET", "sites")).status_code
    office.clock.forward(days=1)
    await asked(office, office.key, "POST", f"api-tokens/{second['id']}/revoke")
    after = [
        (await asked(office, one["token"], "GET", "sites")).status_code for one in (first, second)
    ]

    assert (before, after) == (200, [401, 401])


async def test_somebody_elses_token_is_not_there_to_be_revoked(office: Office) -> None:
    first = await a_member(office, login="a@example.co.ke")
    second = await a_member(office, login="b@example.co.ke")
    mine = await a_token(office, Role.CASHIER, staff_id=first.id)
    theirs = await a_token(office, Role.CASHIER, staff_id=second.id)
    async with office.deps.db.read() as tx:
        (row,) = await tx.scalars(select(ApiTokenRow).where(ApiTokenRow.staff_id == second.id))
    answer = await asked(office, mine, "POST", f"api-tokens/{row.id}/revoke")
    listed = (await asked(office, mine, "GET", "api-tokens")).json()["data"]
    still = await asked(office, theirs, "GET", "branches")

    assert (answer.status_code, still.status_code) == (404, 200)
    assert {one["staff_id"] for one in listed} == {first.id}


async def test_an_invented_token_waits_as_a_wrong_key_does(office: Office) -> None:
    async with caller(office, "lango_" + "A" * 43) as client:
        statuses = [(await client.get("/api/v1/sites")).status_code for _ in range(11)]

    assert statuses == [401] * 10 + [429]


# At a command line


async def test_a_command_line_signs_in_for_a_token_of_ninety_days(office: Office) -> None:
    member = await a_member(office, Role.TECHNICIAN)
    async with browser(office) as client:
        words = {"login": member.login, "password": PASSWORD}
        step = (await client.post("/api/sign-in", json=words)).json()["step"]
        body = {"step": step, "code": member.code(office), "name": "lango on laptop"}
        made = (await client.post("/api/sign-in/code", json=body)).json()
    sites = await asked(office, made["token"], "GET", "sites")
    money = await asked(office, made["token"], "GET", "payments")

    assert (made["role"], sites.status_code, money.status_code) == ("technician", 200, 403)


async def test_a_wrong_password_at_a_command_line_is_a_problem(office: Office) -> None:
    async with browser(office) as client:
        answer = await client.post("/api/sign-in", json={"login": "x@y.ke", "password": "no"})

    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


# The first owner


async def test_the_first_visitor_does_not_become_the_owner(office: Office) -> None:
    async with browser(office) as client:
        page = await client.get("/noc/welcome")
        made = await client.post("/noc/welcome", data={"login": "x@y.ke", "name": "X"})

    assert (page.status_code, made.status_code) == (410, 410)


async def test_the_link_of_the_first_owner_is_good_for_half_an_hour_and_once(
    office: Office,
) -> None:
    first = (await asked(office, office.key, "POST", "staff/setup-url")).json()
    second = (await asked(office, office.key, "POST", "staff/setup-url")).json()
    office.clock.forward(minutes=29)
    async with browser(office) as client:
        early = [await client.get(one["url"][21:]) for one in (first, second)]
        office.clock.forward(minutes=1)
        late = await client.get(second["url"][21:])

    assert [page.status_code for page in early] == [410, 200]
    assert late.status_code == 410


async def test_there_is_no_second_first_owner(office: Office) -> None:
    invited = await usecase.invite_owner(office.deps, KEY)
    await a_member(office, Role.OWNER)
    again = await asked(office, office.key, "POST", "staff/setup-url")
    async with browser(office) as client:
        page = await client.get("/noc/welcome", params={"token": invited.token})

    assert (again.status_code, page.status_code) == (409, 410)


async def test_an_admin_does_not_make_the_first_owner(office: Office) -> None:
    answer = await asked(office, await a_token(office, Role.ADMIN), "POST", "staff/setup-url")

    assert answer.status_code == 403


async def test_the_page_of_the_first_owner_makes_them_and_shows_their_codes_once(
    office: Office,
) -> None:
    invited = await usecase.invite_owner(office.deps, KEY)
    async with browser(office) as client:
        page = await client.get("/noc/welcome", params={"token": invited.token})
        totp = pyotp.TOTP(secret_of(page))
        form = {
            "token": invited.token,
            "sealed": sealed_of(page),
            "login": "amina@example.co.ke",
            "name": "Amina",
            "password": PASSWORD,
            "again": PASSWORD,
            "code": totp.at(int(office.clock().timestamp())),
        }
        weak = await client.post(
            "/noc/welcome", data={**form, "password": "a" * 12, "again": "a" * 12}
        )
        other = await client.post("/noc/welcome", data={**form, "again": "something else"})
        code = await client.post("/noc/welcome", data={**form, "code": "000000"})
        done = await client.post("/noc/welcome", data=form)
        again = await client.post("/noc/welcome", data=form)
        inside = await client.get("/noc")

    assert "<svg" in page.text
    assert [one.status_code for one in (weak, other, code)] == [422] * 3
    assert (done.status_code, again.status_code, inside.status_code) == (200, 410, 200)
    assert len(re.findall(r"<code>[a-z2-9]{5}-[a-z2-9]{5}</code>", done.text)) == 10


async def test_with_an_owner_the_machines_key_opens_no_browser_but_the_api(
    office: Office,
) -> None:
    async with browser(office) as client:
        before = await client.post("/noc/login", data={"key": office.key})
        await an_owner(office)
        held = await client.get("/noc")
        after = await client.post("/noc/login", data={"key": office.key})
    api = await asked(office, office.key, "GET", "sites")

    assert [one.status_code for one in (before, held, after, api)] == [303, 401, 403, 200]


async def rows_about(office: Office, staff_id: str) -> list[AuditRow]:
    async with office.deps.db.read() as tx:
        query = select(AuditRow).where(AuditRow.about_id == staff_id).order_by(AuditRow.at)
        return list(await tx.scalars(query))


async def test_coming_in_by_an_invitation_is_audited(office: Office) -> None:
    owner, member = await an_owner(office), await a_member(office)
    found = [(await rows_about(office, one.id))[-1] for one in (owner, member)]

    assert [row.staff_id for row in found] == [owner.id, member.id]
    assert {(row.address, row.route) for row in found} == {("197.232.61.9", "accept invitation")}
    assert all("password_hash" in row.changes for row in found)


async def test_who_made_an_invitation_does_not_know_the_second_factor(office: Office) -> None:
    made = (await asked(office, office.key, "POST", "staff", JUMA)).json()
    token = made["url"].split("?token=")[1]
    async with browser(office) as client:
        pages = [await client.get("/noc/welcome", params={"token": token}) for _ in range(2)]
        seen = [secret_of(page) for page in pages]
        form = {"token": token, "password": PASSWORD, "again": PASSWORD}
        spied = pyotp.TOTP(seen[0]).at(int(office.clock().timestamp()))
        own = {**form, "sealed": sealed_of(pages[1])}
        wrong = await client.post("/noc/welcome", data={**own, "code": spied})
        code = pyotp.TOTP(seen[1]).at(int(office.clock().timestamp()))
        without = await client.post("/noc/welcome", data={**form, "code": code})
        done = await client.post("/noc/welcome", data={**own, "code": code})

    assert seen[0] != seen[1]
    assert secret_of(wrong) == seen[1], "who mistyped has read the picture already"
    assert [one.status_code for one in (wrong, without, done)] == [422, 422, 200]


async def test_the_app_of_another_invitation_is_none_of_this(office: Office) -> None:
    others = ({**JUMA, "login": f"{name}@example.co.ke"} for name in ("a", "b"))
    urls = [(await asked(office, office.key, "POST", "staff", one)).json()["url"] for one in others]
    tokens = [url.split("?token=")[1] for url in urls]
    async with browser(office) as client:
        page = await client.get("/noc/welcome", params={"token": tokens[0]})
        code = pyotp.TOTP(secret_of(page)).at(int(office.clock().timestamp()))
        form = {"token": tokens[1], "password": PASSWORD, "again": PASSWORD, "code": code}
        answer = await client.post("/noc/welcome", data={**form, "sealed": sealed_of(page)})

    assert answer.status_code == 422


def secret_of(page: httpx2.Response) -> str:
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert found is not None
    return found[1].replace(" ", "")


def sealed_of(page: httpx2.Response) -> str:
    found = re.search(r'name="sealed" value="([^"]+)"', page.text)
    assert found is not None, "the form brings the secret back"
    return found[1]
