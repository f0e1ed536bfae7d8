"""Pages as values: what a page is asked for, what it looks at, and the routes that show it live.

A page is a `View`: `pages` turns views into routes, and every view that is live gets its stream at
``/noc/events?page=<path and query>``. Its look is shared by all tabs that ask for the same and
whose staff may see the same: same view, path, query, role and branches. What a look is given as
`Who` is therefore nobody in particular on a live page: it has a role and branches, and no id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

from cryptography.fernet import InvalidToken
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from fastapi.routing import APIRoute
from markupsafe import Markup
from starlette.routing import compile_path

from billing.errors import InvalidField
from controller.api.auth import NotStaff, refuse_other_origins
from controller.api.errors import REFUSALS, Refused, refusal_of
from controller.api.needs import deps_of, hub_of, must_be_keepable, staff_of, who_asks
from controller.noc import counts, page
from controller.noc.brand import brand_of, read_brand
from controller.noc.columns import APART, FIELD
from controller.noc.hub import Subject
from controller.noc.navigation import FRONT, ON_A_PHONE, home_of, place_of, places_of
from controller.noc.page import ours, preferences_of, style_of
from controller.noc.pages import sign_in
from controller.noc.paint import rendered
from controller.noc.uploads import picture_of
from controller.noc.words import LANGUAGES, said
from controller.rights import Right, Role, Who
from controller.store import saved_views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from controller.deps import Deps
    from controller.noc.hub import Seen, Style
    from controller.noc.navigation import Place
    from controller.store.staff_rows import SavedViewRow

RETRY_MS = 2_000
STILL_EVERY = timedelta(seconds=5)
"""So soon a stream ends whose session has ended."""

QUERY_FIELDS_MAX = 20
QUERY_CHARACTERS_MAX = 256
PASSING = frozenset({"cursor", "after", "undo", "add"})
"""Fields of an address that say where in a list somebody is, or what they are about to do."""

FLASH = "lango_said"
FLASH_CHARACTERS_MAX = 400
FLASH_LASTS_S = 60
Done = TypeVar("Done")

TONES = frozenset({"good", "busy", "bad", "quiet"})
NOBODY = Who("", "", Role.READ_ONLY, frozenset())
"""Who is told of a refusal before it is known who asks."""

SHOWN_NOW = "clock"
"""A panel of every page: it changes with each look, by which a tab knows that it is live."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is asked for. ``before`` is what the look gave the last time, if it did."""

    who: Who
    query: Mapping[str, str]
    path: Mapping[str, str]
    now: datetime
    deps: Deps
    before: object = None


@dataclass(frozen=True, slots=True)
class View:
    """A page: where it is, who may see it, what it looks at, and how that is shown.

    ``look`` makes one reading transaction and gives frozen data; it raises what the API raises
    (`NotFound`, `InvalidField`). ``template`` is the whole page; each of ``panels`` is rendered
    with the same ``board`` and put into the place ``#<stem>-panel`` when it changed. ``every_s`` is
    how old what a tab shows may become; 0: the page is not live. ``images`` are other places from
    which it may load pictures, as a content security policy names them; ``frames``: pages of ours
    are shown within it. ``own`` is what this browser alone is shown, beside a look that is shared:
    the template's ``own``. ``is_kept``: staff can keep the page as they
    narrowed it, under a name.
    """

    name: str
    path: str
    right: Right | None
    look: Callable[[Asked], Awaitable[object]]
    template: str
    panels: tuple[str, ...] = ()
    every_s: float = 2.0
    images: Callable[[Deps], Sequence[str]] | None = None
    own: Callable[[Request, Any], object] | None = None
    frames: bool = False
    is_kept: bool = False

    def matched(self, path: str) -> dict[str, str] | None:
        """What the path says where the template of this view's has names; None: another page."""
        found = compile_path(self.path)[0].match(path)
        return None if found is None else found.groupdict()


class Pages(APIRouter):
    """Routes of pages, and the views that they show. What is refused is told on a page."""

    def __init__(self, views: Sequence[View]) -> None:
        super().__init__(
            include_in_schema=False, route_class=_PageRoute, dependencies=[Depends(read_brand)]
        )
        self.views = tuple(views)
        for view in views:
            self.add_api_route(view.path, _shower(view), methods=["GET"], response_model=None)


class _PageRoute(APIRoute):
    """A route that answers with a page also when it refuses."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Answer refusals with a page."""
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await answer(request)
            except NotStaff:
                return await sign_in.form(request, status=HTTPStatus.UNAUTHORIZED)
            except REFUSALS as refusal:
                return _refused(request, refusal)

        return answered


def pages(*views: View) -> Pages:
    """The routes that show these views. Routes for what is posted are added to them."""
    return Pages(views)


async def acts(request: Request, right: Right | None) -> Who:
    """Who posts a form of a page: signed in, from our own page, and with the right.

    Raises `Refused`.
    """
    who = await who_asks(request)
    refuse_other_origins(request)
    must(who, right)
    return who


def back(request: Request, to: str, *, said: str = "", tone: str = "good") -> RedirectResponse:
    """On to a page of ours, which shows once what was said."""
    assert tone in TONES
    response = RedirectResponse(ours(to), HTTPStatus.SEE_OTHER)
    if said:
        sealed = deps_of(request).vault.seal(
            json.dumps({"said": said[:FLASH_CHARACTERS_MAX], "tone": tone}).encode()
        )
        response.set_cookie(
            FLASH, sealed.decode(), max_age=FLASH_LASTS_S, path="/noc", httponly=True,
            samesite="strict", secure=staff_of(request).came_by_https(request),
        )  # fmt: skip
    return response


async def tried(
    request: Request, to: str, deed: Awaitable[Done], *, said: str | Callable[[Done], str]
) -> RedirectResponse:
    """Do what was asked, and go on to a page that says that it was done, or why it was not.

    ``said`` is the sentence, or makes it of what was done.
    """
    try:
        done = await deed
    except REFUSALS as refusal:
        return back(request, to, said=_sentence(refusal), tone="bad")
    return back(request, to, said=said if isinstance(said, str) else said(done))


async def fields(request: Request) -> dict[str, str]:
    """What a form sent, without the spaces around; the last of fields of one name."""
    return {name: value.strip() for name, value in (await fields_as_typed(request)).items()}


async def fields_as_typed(request: Request) -> dict[str, str]:
    """The same with the spaces, which may be part of a password."""
    sent = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
    for name, values in sent.items():
        must_be_keepable(name, values[-1])
    return {name: values[-1] for name, values in sent.items()}


async def file_of(request: Request, field: str) -> bytes:
    """The file that a form sent as ``multipart/form-data``. Raises `InvalidField`."""
    return picture_of(await request.body(), request.headers.get("content-type", ""), field)


def shown_once(
    request: Request, who: Who, name: str, template: str, **values: object
) -> HTMLResponse:
    """A page that answers a form and is not kept: what it shows is shown this once."""
    frame = _frame(request, name, who)
    html = rendered(
        template,
        style_of(request),
        stream="",
        every_s=0,
        panels={SHOWN_NOW: ""},
        **{**frame, "here": "/noc"},
        **values,
    )
    return HTMLResponse(html)


def words_of(request: Request) -> Callable[..., str]:
    """``_`` for what a route says by `back`, in the language of whoever asked."""
    language = preferences_of(request).language
    return lambda english, **values: said(language, english, **values)


def must(who: Who, right: Right | None) -> None:
    """Raise `Refused` unless they have the right of a page; None is everybody's."""
    if right is not None and not who.may(right):
        raise Refused(
            HTTPStatus.FORBIDDEN, "no_right", f"your role does not have the right {right.value}"
        )


def _shower(view: View) -> Callable[[Request], Awaitable[Response]]:
    async def shown(request: Request) -> Response:
        if view.path == FRONT and (key := request.query_params.get("key")):
            return await sign_in.by_key(request, key)
        who = await who_asks(request)
        if view.path == FRONT and home_of(who) != FRONT:
            return RedirectResponse(home_of(who), HTTPStatus.SEE_OTHER)
        must(who, view.right)
        query = _query(request.query_params.multi_items())
        asked = _asked(request, who, query, cast("dict[str, str]", request.path_params))
        seen = await _seen(request, view, asked)
        counted = await hub_of(request).seen(_counts(request, who), style_of(request))
        return _whole(
            request, view, who=who, seen=seen, saved=await _saved(asked, view), counted=counted
        )

    return shown


async def _saved(asked: Asked, view: View) -> list[SavedViewRow]:
    if not view.is_kept:
        return []
    async with asked.deps.db.read() as tx:
        return await saved_views.of(tx, asked.who.id, view.path)


async def _seen(request: Request, view: View, asked: Asked) -> Seen:
    subject = _subject(view, asked, request.url.path)
    style = style_of(request)
    if view.every_s:
        # Who has just done something sees what became of it, and not the look of a moment before.
        return await hub_of(request).seen(subject, style, anew=FLASH in request.cookies)
    return await hub_of(request).once(replace(subject, look=lambda _: view.look(asked)), style)


def _asked(request: Request, who: Who, query: Mapping[str, str], path: dict[str, str]) -> Asked:
    deps = deps_of(request)
    return Asked(who=who, query=query, path=path, now=deps.now(), deps=deps)


def _subject(view: View, asked: Asked, path: str) -> Subject:
    """What a tab that asks this watches, shared by all who may see the same."""
    who = Who("", "", asked.who.role, asked.who.branches)
    shared = replace(asked, who=who)

    async def look(before: object) -> object:
        return await view.look(replace(shared, now=asked.deps.now(), before=before))

    return Subject(
        key=(view.path, path, tuple(sorted(asked.query.items())), who.role, who.branches),
        look=look,
        paint=lambda board, style: _panels(view, who, asked.deps.now(), board, style),
        every_s=view.every_s or 1.0,
    )


def _panels(view: View, who: Who, now: datetime, board: object, style: Style) -> dict[str, str]:
    painted = {
        _stem(template): rendered(template, style, board=board, may=_may(who))
        for template in view.panels
    }
    return {SHOWN_NOW: rendered("clock.html", style, now=now), **painted}


def _stem(template: str) -> str:
    return template.rpartition("/")[2].removesuffix(".html")


def _may(who: Who) -> Callable[[str], bool]:
    return lambda right: who.may(Right(right))


def asked_of(request: Request, who: Who) -> Asked:
    """What the address of a request asks for. Raises `InvalidField`."""
    return _asked(request, who, _query(request.query_params.multi_items()), {})


def _query(items: Sequence[tuple[str, str]]) -> dict[str, str]:
    if len(items) > QUERY_FIELDS_MAX:
        raise InvalidField("query", f"has more than {QUERY_FIELDS_MAX} fields")
    for name, value in items:
        if len(name) + len(value) > QUERY_CHARACTERS_MAX:
            raise InvalidField(name[:40], f"is longer than {QUERY_CHARACTERS_MAX} characters")
    return _joined(items)


def _whole(
    request: Request,
    view: View,
    *,
    who: Who,
    seen: Seen,
    saved: Sequence[SavedViewRow],
    counted: Seen,
) -> Response:
    panels = _safe(seen.panels)
    here = _here(request)
    html = rendered(
        view.template,
        style_of(request),
        board=seen.board,
        own=None if view.own is None else view.own(request, seen.board),
        panels=panels,
        stream=f"/noc/events?page={quote(here, safe='')}" if view.every_s else "",
        every_s=view.every_s,
        saved=saved,
        **{**_frame(request, view.name, who), "counts": _safe(counted.panels)},
    )
    response = HTMLResponse(html)
    _forget_flash(request, response)
    places = view.images(deps_of(request)) if view.images is not None else ()
    if places or view.frames:
        response.headers["Content-Security-Policy"] = page.policy(places, frames=view.frames)
    return response


def _safe(panels: Mapping[str, str]) -> dict[str, Markup]:
    return {name: Markup(html) for name, html in panels.items()}  # noqa: S704 - our own templates, escaped


def _places(request: Request, who: Who) -> tuple[Place, ...]:
    shown = {view.path for view in cast("Sequence[View]", request.app.state.views)}
    return () if who is NOBODY else places_of(who, shown)


def _counts(request: Request, who: Who) -> Subject:
    nobody = Who("", "", who.role, who.branches)
    return counts.subject(deps_of(request), nobody, _places(request, who))


def _frame(request: Request, name: str, who: Who) -> dict[str, object]:
    """What the frame around every page says."""
    shown = {view.path for view in cast("Sequence[View]", request.app.state.views)}
    return {
        "title": name,
        "brand": brand_of(request),
        "who": who,
        "may": _may(who),
        "now": deps_of(request).now(),
        "here": _here(request),
        "narrowed": narrowed(request.query_params.multi_items()),
        "narrowing": [*_narrowing(request.query_params.multi_items()).items()],
        "places": _places(request, who),
        "counts": {},
        "on_a_phone": ON_A_PHONE,
        "place": place_of(request.url.path),
        "searches": "/noc/search" in shown,
        "wanted": preferences_of(request),
        "languages": LANGUAGES,
        "flash": _flash(request),
    }


def narrowed(items: Sequence[tuple[str, str]]) -> str:
    """What narrows a list, as the end of an address; without the place in it and what was done."""
    kept = _narrowing(items)
    return f"?{urlencode(kept)}" if kept else ""


def narrowed_by(query: str) -> str:
    """The same of the end of an address. Raises `InvalidField`."""
    items = parse_qsl(query.removeprefix("?"))
    _query(items)
    return narrowed(items)


def _narrowing(items: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in _joined(items).items() if name not in PASSING}


def _joined(items: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Fields that say something; columns may be said one by one, of others the last counts."""
    found = {name: value for name, value in items if value}
    if FIELD in found:
        found[FIELD] = APART.join(value for name, value in items if name == FIELD and value)
    return found


def _here(request: Request) -> str:
    query = urlencode([(n, v) for n, v in request.query_params.multi_items() if v])
    return f"{request.url.path}?{query}" if query else request.url.path


def _flash(request: Request) -> dict[str, str] | None:
    try:
        sealed = request.cookies.get(FLASH, "").encode()
        told = json.loads(deps_of(request).vault.unseal(sealed))
        return {"said": str(told["said"]), "tone": str(told["tone"])}
    except (InvalidToken, ValueError, KeyError, TypeError):
        return None


def _forget_flash(request: Request, response: Response) -> None:
    if FLASH in request.cookies:
        response.delete_cookie(FLASH, path="/noc", httponly=True, samesite="strict")


def _refused(request: Request, refusal: Exception) -> Response:
    """A page that says what was refused, with the id that finds it in the log."""
    status, code = refusal_of(refusal)
    frame = _frame(request, str(status.value), getattr(request.state, "who", NOBODY))
    html = rendered(
        "problem.html",
        style_of(request),
        stream="",
        every_s=0,
        code=code,
        detail=_sentence(refusal),
        status=status.value,
        request_id=request.state.request_id,
        panels={SHOWN_NOW: ""},
        **frame,
    )
    headers = refusal.headers if isinstance(refusal, Refused) else {}
    return HTMLResponse(html, status, headers=headers)


def _sentence(refusal: Exception) -> str:
    told = str(refusal)
    return f"{told[:1].upper()}{told[1:]}"


events = APIRouter(include_in_schema=False)


@events.get("/noc/events")
async def live_events(request: Request, page: str = "/noc") -> Response:
    """The stream of a page: its changed panels as server-sent events, everything first."""
    who = await who_asks(request)
    view, asked, path = _watched(request, who, page)
    subject, style, hub = _subject(view, asked, path), style_of(request), hub_of(request)
    hub.refuse_crowd(subject)

    async def told() -> AsyncIterator[str]:
        yield f"retry: {RETRY_MS}\n\n"
        gate, now = staff_of(request), deps_of(request).now
        looked_at = now()
        async with hub.watch(subject, style, _counts(request, who)) as changes:
            async for panels in changes:
                if now() - looked_at >= STILL_EVERY:
                    looked_at = now()
                    if not await gate.still(request, who):
                        return  # the tab asks again, and gets the sign-in
                yield _event(panels)

    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return StreamingResponse(told(), media_type="text/event-stream", headers=headers)


def _watched(request: Request, who: Who, address: str) -> tuple[View, Asked, str]:
    try:
        parts = urlsplit(address)
    except ValueError as strange:
        raise InvalidField("page", "is not an address") from strange
    for view in cast("Sequence[View]", request.app.state.views):
        named = None if parts.netloc else view.matched(parts.path)
        if named is not None and view.every_s:
            must(who, view.right)
            query = _query(parse_qsl(parts.query))
            return view, _asked(request, who, query, named), parts.path
    raise InvalidField("page", "is not a page that is live")


def _event(panels: Mapping[str, str]) -> str:
    """One message in which each changed panel finds its own place on the page."""
    parts = (
        f'<hx-partial hx-target="#{name}-panel" hx-swap="innerMorph">{html}</hx-partial>'
        for name, html in panels.items()
    )
    return "".join(f"data: {line}\n" for line in "".join(parts).splitlines()) + "\n"
