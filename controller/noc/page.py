"""The routes of the live page: the page itself, its stream, log-in, log-out and static files."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.staticfiles import StaticFiles

from controller.api.auth import NotStaff, refuse_other_origins
from controller.api.errors import Refused
from controller.api.needs import hub_of, staff_of, who_asks
from controller.noc.board import Board

HERE = Path(__file__).resolve().parent
PANELS = ("clock", "sites", "waiting", "unmatched", "sessions", "payments", "notices")
RETRY_MS = 2_000

router = APIRouter(include_in_schema=False)

_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def rendered(board: Board) -> dict[str, str]:
    """Every panel of the page as HTML, by name."""
    return {name: _templates.get_template(f"{name}.html").render(board=board) for name in PANELS}


def static_files() -> StaticFiles:
    """Our style and script, and what was vendored at build time."""
    return StaticFiles(directory=HERE / "static")


@router.get("/")
async def front_door() -> Response:
    """Staff want the live page."""
    return RedirectResponse("/noc", HTTPStatus.SEE_OTHER)


@router.get("/noc")
async def live_page(request: Request, key: str = "") -> Response:
    """The page; with a right ``key`` in its address, a log-in and the page without it."""
    if key:
        return _logged_in(request, key)
    if not staff_of(request).is_logged_in(request):
        return _login_form("", HTTPStatus.UNAUTHORIZED)
    panels = await hub_of(request).panels()
    return _html("page.html", panels={name: Markup(html) for name, html in panels.items()})  # noqa: S704 - our own templates, escaped


@router.post("/noc/login")
async def log_in(request: Request) -> Response:
    """Take the key from the form."""
    refuse_other_origins(request)
    fields = parse_qs((await request.body()).decode(errors="replace"))
    return _logged_in(request, fields.get("key", [""])[0].strip())


@router.post("/noc/logout")
async def log_out(request: Request) -> Response:
    """End the log-in of this browser."""
    refuse_other_origins(request)
    response = RedirectResponse("/noc", HTTPStatus.SEE_OTHER)
    staff_of(request).log_out(response)
    return response


@router.get("/noc/events")
async def live_events(request: Request) -> Response:
    """Changed panels as server-sent events, everything first."""
    await who_asks(request)
    hub = hub_of(request)
    hub.refuse_crowd()

    async def told() -> AsyncIterator[str]:
        yield f"retry: {RETRY_MS}\n\n"
        async with hub.watch() as changes:
            async for panels in changes:
                yield _event(panels)

    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return StreamingResponse(told(), media_type="text/event-stream", headers=headers)


def _event(panels: dict[str, str]) -> str:
    """One message in which each changed panel finds its own place on the page."""
    parts = (
        f'<hx-partial hx-target="#{name}-panel" hx-swap="innerMorph">{html}</hx-partial>'
        for name, html in panels.items()
    )
    return "".join(f"data: {line}\n" for line in "".join(parts).splitlines()) + "\n"


def _logged_in(request: Request, key: str) -> Response:
    try:
        staff_of(request).check_key(request, key)
    except NotStaff:
        return _login_form("This is not the staff key.", HTTPStatus.UNAUTHORIZED)
    except Refused as refusal:
        form = _login_form(f"{refusal}.".capitalize(), refusal.status)
        form.headers.update(refusal.headers)
        return form
    response = RedirectResponse("/noc", HTTPStatus.SEE_OTHER)
    staff_of(request).log_in(request, response)
    return response


def _login_form(problem: str, status: HTTPStatus) -> Response:
    return _html("login.html", status=status, problem=problem)


def _html(name: str, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
    return HTMLResponse(_templates.get_template(name).render(**values), status)
