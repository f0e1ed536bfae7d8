"""One's own account: password, authenticator app, recovery codes, passkeys, sessions, API tokens.

Whatever changes how one signs in wants the password once more: a browser that was left open is not
enough to stay in. These forms are for browsers that are signed in; a program's key does not open
them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import HTMLResponse, JSONResponse, Response
from markupsafe import Markup

from billing.errors import InvalidField
from controller.api.errors import Refused
from controller.api.needs import deps_of, staff_of
from controller.noc import live
from controller.noc.brand import brand_of
from controller.noc.page import preferences_of, style_of
from controller.noc.pages.sign_in import STEP_CHARS_MAX, STEP_COOKIE
from controller.noc.paint import rendered
from controller.noc.words import word
from controller.rights import Right, Role
from controller.store import sign_ins, staff
from controller.usecases import api_tokens, staff_self
from controller.usecases.factors import can_use_passkeys, offer_app, offered_app, totp_picture
from controller.usecases.sign_in import STEP_LASTS
from controller.usecases.staff_names import at_most

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.api.auth import Entered
    from controller.deps import Deps
    from controller.store.staff_rows import StaffRow

HERE = "/noc/me"
DONE = word("Done.")
NOT_THERE = word("It is not there any more.")


@dataclass(frozen=True, slots=True)
class PasskeyLine:
    """A passkey as a row."""

    id: str
    name: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A browser that is signed in, as a row."""

    id: str
    device: str
    address: str
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class TokenLine:
    """An API token as a row."""

    id: str
    name: str
    role: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewApp:
    """The secret for another authenticator app; ``sealed`` comes back with the form."""

    sealed: str
    picture: Markup
    secret: str


@dataclass(frozen=True, slots=True)
class Me:
    """One's own account. ``is_person`` is false for the machine's key, which has none."""

    is_person: bool
    now: datetime
    login: str = ""
    role: str = ""
    branches: str = ""
    codes_left: int = 0
    passkeys: tuple[PasskeyLine, ...] = ()
    sessions: tuple[SessionLine, ...] = ()
    tokens: tuple[TokenLine, ...] = ()
    roles: tuple[tuple[str, str], ...] = ()
    days_max: int = api_tokens.LASTS_MAX_DAYS
    can_passkey: bool = False
    app: NewApp | None = None


async def look(asked: live.Asked) -> Me:
    """The account of who asks."""
    deps, now = asked.deps, asked.now
    async with deps.db.read() as tx:
        row = await staff.load(tx, asked.who.id)
        if row is None:
            return Me(is_person=False, now=now)
        left = await staff.recovery_left(tx, row.id)
        keys = await staff.passkeys(tx, row.id)
        sessions = await sign_ins.sessions(tx, row.id, now)
    tokens = await api_tokens_of(deps, row.id)
    return Me(
        is_person=True,
        now=now,
        login=row.login,
        role=row.role,
        branches=row.branches or "",
        codes_left=left,
        passkeys=tuple(PasskeyLine(k.id, k.name, k.created_at, k.used_at) for k in keys),
        sessions=tuple(
            SessionLine(s.id, s.device, s.address, s.created_at, s.seen_at) for s in sessions
        ),
        tokens=tuple(tokens),
        roles=tuple(
            (role.value, role.value.replace("_", "-"))
            for role in Role
            if at_most(role, asked.who.role)
        ),
        can_passkey=can_use_passkeys(deps),
        app=_new_app(deps, row) if "app" in asked.query else None,
    )


async def api_tokens_of(deps: Deps, staff_id: str) -> list[TokenLine]:
    """The API tokens that somebody made, as rows."""
    return [
        TokenLine(r.id, r.name, r.role, r.created_at, r.used_at, r.expires_at)
        for r in await api_tokens.made_by(deps, staff_id)
    ]


ME = live.View(
    name="Your account", path=HERE, right=None, look=look, template="me/page.html", every_s=0
)

router = live.pages(ME)


@router.post("/noc/me/password")
async def change_password(request: Request) -> Response:
    """Choose another password."""
    entered, raw = await _entered(request), await live.fields_as_typed(request)
    if raw.get("password", "") != raw.get("again", ""):
        said = live.words_of(request)("The two passwords differ.")
        return live.back(request, HERE, said=said, tone="bad")
    deed = staff_self.change_password(
        deps_of(request),
        staff_of(request).passwords,
        entered.who.id,
        session_id=entered.session_id,
        old=raw.get("old", ""),
        new=raw.get("password", ""),
    )
    return await live.tried(request, HERE, deed, said=live.words_of(request)(DONE))


@router.post("/noc/me/app")
async def change_app(request: Request) -> Response:
    """Use another authenticator app."""
    entered, sent = await _proven(request)
    app = offered_app(deps_of(request), entered.who.id, sent.get("sealed", ""))
    deed = staff_self.change_totp(
        deps_of(request), entered.who.id, secret=app.secret, code=sent.get("code", "")
    )
    return await live.tried(request, HERE, deed, said=live.words_of(request)(DONE))


@router.post("/noc/me/codes")
async def new_codes(request: Request) -> Response:
    """Ten new recovery codes, shown this once."""
    entered, _ = await _proven(request)
    codes = await staff_self.new_codes(deps_of(request), entered.who.id)
    html = rendered(
        "sign_in/codes.html",
        style_of(request),
        wanted=preferences_of(request),
        brand=brand_of(request),
        codes=codes,
        to=HERE,
    )
    return HTMLResponse(html)


@router.post("/noc/me/passkeys/ask")
async def ask_passkey(request: Request) -> Response:
    """What the browser is to ask its authenticator to make."""
    entered, told = await _entered(request), await _json(request)
    await _must_know(request, entered, str(told.get("password", "")))
    asked = await staff_self.ask_new_passkey(deps_of(request), entered.who.id)
    response = Response(asked.options, media_type="application/json")
    staff_of(request).keep_step(request, response, STEP_COOKIE, asked.step, STEP_LASTS)
    return response


@router.post("/noc/me/passkeys")
async def add_passkey(request: Request) -> Response:
    """Keep the passkey that the authenticator made."""
    entered, told = await _entered(request), await _json(request)
    await staff_self.add_passkey(
        deps_of(request),
        entered.who.id,
        step=request.cookies.get(STEP_COOKIE, "")[:STEP_CHARS_MAX],
        answer=json.dumps(told.get("answer")),
        name=str(told.get("name", "")),
    )
    return JSONResponse({"to": HERE})


@router.post("/noc/me/passkeys/{key}/remove")
async def remove_passkey(request: Request, key: str) -> Response:
    """Forget a passkey."""
    entered, _ = await _proven(request)
    was = await staff_self.remove_passkey(deps_of(request), entered.who.id, key)
    return _told(request, was=was)


@router.post("/noc/me/sessions/{session_id}/end")
async def end_session(request: Request, session_id: str) -> Response:
    """End one of one's own sessions."""
    entered = await _entered(request)
    was = await staff_self.end_session(deps_of(request), entered.who.id, session_id)
    return _told(request, was=was)


@router.post("/noc/me/sessions/end")
async def end_others(request: Request) -> Response:
    """End every session but this one."""
    entered = await _entered(request)
    await staff_self.end_other_sessions(deps_of(request), entered.who.id, entered.session_id)
    return _told(request, was=True)


@router.post("/noc/me/tokens")
async def make_token(request: Request) -> Response:
    """Make an API token; it is shown this once."""
    entered, sent = await _proven(request)
    days = sent.get("days", "")
    if not (days.isascii() and days.isdigit() and 0 < int(days[:6]) <= _DAYS_MAX):
        raise InvalidField("days", f"want 1 to {_DAYS_MAX}")
    deps = deps_of(request)
    made = await api_tokens.make(
        deps,
        entered.who,
        name=sent.get("name", ""),
        role=Role(sent["role"]) if sent.get("role") in list(Role) else None,
        lasts=timedelta(days=int(days)),
    )
    html = rendered(
        "me/token.html",
        style_of(request),
        wanted=preferences_of(request),
        brand=brand_of(request),
        token=made.secret,
        name=made.row.name,
        to=HERE,
    )
    return HTMLResponse(html)


@router.post("/noc/me/tokens/{token_id}/revoke")
async def revoke_token(request: Request, token_id: str) -> Response:
    """Let an API token open nothing any more."""
    entered = await _entered(request)
    deed = api_tokens.revoke(deps_of(request), entered.who, token_id)
    return await live.tried(request, HERE, deed, said=live.words_of(request)(DONE))


_DAYS_MAX = api_tokens.LASTS_MAX_DAYS


async def _entered(request: Request) -> Entered:
    """Who posts, signed in with this browser as a person."""
    await live.acts(request, Right.SEE_CUSTOMERS)  # every role has it
    entered = await staff_of(request).entered(request)
    if entered is None or not entered.session_id:
        raise Refused(HTTPStatus.FORBIDDEN, "no_account", "sign in with your own account first")
    return entered


async def _proven(request: Request) -> tuple[Entered, dict[str, str]]:
    """The same, who has typed their password once more; and what the form sent."""
    entered, sent = await _entered(request), await live.fields(request)
    raw = await live.fields_as_typed(request)
    await _must_know(request, entered, raw.get("password", ""))
    return entered, sent


async def _must_know(request: Request, entered: Entered, password: str) -> None:
    await staff_self.must_know(
        deps_of(request), staff_of(request).passwords, entered.who.id, password
    )


def _told(request: Request, *, was: bool) -> Response:
    words = live.words_of(request)
    said, tone = (DONE, "good") if was else (NOT_THERE, "bad")
    return live.back(request, HERE, said=words(said), tone=tone)


def _new_app(deps: Deps, row: StaffRow) -> NewApp:
    app = offer_app(deps, row.id, STEP_LASTS * 2)
    return NewApp(
        sealed=app.sealed,
        picture=Markup(totp_picture(app.secret, row.login)),  # noqa: S704 - drawn here, of our own secret
        secret=app.spaced,
    )


async def _json(request: Request) -> Mapping[str, object]:
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
