"""Who may enter: the staff key as a bearer token, or the sealed cookie of the live page.

The cookie is made at log-in from the key, is read by this controller alone (sealed by the vault),
cannot be read by scripts, is not sent from other sites, and ends by itself.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken

from controller.api.attempts import Attempts, failed, wait_s
from controller.api.errors import Refused
from controller.rights import Role, Who

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from controller.vault import Vault

COOKIE = "lango_staff"
SESSION_LASTS = timedelta(hours=12)
PURPOSE = "staff-session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

KEY_HOLDER = Who("key", "the key", Role.OWNER)
"""Whoever shows the controller's own key: it lies beside the database, and opens everything."""


class NotStaff(Refused):
    """No key, a wrong key, or a log-in that has ended."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            HTTPStatus.UNAUTHORIZED, "not_staff", detail, headers={"WWW-Authenticate": "Bearer"}
        )


class Staff:
    """The check of the staff key, which remembers who offered wrong ones."""

    def __init__(self, *, vault: Vault, now: Callable[[], datetime], public_url: str) -> None:
        self._vault = vault
        self._public = urlsplit(public_url)
        self._now = now
        self._attempts = Attempts()

    async def enter(self, request: Request) -> Who:
        """Who of the staff asks. Raises `Refused` for others, and for a form of another site."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self.check_key(request, key.strip())
            return KEY_HOLDER
        if not self.is_logged_in(request):
            raise NotStaff("send the staff key as `Authorization: Bearer …`, or log in at /noc")
        if request.method not in SAFE_METHODS:
            refuse_other_origins(request)
        return KEY_HOLDER

    def check_key(self, request: Request, key: str) -> None:
        """Raise `NotStaff` for a wrong key; after too many of an address, `Refused`.

        The right key is never kept waiting: behind a proxy everybody comes from one address, and a
        stranger could keep staff out. Nobody guesses a key of 192 random bits.
        """
        if self._vault.is_staff_key(key):
            return
        address = request.client.host if request.client else ""
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

    def is_logged_in(self, request: Request) -> bool:
        """Whether the request carries a log-in that this controller made and that still holds."""
        try:
            sealed = json.loads(self._vault.unseal(request.cookies.get(COOKIE, "").encode()))
            return (
                sealed["purpose"] == PURPOSE
                and self._vault.is_staff_key(sealed["key"])
                and datetime.fromisoformat(sealed["until"]) > self._now()
            )
        except (InvalidToken, ValueError, KeyError, TypeError):
            return False

    def log_in(self, request: Request, response: Response) -> None:
        """Put a new log-in on ``response``. Call after `check_key`."""
        session = {
            "purpose": PURPOSE,
            "key": self._vault.staff_key(),  # a changed key ends every log-in
            "until": (self._now() + SESSION_LASTS).isoformat(),
        }
        response.set_cookie(
            COOKIE,
            self._vault.seal(json.dumps(session).encode()).decode(),
            max_age=SESSION_LASTS // timedelta(seconds=1),
            path="/",
            httponly=True,
            samesite="strict",
            secure=self._came_by_https(request),
        )

    def _came_by_https(self, request: Request) -> bool:
        """Whether the browser spoke TLS, to us or to the proxy at our public address."""
        public = self._public.scheme == "https" and request.url.netloc == self._public.netloc
        return public or request.url.scheme == "https"

    def log_out(self, response: Response) -> None:
        """Take the log-in away."""
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def refuse_other_origins(request: Request) -> None:
    """Raise `Refused` for a form or script of another site (browsers say where it came from)."""
    fetch_site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetch_site is not None:
        ours = fetch_site in {"same-origin", "none"}
    else:
        # Browsers send no Sec-Fetch-Site over plain HTTP to a host other than this machine.
        ours = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    if not ours:
        raise Refused(HTTPStatus.FORBIDDEN, "other_origin", "this request came from another site")
