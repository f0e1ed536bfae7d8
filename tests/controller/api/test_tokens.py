"""Tokens over HTTP: issued once for one key, listed without their digits, sent again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.office import a_plan, a_site, caller

if TYPE_CHECKING:
    from tests.support.office import Office

TOKEN = {"site_id": "fresh", "plan_id": "hours-2", "phone": "0712345678"}
DIGITS = re.compile(r"(\d{4}-){4}\d{4}")


async def test_one_key_issues_one_token_however_often_it_is_sent(office: Office) -> None:
    await office.keep(a_site("fresh"), a_plan())
    async with caller(office) as client:
        answers = [
            await client.post("/api/v1/tokens", json=TOKEN, headers={"Idempotency-Key": "k" * 8})
            for _ in range(2)
        ]
        listed = (await client.get("/api/v1/tokens")).text

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert DIGITS.fullmatch(answers[0].json()["token"])
    assert not DIGITS.search(listed)
    assert "2547••••678" in listed


async def test_without_a_key_nothing_is_issued(office: Office) -> None:
    await office.keep(a_site("fresh"), a_plan())
    async with caller(office) as client:
        answer = await client.post("/api/v1/tokens", json=TOKEN)
        listed = (await client.get("/api/v1/tokens")).json()

    assert (answer.status_code, listed["data"]) == (400, [])


async def test_what_is_not_there_is_not_found(office: Office) -> None:
    key = {"Idempotency-Key": "n" * 8}
    async with caller(office) as client:
        codes = [
            (await client.post("/api/v1/tokens", json=TOKEN, headers=key)).status_code,
            (await client.post("/api/v1/tokens/abc/resend", json={}, headers=key)).status_code,
            (await client.post("/api/v1/sites/fresh/token-keys", headers=key)).status_code,
        ]

    assert codes == [404, 404, 404]


async def test_a_rotated_key_has_the_next_version(office: Office) -> None:
    await office.keep(a_site("fresh"), a_plan())
    key = {"Idempotency-Key": "r" * 8}
    async with caller(office) as client:
        answer = await client.post("/api/v1/sites/fresh/token-keys", headers=key)

    assert (answer.status_code, answer.json()) == (201, {"version": 1})
