"""Hostile values in every field of every door: refused whole, or kept harmless; never a crash.

``ATTACK_ALL=1`` sends every value in every field (about a minute).
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks import doors
from tests.attacks.asking import KEYS, application, asked, asking, ids_for, is_form
from tests.attacks.doors import Deed, filled, filled_in
from tests.attacks.hostile import (
    HALF,
    SCRIPT,
    instead_of,
    one_by_one,
    places,
    typed_instead_of,
    with_at,
)
from tests.attacks.tables import Watcher, changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from tests.attacks.business import Business
    from tests.attacks.hostile import Path

BROKEN = 500
REFUSED = 400
DEEDS = (*doors.API, *doors.MORE, *doors.ACTS)
OWN = {
    "/noc/me/password": "tries of a password are counted",
    "/noc/me/codes": "the same",
    "/noc/me/tokens": "the same",
    "/noc/me/sessions/end": "its form has no field",
}
"""What ends or slows the very session that attacks, and has no text that is kept."""


def bodies(deed: Deed, ids: dict[str, str]) -> Iterator[Any]:
    """The deed's body with one bad value at a time."""
    good = filled_in(deed.content, {**ids, "once": "{once}"})
    return one_by_one(good, lambda at, value: bad_for(deed, at, value))


def bad_for(deed: Deed, at: Path, value: Any) -> tuple[Any, ...]:
    """What is sent in one place of a body."""
    if not is_form(deed.path):
        return instead_of(value)
    return () if at[0] in {"password", "sure"} else typed_instead_of(value)


def halves(deed: Deed, ids: dict[str, str]) -> Iterator[Any]:
    """The body with half a character in one field after another; forms can send none."""
    good = filled_in(deed.content, {**ids, "once": "ab" * 16})
    for at, value in () if is_form(deed.path) else places(good):
        if HALF in instead_of(value):
            yield with_at(good, at, HALF)


async def attacked(
    client: httpx2.AsyncClient, deed: Deed, ids: dict[str, str], body: Any
) -> httpx2.Response:
    """The answer; JSON says by escapes what no UTF-8 can."""
    if is_form(deed.path):
        return await asked(client, deed, ids, body)
    path = filled(deed.path, ids_for(deed.path, ids))
    key = f"key-{next(KEYS):08}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    told = json.dumps(filled_in(body, {"once": secrets.token_hex(16)})).encode()
    return await client.request(deed.method, path, content=told, headers=headers)


def shown(answer: httpx2.Response) -> str:
    """What is wrong with an answer; "" for nothing."""
    if answer.status_code >= BROKEN:
        return f"{answer.status_code}"
    if SCRIPT in answer.text and "json" not in answer.headers.get("content-type", ""):
        return "a script in the page"
    if "set-cookie" in answer.headers and "lango_staff=1" in answer.headers["set-cookie"]:
        return "a header of the attacker's"
    return ""


@pytest.mark.parametrize("who", ["owner", "held"])
async def test_a_hostile_value_in_a_body_breaks_nothing_and_is_done_whole_or_not_at_all(
    business: Business, who: str
) -> None:
    app, watcher, guilty = application(business), Watcher(business), []
    cookies = business.owner_cookies if who == "owner" else business.held_cookies
    ids = {**business.ids}
    async with asking(app, cookies=cookies) as client:
        for deed in DEEDS:
            if deed.path in OWN or deed.content is None:
                continue
            for body in (bodies if who == "owner" else halves)(deed, ids):
                before = watcher.seen()
                answer = await attacked(client, deed, ids, body)
                fault = shown(answer)
                if answer.status_code >= REFUSED and (left := changed(before, watcher.seen())):
                    fault = fault or f"{answer.status_code}, and left {left}"
                if fault:
                    guilty.append((deed.key, str(body)[:160], fault))
    await app.state.hub.close()
    watcher.close()

    assert not guilty, "\n".join(map(str, guilty))
