"""What a new gateway asks without sign-in: the script of its code, the agent; and what it tells.

Whoever has a code can do what the code is for. Wrong codes are counted by address; behind a proxy
of ours that is the address of who asks.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api.attempts import Attempts, failed, wait_s
from controller.api.errors import Refused
from controller.api.needs import deps_of
from controller.api.source import client_address
from controller.installer.bundle import bundle
from controller.installer.script import refusing
from controller.usecases import joining

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

STEPS_MAX = 60
"""Steps that an address may tell within a minute."""

FIELDS_MAX = 8
SHELL = "text/x-shellscript; charset=utf-8"
ARCHIVE = "application/gzip"

router = APIRouter(include_in_schema=False)


class Turnstile:
    """Counts wrong codes, and steps that were told, by the address from which they come."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._wrong = Attempts()
        self._told = Attempts()

    def wait_s(self, address: str) -> int:
        """Seconds until the address may offer a code again; 0: it may now."""
        return wait_s(self._wrong, address, self._now())

    def wrong(self, address: str) -> None:
        """A code of this address was not good."""
        self._wrong = failed(self._wrong, address, self._now())

    def step(self, address: str) -> None:
        """The address tells a step. Raises `Refused` when it tells too many."""
        if wait := wait_s(self._told, address, self._now(), most=STEPS_MAX):
            raise too_often(wait)
        self._told = failed(self._told, address, self._now(), most=STEPS_MAX)


def too_often(wait: int) -> Refused:
    """A refusal that says when to come back."""
    return Refused(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_often",
        f"wait {wait} s",
        headers={"Retry-After": str(wait)},
    )


@router.get("/i/{code}")
async def install_script(request: Request, code: str) -> Response:
    """The script that makes a machine a gateway.

    What is refused is a script as well, which says so and fails: it is piped into a shell, and a
    shell that is given nothing would look as if all were well.
    """
    turnstile, address = _turnstile(request), client_address(request)
    if wait := turnstile.wait_s(address):
        return _script(refusing(f"too many wrong codes came from here: wait {wait} s"))
    try:
        await joining.must_be_young(deps_of(request), code)
        await asyncio.to_thread(bundle)
        return _script(await joining.script_of(deps_of(request), code))
    except joining.CodeUnknown as unknown:
        turnstile.wrong(address)
        return _script(refusing(str(unknown)))


@router.get("/i/{code}/agent.tar.gz")
async def agent(request: Request, code: str) -> Response:
    """The agent, as the script of this code names it by its hash."""
    turnstile, address = _turnstile(request), client_address(request)
    if wait := turnstile.wait_s(address):
        raise too_often(wait)
    try:
        await joining.must_be_young(deps_of(request), code)
    except joining.CodeUnknown as unknown:
        turnstile.wrong(address)
        raise _not_found(unknown) from unknown
    made = await asyncio.to_thread(bundle)
    return Response(made.content, media_type=ARCHIVE)


@router.post("/i/{code}/step", status_code=HTTPStatus.NO_CONTENT)
async def step(request: Request, code: str) -> Response:
    """What the script of this code tells of itself."""
    turnstile, address = _turnstile(request), client_address(request)
    if wait := turnstile.wait_s(address):
        raise too_often(wait)
    turnstile.step(address)
    body = (await request.body()).decode(errors="replace")
    try:
        sent = dict(parse_qsl(body, max_num_fields=FIELDS_MAX))
    except ValueError:
        sent = {}
    try:
        await joining.note_step(deps_of(request), code, sent)
    except joining.CodeUnknown as unknown:
        turnstile.wrong(address)
        raise _not_found(unknown) from unknown
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _not_found(unknown: joining.CodeUnknown) -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "code_unknown", str(unknown))


def _script(content: bytes) -> Response:
    return Response(content, media_type=SHELL)


def _turnstile(request: Request) -> Turnstile:
    return cast("Turnstile", request.app.state.turnstile)
