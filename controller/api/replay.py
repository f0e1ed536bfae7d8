"""A POST that makes something is done once per ``Idempotency-Key``; a repeat gets the same answer.

The key is kept in the inbox with a hash of what was asked and, sealed, what was answered (it may
hold voucher codes, which are nowhere else). The same key with another request is refused, and so is
a key whose first request did not end well: then nobody can say what a repeat would do.
"""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.responses import Response

from controller.api.errors import Refused
from controller.store import inbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from fastapi import Request
    from pydantic import BaseModel

    from controller.deps import Deps

HEADER = "Idempotency-Key"
SOURCE = "api"
DONE = "done"
REFUSED = "refused"
_SHAPE = re.compile(r"[A-Za-z0-9._:-]{8,64}")
_HASH_BYTES = 32


def key_of(request: Request) -> str:
    """The key of this request. Raises `Refused` when it is missing or odd."""
    key = request.headers.get(HEADER, "")
    if not _SHAPE.fullmatch(key):
        raise Refused(
            HTTPStatus.BAD_REQUEST,
            "idempotency_key_wanted",
            "want 8 to 64 of letters, digits, . _ : and -, new for each thing that is made",
            field=HEADER,
        )
    return key


def id_of(request: Request) -> str:
    """The id of what this request makes: of the same key and path always the same."""
    return hashlib.sha256(f"{request.url.path}:{key_of(request)}".encode()).hexdigest()[:32]


async def once(
    deps: Deps,
    request: Request,
    asked: BaseModel,
    work: Callable[[], Awaitable[BaseModel]],
    *,
    key: str = "",
) -> Response:
    """What ``work`` answers, or what it answered when this key was first used.

    ``key`` is that of a form, which can send no headers.
    """
    external_id = f"{request.url.path}:{key or key_of(request)}"
    asked_hash = hashlib.sha256(asked.model_dump_json().encode()).digest()
    async with deps.db.begin() as tx:
        is_new = await inbox.take(
            tx, source=SOURCE, external_id=external_id, body=asked_hash, now=deps.now()
        )
        row = await inbox.load(tx, source=SOURCE, external_id=external_id)
        body, verdict = bytes(row.body), row.verdict
    if not is_new:
        return _again(deps, asked_hash, body, verdict)
    try:
        answer = (await work()).model_dump_json().encode()
    except Exception:
        await _note(deps, external_id, asked_hash, REFUSED)
        raise
    await _note(deps, external_id, asked_hash + deps.vault.seal(answer), DONE)
    return Response(answer, HTTPStatus.CREATED, media_type="application/json")


async def answer_to(deps: Deps, path: str, key: str, *, within: timedelta) -> bytes | None:
    """What was answered when this key was used, if that was not longer ago; else None."""
    async with deps.db.read() as tx:
        row = await inbox.find(tx, source=SOURCE, external_id=f"{path}:{key}")
    if row is None or row.verdict != DONE or row.received_at < deps.now() - within:
        return None
    return deps.vault.unseal(bytes(row.body)[_HASH_BYTES:])


async def _note(deps: Deps, external_id: str, body: bytes, verdict: str) -> None:
    async with deps.db.begin() as tx:
        row = await inbox.load(tx, source=SOURCE, external_id=external_id)
        row.body, row.verdict = body, verdict


def _again(deps: Deps, asked_hash: bytes, body: bytes, verdict: str | None) -> Response:
    if body[:_HASH_BYTES] != asked_hash:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this key was used for another request",
            field=HEADER,
        )
    if verdict != DONE:
        raise Refused(
            HTTPStatus.CONFLICT,
            "idempotency_key_spent",
            "the first request with this key is still running or did not end well; "
            "look at the list, then use a new key",
            field=HEADER,
        )
    answer = deps.vault.unseal(body[_HASH_BYTES:])
    headers = {"Idempotency-Replayed": "true"}
    return Response(answer, HTTPStatus.CREATED, headers, media_type="application/json")
