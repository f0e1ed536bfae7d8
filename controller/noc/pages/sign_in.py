"""Coming in: the sign-in in two steps, passkeys, and the page of an invitation.

The step between password and second factor is a secret in a cookie of five minutes; it opens
nothing by itself. Forms of other sites are refused, also here: nobody is signed in as somebody
else without knowing. Answers say the same whether a name is there or not.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from markupsafe import Markup

from billing.errors import InvalidField
from controller.api.auth import NotStaff, caller_of, refuse_other_origins
from controller.api.errors import Refused
from controller.api.needs import deps_of, staff_of
from controller.noc.brand import brand_of, read_brand
from controller.noc.page import ours, preferences_of, style_of
from controller.noc.paint import rendered
from controller.noc.words import word
from controller.usecases import sign_in, staff
from controller.usecases.factors import (
    PasskeyRefused,
    can_use_passkeys,
    totp_picture,
)
from controller.usecases.sign_in import STEP_LASTS, NotSignedIn, StepOver, TooSoon

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.usecases.sign_in import SignedIn
    from controller.usecases.staff import Invitation

STEP_COOKIE = "lango_step"
STEP_CHARS_MAX = 400
SETUP = "/noc/setup"
"""Where a first owner begins."""

WRONG_KEY = word("This is not the staff key.")
KEY_OVER = word("There is an owner by now: sign in with your own account.")
DO_NOT_FIT = word("These do not fit.")
CODE_WRONG = word("This code does not fit.")
BEGIN_AGAIN = word("This took too long. Begin again.")
WAIT = word("Too many tries. Wait {s} s, then try again.")
LINK_OVER = word("This link was used, or is too old. Ask for a new one.")
TAKEN = word("Somebody else signs in with this.")
DIFFERENT = word("The two passwords differ.")

router = APIRouter(include_in_schema=False, dependencies=[Depends(read_brand)])


async def form(
    request: Request, problem: str = "", *, status: HTTPStatus = HTTPStatus.OK, **values: object
) -> Response:
    """Ask who is there. ``problem`` is one of the words above."""
    here = str(request.url.path)
    back = request.query_params.get("back", "") or (here if here != "/noc/login" else "/noc")
    return _page(
        request,
        "login.html",
        status,
        problem=problem,
        values=values,
        back=ours(back),
        takes_key=await staff_of(request).takes_key(),
        passkeys=can_use_passkeys(deps_of(request)),
    )


@router.get("/noc/login")
async def sign_in_page(request: Request) -> Response:
    """The form by itself."""
    return await form(request)


@router.post("/noc/login")
async def log_in(request: Request) -> Response:
    """Take a login and a password; or the machine's key, as long as there is no owner."""
    refuse_other_origins(request)
    sent = await _sent(request)
    if "key" in sent:
        return await by_key(request, sent["key"])
    deps, passwords = deps_of(request), staff_of(request).passwords
    try:
        step = await sign_in.with_password(
            deps, passwords, sent.get("login", ""), sent.get("password", ""), caller_of(request)
        )
    except NotSignedIn:
        return await form(request, DO_NOT_FIT, status=HTTPStatus.UNAUTHORIZED)
    except TooSoon as soon:
        return _later(await form(request, WAIT, status=_SOON, s=soon.wait_s), soon)
    back = quote(ours(sent.get("back", "")), safe="")
    response = RedirectResponse(f"/noc/second?back={back}", HTTPStatus.SEE_OTHER)
    staff_of(request).keep_step(request, response, STEP_COOKIE, step, STEP_LASTS)
    return response


_SOON = HTTPStatus.TOO_MANY_REQUESTS


async def by_key(request: Request, key: str) -> Response:
    """The dashboard for whoever has the machine's key; the form again for anybody else."""
    gate = staff_of(request)
    try:
        gate.check_key(request, key)
    except NotStaff:
        return await form(request, WRONG_KEY, status=HTTPStatus.UNAUTHORIZED)
    except Refused as refusal:
        asked = await form(request, WAIT, status=refusal.status, s=refusal.headers["Retry-After"])
        asked.headers.update(refusal.headers)
        return asked
    if not await gate.takes_key():
        return await form(request, KEY_OVER, status=HTTPStatus.FORBIDDEN)
    response = RedirectResponse("/noc", HTTPStatus.SEE_OTHER)
    gate.log_in(request, response)
    return response


@router.get("/noc/second")
async def second_page(request: Request) -> Response:
    """Ask for the second factor."""
    return _second(request)


@router.post("/noc/second")
async def second(request: Request) -> Response:
    """Take the code of an authenticator app, or a recovery code."""
    refuse_other_origins(request)
    sent = await _sent(request)
    try:
        new = await sign_in.with_code(
            deps_of(request), _step(request), sent.get("code", "")[:40], caller_of(request)
        )
    except StepOver:
        return await form(request, BEGIN_AGAIN, status=HTTPStatus.UNAUTHORIZED)
    except NotSignedIn:
        return _second(request, CODE_WRONG, status=HTTPStatus.UNAUTHORIZED)
    except TooSoon as soon:
        return _later(_second(request, WAIT, status=_SOON, s=soon.wait_s), soon)
    return await _come_in(request, RedirectResponse(ours(sent.get("back", "")), _OTHER), new)


_OTHER = HTTPStatus.SEE_OTHER


@router.post("/noc/passkey/ask")
async def ask_passkey(request: Request) -> Response:
    """What the browser is to ask its authenticator: for the account of the step, or for any."""
    refuse_other_origins(request)
    second = (await _json(request)).get("second") is True
    asked = await sign_in.ask_passkey(deps_of(request), _step(request) if second else "")
    response = Response(asked.options, media_type="application/json")
    staff_of(request).keep_step(request, response, STEP_COOKIE, asked.step, STEP_LASTS)
    return response


@router.post("/noc/passkey/answer")
async def answer_passkey(request: Request) -> Response:
    """What the authenticator answered; where to go then."""
    refuse_other_origins(request)
    told = await _json(request)
    new = await sign_in.with_passkey(
        deps_of(request), _step(request), json.dumps(told.get("answer")), caller_of(request)
    )
    back = told.get("back")
    to = ours(back) if isinstance(back, str) else "/noc"
    return await _come_in(request, JSONResponse({"to": to}), new)


@router.get("/noc/welcome")
async def welcome_page(request: Request, token: str = "") -> Response:
    """The page of an invitation: a password, an authenticator app, and for a first owner a name."""
    try:
        told = await staff.invitation(deps_of(request), token[:STEP_CHARS_MAX])
    except staff.InvitationOver:
        return await form(request, LINK_OVER, status=HTTPStatus.GONE)
    return _welcome(request, told, token)


@router.post("/noc/welcome")
async def welcome(request: Request) -> Response:
    """Come in by an invitation; the recovery codes are shown this once."""
    refuse_other_origins(request)
    sent, deps = await _sent(request), deps_of(request)
    token = sent.get("token", "")[:STEP_CHARS_MAX]
    fault = ""
    try:
        told = await staff.invitation(deps, token)
        if sent.get("password", "") != sent.get("again", ""):
            return _welcome(request, told, token, DIFFERENT, sent)
        done = await staff.accept(
            deps,
            staff_of(request).passwords,
            token,
            password=sent.get("password", ""),
            sealed=sent.get("sealed", ""),
            code=sent.get("code", ""),
            login=sent.get("login", ""),
            name=sent.get("name", ""),
            caller=caller_of(request),
        )
    except staff.InvitationOver:
        return await form(request, LINK_OVER, status=HTTPStatus.GONE)
    except staff.LoginTaken:
        fault = TAKEN
    except InvalidField as refused:
        fault = f"{refused.problem[:1].upper()}{refused.problem[1:]}."
    if fault:
        return _welcome(request, told, token, fault, sent)
    to = "/noc" if told.row is not None else SETUP
    shown = _page(request, "sign_in/codes.html", HTTPStatus.OK, codes=done.codes, to=to)
    return await _come_in(request, shown, done.signed_in)


def _welcome(
    request: Request,
    told: Invitation,
    token: str,
    problem: str = "",
    sent: Mapping[str, str] | None = None,
) -> Response:
    said, deps = sent or {}, deps_of(request)
    try:
        app = staff.offered(deps, token, said.get("sealed", ""))
    except InvalidField:
        app = staff.offer(deps, token)
    named = told.row.login if told.row is not None else "owner"
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    return _page(
        request,
        "sign_in/welcome.html",
        status,
        problem=problem,
        token=token,
        invited=told.row,
        login=said.get("login", ""),
        name=said.get("name", ""),
        sealed=app.sealed,
        secret=app.spaced,
        picture=Markup(totp_picture(app.secret, named)),  # noqa: S704 - drawn here, of our own secret
    )


def _second(
    request: Request, problem: str = "", *, status: HTTPStatus = HTTPStatus.OK, **values: object
) -> Response:
    return _page(
        request,
        "sign_in/second.html",
        status,
        problem=problem,
        values=values,
        back=ours(request.query_params.get("back", "")),
        passkeys=can_use_passkeys(deps_of(request)),
    )


async def _come_in(request: Request, response: Response, new: SignedIn) -> Response:
    """``response`` with a session of its own; the step is over, and the session that was there."""
    await staff_of(request).end_session(request)
    staff_of(request).sign_in(request, response, new)
    response.delete_cookie(STEP_COOKIE, path="/", httponly=True, samesite="strict")
    return response


def _later(response: Response, soon: TooSoon) -> Response:
    response.headers["Retry-After"] = str(soon.wait_s)
    return response


def _step(request: Request) -> str:
    return request.cookies.get(STEP_COOKIE, "")[:STEP_CHARS_MAX]


def _page(request: Request, template: str, status: HTTPStatus, **values: object) -> Response:
    frame = {"wanted": preferences_of(request), "brand": brand_of(request)}
    html = rendered(template, style_of(request), **frame, **values)
    return HTMLResponse(html, status)


async def _sent(request: Request) -> dict[str, str]:
    sent = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
    kept = {name: values[-1] for name, values in sent.items()}
    return {name: value if name in _AS_TYPED else value.strip() for name, value in kept.items()}


_AS_TYPED = frozenset({"password", "again", "old"})


async def _json(request: Request) -> Mapping[str, object]:
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise PasskeyRefused("want JSON") from None
    return found if isinstance(found, dict) else {}
