"""Plain pages of a simulated provider: their frame, their style, the panel of faults."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from controller.sandbox.switches import BadSwitches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from controller.sandbox.posting import Postman
    from controller.sandbox.remote import Setting
    from controller.sandbox.switches import Switch

PLAIN = Path(__file__).parent / "plain"
FORM_BYTES_MAX = 8_192
DIGITS_MAX = 9
DELIVERIES_SHOWN_MAX = 20
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""No ``form-action``: browsers hold it against a redirect back to the merchant as well."""


class PlainPages:
    """Renders pages without JavaScript; ``world`` says whose pretence it is."""

    def __init__(self, world: str, folder: Path) -> None:
        self._world = world
        self._templates = Environment(
            loader=FileSystemLoader([folder, PLAIN]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, template: str, *, status: int = 200, **values: object) -> Response:
        """One page."""
        html = self._templates.get_template(template).render(world=self._world, **values)
        return HTMLResponse(html, status, headers=_HEADERS)


def panel_routes(
    pages: PlainPages, setting: Setting[Any], postman: Postman, switches: Sequence[Switch]
) -> list[Route]:
    """The panel at ``/faults``, and the style of all plain pages."""

    async def panel(request: Request) -> Response:
        wrong: Mapping[str, str] = {}
        if request.method == "POST":
            try:
                _set(setting, await form_of(request), switches)
            except BadSwitches as bad:
                wrong = bad.faults
            else:
                return RedirectResponse("/faults", 303)
        return pages.page(
            "faults.html",
            status=422 if wrong else 200,
            switches=switches,
            on=asdict(setting.faults),
            wrong=wrong,
            deliveries=list(islice(reversed(postman.deliveries), DELIVERIES_SHOWN_MAX)),
        )

    async def style(_request: Request) -> Response:
        return FileResponse(PLAIN / "plain.css", media_type="text/css")

    return [Route("/faults", panel, methods=["GET", "POST"]), Route("/static/plain.css", style)]


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that a page of ours sends; empty for anything else."""
    body = await request.body()
    if len(body) > FORM_BYTES_MAX:
        return {}
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _set(setting: Setting[Any], form: Mapping[str, str], switches: Sequence[Switch]) -> None:
    """Set every switch as the form says: one that is absent is off. Raises `BadSwitches`."""
    if "clear" in form:
        setting.clear()
        return
    wanted: dict[str, object] = {}
    for switch in switches:
        told = form.get(switch.name, "")
        if not switch.seconds:
            wanted[switch.name] = told == "on"
        else:
            digits = told.isascii() and told.isdigit() and len(told) <= DIGITS_MAX
            wanted[switch.name] = int(told) if digits else (told or 0)
    setting.change(wanted)
