"""The log-in of the live page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.api.attempts import FAILURES_MAX
from controller.api.auth import COOKIE
from tests.support.office import Office, caller

if TYPE_CHECKING:
    import httpx2

SAME = {"Sec-Fetch-Site": "same-origin"}


async def logged_in(office: Office, client: httpx2.AsyncClient) -> httpx2.Response:
    return await client.post("/noc/login", data={"key": office.key}, headers=SAME)


async def test_the_right_key_opens_the_page(office: Office) -> None:
    async with caller(office, None) as client:
        answer = await logged_in(office, client)
        page = await client.get("/noc")

    assert (answer.status_code, answer.headers["location"]) == (303, "/noc")
    assert page.status_code == 200
    assert "Sites" in page.text


async def test_scripts_and_other_sites_cannot_use_the_cookie(office: Office) -> None:
    async with caller(office, None) as client:
        answer = await logged_in(office, client)

    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert office.key.lower() not in cookie


async def test_a_key_in_the_address_leaves_it_at_once(office: Office) -> None:
    async with caller(office, None) as client:
        answer = await client.get("/noc", params={"key": office.key})

    assert (answer.status_code, answer.headers["location"]) == (303, "/noc")
    assert office.key not in answer.text


async def test_a_wrong_key_gets_the_form_and_a_reason(office: Office) -> None:
    async with caller(office, None) as client:
        answer = await client.post("/noc/login", data={"key": "wrong"}, headers=SAME)

    assert answer.status_code == 401
    assert "This is not the staff key." in answer.text
    assert "set-cookie" not in answer.headers


async def test_failed_log_ins_are_limited(office: Office) -> None:
    async with caller(office, None) as client:
        for _ in range(FAILURES_MAX):
            await client.post("/noc/login", data={"key": "wrong"}, headers=SAME)
        answer = await client.post("/noc/login", data={"key": "wrong"}, headers=SAME)

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(("host", "secure"), [("pay.example.co.ke", True), ("127.0.0.1", False)])
async def test_a_cookie_that_was_given_over_tls_never_travels_without(
    office: Office, *, host: str, secure: bool
) -> None:
    told = office.deps.settings
    http = told.http.model_copy(update={"public_url": "https://pay.example.co.ke"})
    settings = told.model_copy(update={"http": http})
    public = replace(office, deps=replace(office.deps, settings=settings))
    async with caller(public, None) as client:
        sent = {**SAME, "Host": host}
        answer = await client.post("/noc/login", data={"key": office.key}, headers=sent)

    assert ("secure" in answer.headers["set-cookie"].lower()) is secure


async def test_a_log_in_ends_by_itself(office: Office) -> None:
    async with caller(office, None) as client:
        await logged_in(office, client)
        office.clock.forward(hours=12)
        answer = await client.get("/noc")

    assert answer.status_code == 401


async def test_logging_out_ends_it(office: Office) -> None:
    async with caller(office, None) as client:
        await logged_in(office, client)
        await client.post("/noc/logout", headers=SAME)
        answer = await client.get("/noc")

    assert answer.status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "é", "gAAAAA" + "A" * 90])
async def test_an_invented_cookie_is_nobody(office: Office, cookie: str) -> None:
    async with caller(office, None) as client:
        answer = await client.get("/noc", headers={b"cookie": f"{COOKIE}={cookie}".encode()})

    assert answer.status_code == 401


async def test_something_else_that_was_sealed_is_no_log_in(office: Office) -> None:
    content = {"purpose": "other", "key": office.key, "until": "2099-01-01T00:00:00+00:00"}
    sealed = office.deps.vault.seal(json.dumps(content).encode()).decode()

    async with caller(office, None) as client:
        answer = await client.get("/noc", headers={"Cookie": f"{COOKIE}={sealed}"})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://lango.test"}, 201),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_with_a_cookie_only_our_own_pages_may_change_things(
    office: Office, headers: dict[str, str], status: int
) -> None:
    async with caller(office, None) as client:
        await logged_in(office, client)
        site = {"id": "estate-1", "name": "Estate 1"}
        answer = await client.post("/api/v1/sites", json=site, headers=headers)

    assert answer.status_code == status


async def test_a_form_of_another_site_cannot_log_anybody_in(office: Office) -> None:
    async with caller(office, None) as client:
        answer = await client.post(
            "/noc/login", data={"key": office.key}, headers={"Sec-Fetch-Site": "cross-site"}
        )

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
