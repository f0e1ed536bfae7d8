"""Who may enter: a key as a bearer token, or the cookie of a browser that is signed in.

- The staff key of ``keys.json`` belongs to whoever owns the machine: it lies beside the database,
  and opens everything as an owner would. In a browser it opens as long as nobody has become the
  owner (a trial, a first look); after that people sign in as themselves.
- An API token (``lango_…``) stands for a program, with a role of its own.
- A session's cookie is random, is not readable by scripts, is not sent from other sites, goes over
  TLS only where it was given over TLS, and is kept here as a keyed hash.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken

from controller.api.attempts import Attempts, failed, wait_s
from controller.api.errors import Refused
from controller.api.source import client_address
from controller.device_names import device_name
from controller.passwords import Passwords
from controller.rights import Role, Who
from controller.store import staff
from controller.usecases import api_tokens
from controller.usecases.sign_in import (
    SESSION_LASTS,
    Caller,
    end_session_of,
    look_at_session,
    session_of,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from controller.deps import Deps
    from controller.usecases.sign_in import SignedIn

COOKIE = "lango_staff"
BROWSER_COOKIE = "lango_browser"
"""By which a browser is known again; it opens nothing."""

BROWSER_KEPT = timedelta(days=400)
KEY_SESSION_LASTS = timedelta(hours=12)
PURPOSE = "staff-session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE_CHARS_MAX = 200
STREAM = "/noc/events"
"""Opened anew by each tab that is left open: no sign that somebody is there."""

KEY_HOLDER = Who("key", "the key", Role.OWNER)
"""Whoever shows the controller's own key: it lies beside the database, and opens everything."""


class NotStaff(Refused):
    """No key, a wrong key, or a log-in that has ended."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            HTTPStatus.UNAUTHORIZED, "not_staff", detail, headers={"WWW-Authenticate": "Bearer"}
        )


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody in a browser; ``session_id`` is "" for the machine's own key."""

    who: Who
    session_id: str


class Staff:
    """The check of everybody who asks, which remembers who offered wrong keys."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._vault = deps.vault
        self._public = urlsplit(deps.settings.public_url)
        self._now = deps.now
        self._attempts = Attempts()
        self.passwords = Passwords()

    async def enter(self, request: Request) -> Who:
        """Who of the staff asks. Raises `Refused` for others, and for a form of another site."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._holder(request, key.strip())
        entered = await self.entered(request)
        if entered is None:
            raise NotStaff("send a key as `Authorization: Bearer …`, or sign in at /noc")
        if request.method not in SAFE_METHODS:
            refuse_other_origins(request)
        return entered.who

    async def entered(self, request: Request) -> Entered | None:
        """Who is signed in with this browser, while that still holds."""
        cookie = request.cookies.get(COOKIE, "")
        if not cookie:
            return None
        if self._is_key_session(cookie):
            async with self._deps.db.read() as tx:
                is_over = await staff.has_owner(tx)
            return None if is_over else Entered(KEY_HOLDER, "")
        if len(cookie) >= COOKIE_CHARS_MAX:
            return None
        look = look_at_session if request.url.path == STREAM else session_of
        found = await look(self._deps, cookie)
        return None if found is None else Entered(found[1], found[0].id)

    async def still(self, request: Request, who: Who) -> bool:
        """Whether somebody who was let in would be let in as the same now; for what lasts long.

        Does not count as a request: a page that is left open does not keep its session alive.
        """
        key = request.headers.get("authorization", "").partition(" ")[2].strip()
        if key:
            is_key = self._vault.is_staff_key(key)
            return is_key or await api_tokens.who_has(self._deps, key) == who
        cookie = request.cookies.get(COOKIE, "")
        if self._is_key_session(cookie):
            return await self.takes_key()
        found = await look_at_session(self._deps, cookie)
        return found is not None and found[1] == who

    async def _holder(self, request: Request, key: str) -> Who:
        if key.startswith(api_tokens.PREFIX):
            who = await api_tokens.who_has(self._deps, key)
            if who is not None:
                return who
        self.check_key(request, key)
        return KEY_HOLDER

    def check_key(self, request: Request, key: str) -> None:
        """Raise `NotStaff` for a wrong key; after too many of an address, `Refused`.

        The right key is never kept waiting: behind a proxy that ``http.proxies`` does not name
        everybody comes from one address. Nobody guesses a key of 192 random bits.
        """
        if self._vault.is_staff_key(key):
            return
        address = client_address(request)
        now = self._now()
        if wait := wait_s(self._attempts, address, now):
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_attempts",
                f"too many wrong keys from {address}; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )
        self._attempts = failed(self._attempts, address, now)
        raise NotStaff("this is not the staff key")

    def _is_key_session(self, cookie: str) -> bool:
        try:
            sealed = json.loads(self._vault.unseal(cookie.encode()))
            return (
                sealed["purpose"] == PURPOSE
                and self._vault.is_staff_key(sealed["key"])
                and datetime.fromisoformat(sealed["until"]) > self._now()
            )
        except (InvalidToken, ValueError, KeyError, TypeError):
            return False

    async def takes_key(self) -> bool:
        """Whether the machine's key opens a browser: as long as there is no owner."""
        async with self._deps.db.read() as tx:
            return not await staff.has_owner(tx)

    def log_in(self, request: Request, response: Response) -> None:
        """Put a new log-in by the key on ``response``. Call after `check_key`, `takes_key`."""
        session = {
            "purpose": PURPOSE,
            "key": self._vault.staff_key(),  # a changed key ends every log-in
            "until": (self._now() + KEY_SESSION_LASTS).isoformat(),
        }
        sealed = self._vault.seal(json.dumps(session).encode()).decode()
        self._keep(request, response, COOKIE, sealed, KEY_SESSION_LASTS)

    def sign_in(self, request: Request, response: Response, new: SignedIn) -> None:
        """Put a new session on ``response``, and what the browser is known by again."""
        self._keep(request, response, COOKIE, new.session, SESSION_LASTS)
        self._keep(request, response, BROWSER_COOKIE, new.browser, BROWSER_KEPT)

    def keep_step(
        self, request: Request, response: Response, name: str, step: str, lasts: timedelta
    ) -> None:
        """Let the browser carry the step of a sign-in that waits for its answer."""
        self._keep(request, response, name, step, lasts)

    async def log_out(self, request: Request, response: Response) -> None:
        """Take the log-in away, here and in the browser."""
        await self.end_session(request)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")

    async def end_session(self, request: Request) -> None:
        """End the session that a browser has, if it has one."""
        cookie = request.cookies.get(COOKIE, "")
        if cookie and len(cookie) < COOKIE_CHARS_MAX:
            await end_session_of(self._deps, cookie)

    def _keep(
        self, request: Request, response: Response, name: str, value: str, lasts: timedelta
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=lasts // timedelta(seconds=1),
            path="/",
            httponly=True,
            samesite="strict",
            secure=self.came_by_https(request),
        )

    def came_by_https(self, request: Request) -> bool:
        """Whether the browser spoke TLS, to us or to the proxy at our public address."""
        host = request.headers.get("host", "")
        public = self._public.scheme == "https" and host == self._public.netloc
        return public or request.scope["scheme"] == "https"


def caller_of(request: Request) -> Caller:
    """Where a request comes from, for a sign-in."""
    return Caller(
        address=client_address(request),
        device=device_name(request.headers.get("user-agent", "")),
        browser=request.cookies.get(BROWSER_COOKIE, "")[:COOKIE_CHARS_MAX],
        request_id=getattr(request.state, "request_id", ""),
    )


def refuse_other_origins(request: Request) -> None:
    """Raise `Refused` for a form or script of another site (browsers say where it came from)."""
    fetch_site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetch_site is not None:
        ours = fetch_site in {"same-origin", "none"}
    else:
        # Browsers send no Sec-Fetch-Site over plain HTTP to a host other than this machine.
        ours = origin is not None and _host_of(origin) == request.headers.get("host")
    if not ours:
        raise Refused(HTTPStatus.FORBIDDEN, "other_origin", "this request came from another site")


def _host_of(origin: str) -> str | None:
    """The host and port of an origin; None for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
