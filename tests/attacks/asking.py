"""Doing the deeds of `tests.attacks.doors`: a client for each road, and whether it went well."""

from __future__ import annotations

import itertools
import json
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
from cryptography.fernet import InvalidToken

from controller.api.app import create_app
from controller.noc.live import FLASH
from tests.attacks.doors import Deed, filled, filled_in
from tests.support.staff import CHEAP, PUBLIC, SAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from tests.attacks.business import Business

KEYS = itertools.count(1)
OTHERS = {
    "/arrivals/{arrival_id}/": {"arrival_id": "unplaced"},
    "/money/{arrival_id}/": {"arrival_id": "unplaced"},
    "/me/tokens/{token_id}": {"token_id": "api_token_id"},
    "/statement-profiles/{name}": {"name": "profile"},
}
"""Paths in which a name stands for another thing than elsewhere."""


def application(business: Business) -> FastAPI:
    """The real application; passwords are hashed quickly."""
    app = create_app(business.office.deps)
    app.state.staff.passwords = CHEAP
    return app


@asynccontextmanager
async def asking(
    app: ASGIApp, *, cookies: Mapping[str, str] | None = None, headers: Mapping[str, str] = SAME
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application, a browser that is signed in where it has cookies."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url=PUBLIC, headers=dict(headers), cookies=dict(cookies or {})
    ) as client:
        yield client


def ids_for(path: str, ids: Mapping[str, str]) -> dict[str, str]:
    """What names stand for in this path."""
    other = next((names for part, names in OTHERS.items() if part in path), {})
    return {**ids, **{name: ids[source] for name, source in other.items()}}


def is_form(path: str) -> bool:
    """Whether it is posted to as a form."""
    return path.startswith("/noc")


def _way(path: str) -> str:
    return "data" if is_form(path) else "json"


async def asked(
    client: httpx2.AsyncClient,
    deed: Deed,
    ids: Mapping[str, str],
    content: Any = None,
    **how: Any,
) -> httpx2.Response:
    """The answer to a deed, with its own content or another."""
    fresh = {**ids, "once": secrets.token_hex(16)}
    told = filled_in(deed.content if content is None else content, fresh)
    body = {"files": deed.files} if deed.files else {_way(deed.path): told}
    headers = {"Idempotency-Key": f"key-{next(KEYS):08}", **how.pop("headers", {})}
    path = filled(deed.path, ids_for(deed.path, ids))
    return await client.request(deed.method, path, headers=headers, **body, **how)


async def prepared(
    client: httpx2.AsyncClient, business: Business, deed: Deed, ids: dict[str, str]
) -> None:
    """Do what a deed wants done before; ``ids`` learns what was made."""
    for one in deed.first:
        await prepared(client, business, one, ids)
        answer = await asked(client, one, ids, headers=bearer(business, one))
        assert went_well(business, answer), (deed.path, one.path, answer.status_code, answer.text)
        if one.keep:
            ids[one.keep] = _made(answer.json())


def bearer(business: Business, deed: Deed) -> dict[str, str]:
    """The machine's key for the API; forms have their browser's session."""
    return {} if is_form(deed.path) else {"Authorization": f"Bearer {business.office.key}"}


def _made(told: dict[str, Any]) -> str:
    if "data" in told:
        return str(told["data"][-1]["id"])
    return str(told.get("id") or told.get("batch") or told["route"]["id"])


def went_well(business: Business, answer: httpx2.Response) -> bool:
    """Whether it was done: a page that says why not is also a redirection."""
    if answer.is_success:
        return True
    return answer.status_code == httpx2.codes.SEE_OTHER and _tone(business, answer) != "bad"


def _tone(business: Business, answer: httpx2.Response) -> str:
    try:
        sealed = (answer.cookies.get(FLASH) or "").encode()
        return str(json.loads(business.office.deps.vault.unseal(sealed))["tone"])
    except InvalidToken:
        return ""
