"""A paper as one HTML page: all that it shows stands in it, and it may load nothing."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from controller.documents import qr
from controller.documents.look import small_logo
from controller.documents.paper import colour_of

if TYPE_CHECKING:
    from controller.documents.paper import Paper

HERE = Path(__file__).resolve().parent / "templates"

_templates = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE = (HERE / "paper.css").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the ``Content-Security-Policy`` under which it is sent."""

    html: str
    policy: str


def page_of(paper: Paper) -> Page:
    """The page of a paper."""
    style = f":root{{--brand:{colour_of(paper.look)}}}\n{_STYLE}"
    html = _templates.get_template("paper.html").render(
        paper=paper,
        style=Markup(style),  # noqa: S704 - our own file, and a colour that was checked
        logo=None if paper.look.logo is None else _embedded(paper.look.logo),
        qr=Markup(qr.svg(paper.verify)) if paper.verify else "",  # noqa: S704 - drawn by us
    )
    return Page(html, _policy(style))


def _embedded(png: bytes) -> str:
    picture, _, _ = small_logo(png)
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{digest}'",
            "img-src data:",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
