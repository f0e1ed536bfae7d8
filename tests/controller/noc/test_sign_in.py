"""Coming in: password and second factor, passkeys, recovery codes, sessions, who is slowed down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.api.auth import BROWSER_COOKIE, COOKIE
from controller.noc.pages.sign_in import STEP_COOKIE
from controller.rights import Role
from controller.store.rows import SmsRow
from controller.store.site_rows import NoticeRow
from controller.store.staff_rows import StaffPasskeyRow, StaffSessionRow, StaffStepRow
from controller.usecases import staff
from tests.support.authenticator import Authenticator
from tests.support.staff import (
    KEY,
    PASSWORD,
    PUBLIC,
    a_member,
    an_owner,
    browser,
    public,
    signed_in,
)

if TYPE_CHECKING:
    import httpx2

    from tests.support.office import Office
    from tests.support.staff import Member


async def password(client: httpx2.AsyncClient, login: str, word: str) -> httpx2.Response:
    return await client.post("/noc/login", data={"login": login, "password": word})


async def code(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    return await client.post("/noc/second", data={"code": text})


async def is_in(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/noc/help")).status_code == 200


async def test_a_password_and_a_code_open_the_dashboard(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        first = await password(client, owner.login, PASSWORD)
        half = await is_in(client)
        second = await code(client, owner.code(office))
        page = await client.get("/noc")

    assert (first.status_code, first.headers["location"]) == (303, "/noc/second?back=%2Fnoc")
    assert (second.status_code, second.headers["location"]) == (303, "/noc")
    assert (half, page.status_code) == (False, 200)


@pytest.mark.parametrize("login", ["nobody@example.co.ke", "amina@example.co.ke", "", "0712345678"])
async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(
    office: Office, login: str
) -> None:
    await an_owner(office)
    async with browser(office, address="41.90.1.1") as client:
        answer = await password(client, login, "not the password")

    assert answer.status_code == 401
    assert "These do not fit." in answer.text
    assert STEP_COOKIE not in answer.cookies


async def test_a_phone_is_a_login_however_it_is_typed(office: Office) -> None:
    member = await a_member(office, login="0722 000 111")
    async with browser(office) as client:
        await password(client, "+254722000111", PASSWORD)
        answer = await code(client, member.code(office))

    assert answer.status_code == 303


async def test_a_code_is_good_once(office: Office) -> None:
    owner = await an_owner(office)
    shown = owner.code(office)
    async with browser(office) as first, browser(office) as second:
        for client in (first, second):
            await password(client, owner.login, PASSWORD)
        answers = [await code(client, shown) for client in (first, second)]

    assert [answer.status_code for answer in answers] == [303, 401]


@pytest.mark.parametrize(("steps", "is_good"), [(-2, False), (-1, True), (1, True), (2, False)])
async def test_a_clock_may_be_off_by_one_step(office: Office, *, steps: int, is_good: bool) -> None:
    owner = await an_owner(office)
    office.clock.forward(minutes=5)
    async with browser(office) as client:
        await password(client, owner.login, PASSWORD)
        answer = await code(client, owner.code(office, steps=steps))

    assert (answer.status_code == 303) is is_good


async def test_a_recovery_code_opens_once(office: Office) -> None:
    owner = await an_owner(office)
    written = owner.codes[3].upper().replace("-", " ")
    answers = []
    for _ in range(2):
        async with browser(office) as client:
            await password(client, owner.login, PASSWORD)
            answers.append((await code(client, written)).status_code)

    assert answers == [303, 401]


async def test_recovery_codes_are_one_persons_own(office: Office) -> None:
    owner = await an_owner(office)
    other = await a_member(office)
    async with browser(office) as client:
        await password(client, other.login, PASSWORD)
        answer = await code(client, owner.codes[0])

    assert answer.status_code == 401


async def test_five_wrong_codes_end_the_step(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await password(client, owner.login, PASSWORD)
        for _ in range(5):
            office.clock.forward(seconds=20)
            await code(client, "000000")
        office.clock.forward(seconds=20)
        answer = await code(client, owner.code(office))

    assert answer.status_code == 401
    assert "Begin again" in answer.text


async def test_a_step_is_over_after_five_minutes(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await password(client, owner.login, PASSWORD)
        office.clock.forward(minutes=5)
        answer = await code(client, owner.code(office))

    assert answer.status_code == 401


async def test_the_session_is_not_one_that_the_browser_brought(office: Office) -> None:
    owner = await an_owner(office)
    planted = "A" * 43
    async with browser(office) as client:
        client.cookies.set(COOKIE, planted)
        await signed_in(office, client, owner)
        given = client.cookies.get(COOKIE, domain="localhost.local") or client.cookies[COOKIE]
    async with browser(office) as thief:
        thief.cookies.set(COOKIE, planted)
        stolen = await is_in(thief)

    assert given != planted
    assert not stolen


async def test_each_sign_in_has_a_session_of_its_own(office: Office) -> None:
    owner = await an_owner(office)
    tokens = []
    for _ in range(2):
        async with browser(office) as client:
            await password(client, owner.login, PASSWORD)
            answer = await code(client, owner.code(office))
            tokens.append(answer.cookies[COOKIE])
        office.clock.forward(seconds=60)

    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("name", [COOKIE, BROWSER_COOKIE])
async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(
    office: Office, name: str
) -> None:
    told = public(office, "https://noc.example.co.ke")
    owner = await an_owner(told)
    async with browser(told) as client:
        client.base_url = "https://noc.example.co.ke"
        await password(client, owner.login, PASSWORD)
        answer = await code(client, owner.code(told))
    cookies = {one.split("=")[0]: one.lower() for one in answer.headers.get_list("set-cookie")}

    for flag in ("httponly", "samesite=strict", "secure", "path=/"):
        assert flag in cookies[name]


@pytest.mark.parametrize(
    ("url", "is_secure"), [("https://noc.example.co.ke", True), (PUBLIC, False)]
)
async def test_what_was_said_and_how_it_looks_go_over_tls_where_it_was_given_so(
    office: Office, url: str, *, is_secure: bool
) -> None:
    told = public(office, url)
    owner = await an_owner(told)
    async with browser(told) as client:
        client.base_url = url
        await signed_in(told, client, owner)
        asked = (
            await client.post("/noc/preferences", data={"theme": "dark"}),
            await client.post("/noc/me/sessions/end"),
        )
    given = [one.lower() for answer in asked for one in answer.headers.get_list("set-cookie")]

    assert [one.split("=")[0] for one in given] == ["lango_look", "lango_said"]
    assert ["; secure" in one for one in given] == [is_secure] * 2


async def test_a_session_is_kept_as_a_hash(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await password(client, owner.login, PASSWORD)
        answer = await code(client, owner.code(office))
    async with office.deps.db.read() as tx:
        kept = list(await tx.scalars(select(StaffSessionRow.token_hash)))

    assert answer.cookies[COOKIE] not in kept


@pytest.mark.parametrize(
    ("role", "minutes", "holds"),
    [
        (Role.BILLING, 29, True),
        (Role.BILLING, 30, False),
        (Role.TECHNICIAN, 31, True),
        (Role.TECHNICIAN, 12 * 60, False),
    ],
)
async def test_a_session_that_is_left_alone_ends(
    office: Office, *, role: Role, minutes: int, holds: bool
) -> None:
    member = await a_member(office, role)
    async with browser(office) as client:
        await password(client, member.login, PASSWORD)
        await code(client, member.code(office))
        office.clock.forward(minutes=minutes)
        found = await is_in(client)

    assert found is holds


async def test_a_session_that_is_used_ends_after_twelve_hours_all_the_same(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await password(client, owner.login, PASSWORD)
        await code(client, owner.code(office))
        held = []
        for _ in range(36):
            office.clock.forward(minutes=20)
            held.append(await is_in(client))

    assert held == [True] * 35 + [False]


async def test_logging_out_ends_the_session_itself(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office) as client:
        await signed_in(office, client, owner)
        kept = client.cookies[COOKIE]
        await client.post("/noc/logout")
        client.cookies.set(COOKIE, kept)
        found = await is_in(client)

    assert not found


async def test_a_disabled_account_is_out_at_once(office: Office) -> None:
    member = await a_member(office)
    async with browser(office) as client:
        await signed_in(office, client, member)
        before = await is_in(client)
        change = staff.StaffChange(disabled=True)
        await staff.change(office.deps, KEY, member.id, change)
        after = await is_in(client)
        again = await password(client, member.login, PASSWORD)

    assert (before, after, again.status_code) == (True, False, 401)


LOCK_OUT = """
who guesses          tries  then the owner at          may
a stranger           40     their known browser        at once
a stranger           40     a new browser, elsewhere   at once
the same office      40     their known browser        at once
the same office      40     a new browser there        after 300 s
the owner            4      their known browser        at once
the owner            6      their known browser        after 2 s
"""


def lock_out_lines() -> list[list[str]]:
    lines = LOCK_OUT.strip().splitlines()[1:]
    return [[part.strip() for part in line.split("  ") if part.strip()] for line in lines]


OFFICE_ADDRESS, ELSEWHERE, STRANGER = "197.232.61.9", "102.0.4.4", "41.90.1.1"


async def guessed(office: Office, client: httpx2.AsyncClient, owner: Member) -> None:
    """One wrong password, as soon as one is taken."""
    answer = await password(client, owner.login, "not the password")
    while answer.status_code == 429:
        office.clock.forward(seconds=int(answer.headers["retry-after"]))
        answer = await password(client, owner.login, "not the password")


@pytest.mark.parametrize("line", lock_out_lines(), ids="-".join)
async def test_who_guesses_slows_down_themselves_and_nobody_else(
    office: Office, line: list[str]
) -> None:
    guesser, tries, where, may = line
    owner = await an_owner(office)
    async with browser(office, address=OFFICE_ADDRESS) as known:
        await signed_in(office, known, owner)
        known.cookies.delete(COOKIE)
        address = STRANGER if guesser == "a stranger" else OFFICE_ADDRESS
        async with browser(office, address=address) as other:
            client = known if guesser == "the owner" else other
            for _ in range(int(tries)):
                await guessed(office, client, owner)
        there = ELSEWHERE if "elsewhere" in where else OFFICE_ADDRESS
        async with browser(office, address=there) as fresh:
            client = known if "known" in where else fresh
            answer = await password(client, owner.login, PASSWORD)

    waited = "at once" if answer.status_code == 303 else f"after {answer.headers['retry-after']} s"
    assert waited == may


async def test_a_wait_that_is_over_lets_the_right_password_in(office: Office) -> None:
    owner = await an_owner(office)
    async with browser(office, address=STRANGER) as client:
        for _ in range(40):
            await password(client, owner.login, "not the password")
        soon = await password(client, owner.login, PASSWORD)
        office.clock.forward(seconds=int(soon.headers["retry-after"]))
        then = await password(client, owner.login, PASSWORD)

    assert (soon.status_code, then.status_code) == (429, 303)


async def sms_to(office: Office, msisdn: str) -> list[str]:
    async with office.deps.db.read() as tx:
        found = await tx.scalars(select(SmsRow.sealed).where(SmsRow.msisdn == msisdn))
    return [office.deps.vault.unseal(bytes(one)).decode() for one in found if one is not None]


async def test_a_new_browser_is_told_by_sms(office: Office) -> None:
    member = await a_member(office, login="0722000111")
    async with browser(office, agent="Chrome/130 (Windows NT)") as client:
        await password(client, member.login, PASSWORD)
        await code(client, member.code(office))
    (told,) = await sms_to(office, "254722000111")
    async with office.deps.db.read() as tx:
        notices = list(await tx.scalars(select(NoticeRow.code)))

    assert "Chrome on Windows" in told
    assert "staff_sign_in_new" in notices


async def test_a_known_browser_in_its_known_network_is_not_told(office: Office) -> None:
    member = await a_member(office, login="0722000111")
    async with browser(office) as client:
        await signed_in(office, client, member)
        first = len(await sms_to(office, "254722000111"))
        await client.post("/noc/logout")
        await signed_in(office, client, member)
        second = len(await sms_to(office, "254722000111"))

    assert (first, second) == (1, 1)


async def test_a_known_browser_in_a_new_network_is_told(office: Office) -> None:
    member = await a_member(office, login="0722000111")
    async with browser(office) as client:
        await signed_in(office, client, member)
        kept = client.cookies[BROWSER_COOKIE]
    async with browser(office, address="105.160.7.7") as client:
        client.cookies.set(BROWSER_COOKIE, kept)
        await signed_in(office, client, member)

    assert "105.160.0.0/16" in (await sms_to(office, "254722000111"))[-1]


FORMS = (
    "/noc/login",
    "/noc/second",
    "/noc/welcome",
    "/noc/passkey/ask",
    "/noc/passkey/answer",
    "/noc/logout",
)


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_of_another_site_is_refused(office: Office, path: str) -> None:
    async with browser(office) as client:
        answer = await client.post(path, data={}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


# Passkeys: a real library checks what a software authenticator answers.


async def with_passkey(office: Office, owner: Member, device: Authenticator) -> None:
    async with browser(office) as client:
        await signed_in(office, client, owner)
        asked = (await client.post("/noc/me/passkeys/ask", json={"password": PASSWORD})).json()
        answer = await client.post(
            "/noc/me/passkeys", json={"answer": device.make(asked), "name": "Laptop"}
        )
        assert answer.status_code == 200, answer.text


async def asked_alone(client: httpx2.AsyncClient) -> dict[str, object]:
    found: dict[str, object] = (await client.post("/noc/passkey/ask", json={})).json()
    return found


async def test_a_passkey_alone_opens_the_dashboard(office: Office) -> None:
    told = public(office)
    device = Authenticator(PUBLIC)
    await with_passkey(told, await an_owner(told), device)
    async with browser(told) as client:
        signed = device.sign(await asked_alone(client))
        answer = await client.post("/noc/passkey/answer", json={"answer": signed, "back": "/noc"})
        found = await is_in(client)

    assert (answer.status_code, answer.json(), found) == (200, {"to": "/noc"}, True)


async def test_a_passkey_is_a_second_factor(office: Office) -> None:
    told = public(office)
    device = Authenticator(PUBLIC, verifies=False)
    owner = await an_owner(told)
    await with_passkey(told, owner, device)
    async with browser(told) as client:
        await password(client, owner.login, PASSWORD)
        asked = (await client.post("/noc/passkey/ask", json={"second": True})).json()
        answer = await client.post("/noc/passkey/answer", json={"answer": device.sign(asked)})

    assert len(asked["allowCredentials"]) == 1
    assert answer.status_code == 200


async def test_a_passkey_alone_wants_the_person_verified(office: Office) -> None:
    told = public(office)
    device = Authenticator(PUBLIC, verifies=False)
    await with_passkey(told, await an_owner(told), device)
    async with browser(told) as client:
        signed = device.sign(await asked_alone(client))
        answer = await client.post("/noc/passkey/answer", json={"answer": signed})

    assert answer.status_code == 401


@pytest.mark.parametrize("fault", ["origin", "party", "challenge", "key", "counter", "garbage"])
async def test_a_passkey_that_answers_wrongly_opens_nothing(office: Office, fault: str) -> None:
    told = public(office)
    device = Authenticator(PUBLIC, count=5)
    await with_passkey(told, await an_owner(told), device)
    async with browser(told) as client:
        asked = await asked_alone(client)
        if fault == "origin":
            device.origin = "https://lango.evil.example"
        elif fault == "party":
            device.rp_id = "evil.example"
        elif fault == "challenge":
            asked["challenge"] = "AAAA"
        elif fault == "key":
            device.key = Authenticator(PUBLIC).key
        elif fault == "counter":
            device.count = 1
        signed: object = device.sign(asked) if fault != "garbage" else {"rawId": 7}
        answer = await client.post("/noc/passkey/answer", json={"answer": signed})
        found = await is_in(client)

    assert (answer.status_code, found) == (401, False)


@pytest.mark.parametrize("spelling", ["the same", "another"])
async def test_an_answer_to_a_challenge_is_good_once(office: Office, spelling: str) -> None:
    told = public(office)
    device = Authenticator(PUBLIC, counts=False)
    await with_passkey(told, await an_owner(told), device)
    async with browser(told) as client:
        signed = device.sign(await asked_alone(client))
        step = client.cookies[STEP_COOKIE]
        first = await client.post("/noc/passkey/answer", json={"answer": signed})
    async with browser(told) as thief:
        # Base64 is read without what is none of its letters.
        thief.cookies.set(STEP_COOKIE, step if spelling == "the same" else f"{step[:9]}.{step[9:]}")
        second = await thief.post("/noc/passkey/answer", json={"answer": signed})

    assert (first.status_code, second.status_code) == (200, 401)


async def test_anothers_passkey_is_no_second_factor(office: Office) -> None:
    told = public(office)
    device = Authenticator(PUBLIC)
    await with_passkey(told, await an_owner(told), device)
    member = await a_member(told)
    async with browser(told) as client:
        await password(client, member.login, PASSWORD)
        asked = (await client.post("/noc/passkey/ask", json={"second": True})).json()
        answer = await client.post("/noc/passkey/answer", json={"answer": device.sign(asked)})

    assert answer.status_code == 401


async def test_a_passkey_cannot_be_added_twice_nor_for_another_origin(office: Office) -> None:
    told = public(office)
    owner = await an_owner(told)
    await with_passkey(told, owner, device := Authenticator(PUBLIC))
    async with browser(told) as client:
        await signed_in(told, client, owner)
        statuses = []
        for other in (device, Authenticator("https://lango.evil.example")):
            asked = (await client.post("/noc/me/passkeys/ask", json={"password": PASSWORD})).json()
            body = {"answer": other.make(asked), "name": "x"}
            statuses.append((await client.post("/noc/me/passkeys", json=body)).status_code)
    async with told.deps.db.read() as tx:
        kept = list(await tx.scalars(select(StaffPasskeyRow.id)))

    assert statuses == [422, 422]
    assert len(kept) == 1


async def test_a_strangers_challenges_leave_nothing_behind(office: Office) -> None:
    told = public(office)
    await an_owner(told)
    async with browser(told, address=STRANGER) as client:
        answers = [await client.post("/noc/passkey/ask", json={}) for _ in range(30)]
    async with told.deps.db.read() as tx:
        kept = list(await tx.scalars(select(StaffStepRow.kind)))

    assert [answer.status_code for answer in answers] == [200] * 30
    assert kept == []


@pytest.mark.parametrize("fault", ["old", "other", "garbage", "none"])
async def test_a_challenge_is_good_where_and_while_it_was_asked(office: Office, fault: str) -> None:
    told = public(office)
    device = Authenticator(PUBLIC)
    await with_passkey(told, await an_owner(told), device)
    async with browser(told) as client:
        signed = device.sign(await asked_alone(client))
        if fault == "old":
            told.clock.forward(minutes=5)
        elif fault == "other":
            await asked_alone(client)
        else:
            client.cookies.delete(STEP_COOKIE)
        if fault == "garbage":
            client.cookies.set(STEP_COOKIE, "A" * 43)
        answer = await client.post("/noc/passkey/answer", json={"answer": signed})

    assert answer.status_code == 401


async def test_at_an_address_without_a_name_passkeys_are_not_offered(office: Office) -> None:
    await an_owner(office)
    async with browser(office) as client:
        page = await client.get("/noc/login")
        asked = await client.post("/noc/passkey/ask", json={})

    assert "passkey.js" not in page.text
    assert asked.status_code == 422
    assert json.loads(asked.text)["code"] == "passkey_refused"


DEEP = ["[" * n + tail for n in (900, 3_000, 7_000, 60_000) for tail in ("", "]" * n)]
TAKE_JSON = ("/noc/passkey/answer", "/noc/me/passkeys", "/api/v1/maintenance")


@pytest.mark.parametrize("body", DEEP, ids=lambda body: f"{len(body)}{body[-1]}")
async def test_a_body_that_is_deep_is_no_fault_of_ours(office: Office, body: str) -> None:
    told = public(office)
    owner = await an_owner(told)
    rest = ("/noc/passkey/ask", "/noc/me/passkeys/ask", f"/api/v1/staff/{owner.id}/reset")
    async with browser(told) as client:
        await signed_in(told, client, owner)
        client.headers["Content-Type"] = "application/json"
        answers = [
            await client.post(path, content=sent)
            for path in (*TAKE_JSON, *rest)
            for sent in (body, f'{{"answer":{body}}}', f'{{"answer":{{"rawId":"AA","x":{body}}}}}')
        ]

    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
