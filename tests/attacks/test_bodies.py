"""Bodies that are too long or too slow, at every door."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from controller.api.door import BODY_BYTES_MAX, LONGER_BODY_BYTES_MAX, Door
from tests.attacks import doors
from tests.attacks.asking import application, asking, bearer, ids_for
from tests.attacks.doors import Deed, filled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.attacks.business import Business

PIECE = b" " * 65_536
SENT_MAX = 64
"""Pieces that an attacker sends beyond what a door takes."""

OPEN = {
    ("POST", "/callbacks/stk/{secret}"),
    ("POST", "/callbacks/c2b/{secret}/confirm"),
    ("POST", "/callbacks/bank/{secret}"),
    ("POST", "/api/sign-in"),
    ("POST", "/api/sign-in/code"),
    ("POST", "/buy/site-thika/order"),
}


async def test_a_body_that_is_too_long_is_refused_before_it_is_there(business: Business) -> None:
    app, guilty, tried = application(business), [], 0
    writing = {key for key in doors.routes() if key[0] not in doors.SAFE} | OPEN
    async with asking(app, cookies=business.owner_cookies) as client:
        for method, path in sorted(writing):
            real = filled(path, ids_for(path, business.ids))
            pieces = LONGER_BODY_BYTES_MAX.get(real, BODY_BYTES_MAX) // len(PIECE) + 1
            sent = 0

            async def body(most: int = pieces + SENT_MAX) -> AsyncIterator[bytes]:
                nonlocal sent
                for _ in range(most):
                    sent += 1
                    yield PIECE

            headers = bearer(business, Deed(method, path)) | {"Content-Type": "application/json"}
            answer = await client.request(method, real, content=body(), headers=headers)
            tried += 1
            if answer.status_code >= 500 or answer.is_success or sent > pieces + 1:
                guilty.append((method, path, answer.status_code, sent))
    await app.state.hub.close()

    assert not guilty, "\n".join(map(str, guilty))
    assert tried > 140


async def test_a_body_that_never_ends_is_given_up_and_keeps_nobody_waiting(
    business: Business,
) -> None:
    app = application(business)

    async def body() -> AsyncIterator[bytes]:
        yield b'{"id": "'
        await asyncio.Event().wait()

    async with asking(Door(app, body_s_max=0.5), cookies=business.owner_cookies) as client:
        slow = asyncio.create_task(client.post("/api/v1/sites", content=body()))
        meanwhile = await client.get("/api/v1/sites")
        answer = await asyncio.wait_for(slow, 20)
    await app.state.hub.close()

    assert meanwhile.status_code == 200
    assert (answer.status_code, answer.json()["detail"]) == (408, "the body took too long")
