"""What another site, or somebody who sat at this browser before, can do with a session."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from controller.api.auth import COOKIE
from controller.api.rights import PREFIX
from tests.attacks import doors
from tests.attacks.asking import application, asking, ids_for
from tests.attacks.doors import filled
from tests.attacks.tables import Watcher, changed
from tests.support.staff import PASSWORD, SAME, browser, signed_in

if TYPE_CHECKING:
    from tests.attacks.business import Business

FORBIDDEN = 403
SENT_ALONG = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a neighbour of ours": {"Sec-Fetch-Site": "same-site"},
    "another origin": {"Origin": "http://evil.example"},
    "an origin of nothing": {"Origin": "null"},
    "half an origin": {"Origin": "http://["},
    "no word of where": {},
}
BODIES = {
    "text/plain": json.dumps({"reason": "x", "=": ""}),
    "application/x-www-form-urlencoded": "reason=x&sure=REFUND",
    "application/json": json.dumps({"reason": "x"}),
}


@pytest.mark.parametrize("word", SENT_ALONG)
async def test_a_request_of_another_site_does_nothing_with_the_session(
    business: Business, word: str
) -> None:
    app, watcher, guilty = application(business), Watcher(business), []
    before = watcher.rows()
    async with asking(app, cookies=business.owner_cookies, headers=SENT_ALONG[word]) as client:
        every = sorted(doors.acts() | doors.writing_api())
        for (method, path), (kind, body) in zip(
            every, itertools.cycle(BODIES.items()), strict=False
        ):
            real = filled(path, ids_for(path, business.ids))
            headers = {"Content-Type": kind, "Idempotency-Key": "ab" * 8}
            answer = await client.request(method, real, content=body, headers=headers)
            if answer.status_code != FORBIDDEN or "another site" not in answer.text:
                guilty.append((method, path, kind, answer.status_code))
    left = changed(before, watcher.rows())
    await app.state.hub.close()
    watcher.close()

    assert not guilty, "\n".join(map(str, guilty))
    assert left == {}


async def test_the_same_session_opens_the_same_routes_for_its_own_pages(business: Business) -> None:
    app = application(business)
    async with asking(app, cookies=business.owner_cookies, headers=SAME) as client:
        answers = [
            await client.request(method, filled(path, business.ids), json={})
            for method, path in sorted(doors.writing_api())
        ]
    await app.state.hub.close()

    assert FORBIDDEN not in {answer.status_code for answer in answers}


async def test_a_session_is_never_one_that_the_browser_brought(business: Business) -> None:
    brought = "s" * 43
    async with browser(business.office) as client:
        client.cookies.set(COOKIE, brought, domain="localhost.local")
        await signed_in(business.office, client, business.owner)
        mine = client.cookies[COOKIE]
    async with browser(business.office) as other:
        other.cookies.set(COOKIE, brought)
        answer = await other.get("/noc/me")

    assert mine != brought
    assert answer.status_code == 401


async def test_signing_in_again_ends_the_session_that_was_there(business: Business) -> None:
    async with browser(business.office) as client:
        await signed_in(business.office, client, business.owner)
        old = client.cookies[COOKIE]
        await signed_in(business.office, client, business.owner)
        new = client.cookies[COOKIE]
    async with browser(business.office) as other:
        statuses = []
        for session in (old, new):
            other.cookies.set(COOKIE, session)
            statuses.append((await other.get("/noc/me")).status_code)

    assert old != new
    assert statuses == [401, 200]


async def test_the_step_before_the_second_factor_opens_nothing(business: Business) -> None:
    async with browser(business.office) as client:
        told = {"login": business.owner.login, "password": PASSWORD}
        await client.post("/noc/login", data=told)
        step = client.cookies["lango_step"]
        client.cookies.set(COOKIE, step, domain="localhost.local")
        page = await client.get("/noc/me")
        api = await client.get(f"{PREFIX}/sites", headers={"Authorization": f"Bearer {step}"})

    assert (page.status_code, api.status_code) == (401, 401)
