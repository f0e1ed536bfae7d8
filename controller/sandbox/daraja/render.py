"""Turns the templates into pages that may run and load only what they brought."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from controller.sandbox.daraja.network import Network

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Renderer:
    """The templates, and what each of them is told of one `Network`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, template: str, *, status: int = 200, **values: object) -> Response:
        """A page."""
        html = self._templates.get_template(template).render(
            settings=self._network.settings, shown=_shown, **values
        )
        return HTMLResponse(html, status_code=status, headers=_HEADERS)


def _shown(msisdn: str) -> str:
    """A number as people say it: ``0712 345 678``."""
    return f"0{msisdn[3:6]} {msisdn[6:9]} {msisdn[9:]}"
