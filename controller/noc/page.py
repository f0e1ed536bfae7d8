"""Log-in, log-out, how the dashboard is shown, and its static files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from billing.errors import InvalidField
from controller.api.auth import refuse_other_origins
from controller.api.door import DIRECTIVES
from controller.api.needs import staff_of
from controller.noc import preferences
from controller.noc.hub import Style
from controller.noc.paint import STATIC
from controller.noc.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.types import Scope

    from controller.noc.preferences import Preferences

FOREVER = "public, max-age=31536000, immutable"
"""A static file is asked for by a name that changes with what is in it."""

PREFERENCES_LAST = timedelta(days=365)

router = APIRouter(include_in_schema=False)


class Static(StaticFiles):
    """Files that a browser keeps when it asked for them by their digest."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file."""
        response = await super().get_response(path, scope)
        by_digest = scope.get("query_string", b"").startswith(b"v=")
        response.headers["Cache-Control"] = FOREVER if by_digest else "no-cache"
        return response


def static_files(directory: Path = STATIC) -> StaticFiles:
    """Our style and script, and what was vendored at build time."""
    return Static(directory=directory)


def preferences_of(request: Request) -> Preferences:
    """How this browser wants to be shown things."""
    return preferences.read(
        request.cookies.get(preferences.COOKIE, ""), request.headers.get("accept-language", "")
    )


def style_of(request: Request) -> Style:
    """The part of that by which panels differ."""
    wanted = preferences_of(request)
    return Style(wanted.language, wanted.redacted)


def ours(to: str) -> str:
    """An address of the dashboard; anything else leads to its front page."""
    try:
        parts = urlsplit(to)
    except ValueError:  # half an IPv6 address, for one
        return "/noc"
    is_ours = parts.path == "/noc" or parts.path.startswith("/noc/")
    if parts.scheme or parts.netloc or not is_ours or "\\" in to or not to.isprintable():
        return "/noc"
    return to


def policy(images: Sequence[str], *, frames: bool = False) -> str:
    """The content security policy of a page that loads more: pictures from elsewhere, or pages."""
    more = " ".join(("img-src 'self' data:", *images))
    usual = (more if one.startswith("img-src") else one for one in DIRECTIVES)
    return "; ".join((*usual, "frame-src 'self'") if frames else usual)


@router.get("/")
async def front_door() -> Response:
    """Staff want the dashboard."""
    return RedirectResponse("/noc", HTTPStatus.SEE_OTHER)


@router.post("/noc/logout")
async def log_out(request: Request) -> Response:
    """End the log-in of this browser."""
    refuse_other_origins(request)
    response = RedirectResponse("/noc", HTTPStatus.SEE_OTHER)
    await staff_of(request).log_out(request, response)
    return response


@router.post("/noc/preferences")
async def prefer(request: Request) -> Response:
    """Keep one choice of this browser, and show the same page in that way."""
    refuse_other_origins(request)
    sent = parse_qs((await request.body()).decode(errors="replace"))
    chosen = {name: values[-1] for name, values in sent.items()}
    wanted = _changed(preferences_of(request), chosen)
    response = RedirectResponse(ours(chosen.get("back", "/noc")), HTTPStatus.SEE_OTHER)
    response.set_cookie(
        preferences.COOKIE,
        wanted.written(),
        max_age=PREFERENCES_LAST // timedelta(seconds=1),
        path="/noc",
        httponly=True,
        samesite="strict",
        secure=staff_of(request).came_by_https(request),
    )
    return response


def _changed(wanted: Preferences, chosen: dict[str, str]) -> Preferences:
    known = {"language": tuple(LANGUAGES), "theme": preferences.THEMES, "redacted": ("0", "1")}
    for name, choices in known.items():
        if name in chosen and chosen[name] not in choices:
            raise InvalidField(name, f"is none of {', '.join(choices)}")
    redacted = chosen["redacted"] == "1" if "redacted" in chosen else wanted.redacted
    return replace(
        wanted,
        language=chosen.get("language", wanted.language),
        theme=chosen.get("theme", wanted.theme),
        redacted=redacted,
    )
