"""Screens to bytes: our templates over the captive portal's frame, style and script.

One page is one response, as on the captive portal. Nothing is remembered: pages hold tokens.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from portal.account import screens
from portal.captive import units, wallets
from portal.captive.pages import GZIP_LEVEL, Page, dressing
from portal.captive.pages import TEMPLATES as FRAME
from portal.captive.screens import CARDS_SHOWN, PROMPT_S

if TYPE_CHECKING:
    from portal.account.screens import Screen
    from portal.captive.text import Tongue

TEMPLATES = Path(__file__).parent / "templates"
ROOTS_MAX = 8

_FILES: dict[type[Screen], str] = {
    screens.Counter: "counter.html",
    screens.Waiting: "order.html",
    screens.Failed: "unpaid.html",
    screens.Sold: "sold.html",
}


class Pages:
    """The pages under the path ``root``. Reads its templates once."""

    def __init__(self, root: str) -> None:
        css = (FRAME / "style.css").read_text("utf-8").strip()
        css += (TEMPLATES / "token.css").read_text("utf-8").strip()
        js = (FRAME / "page.js").read_text("utf-8").strip()
        self._dressed = dressing(css, js)
        self._templates = jinja2.Environment(
            loader=jinja2.ChoiceLoader(
                [jinja2.FileSystemLoader(TEMPLATES), jinja2.FileSystemLoader(FRAME)]
            ),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        # Invariant: only these files, shipped with the package, enter a page unescaped, and the
        # colours that `portal.captive.colours.style` made.
        self._templates.globals.update(
            js=Markup(js),  # noqa: S704 - see the invariant above
            units=units,
            wallets=wallets,
            root=root,
            cards_shown=CARDS_SHOWN,
            prompt_s=PROMPT_S,
        )

    def page(self, screen: Screen, tongue: Tongue) -> Page:
        """The screen in a language."""
        template = self._templates.get_template(_FILES[type(screen)])
        face = screen.face
        css, policy = self._dressed(face.colour, has_logo=bool(face.logo))
        plain = template.render(screen=screen, face=face, t=tongue, css=css).encode("utf-8")
        return Page(plain, gzip.compress(plain, GZIP_LEVEL, mtime=0), policy)


@lru_cache(maxsize=ROOTS_MAX)
def pages_under(root: str) -> Pages:
    """The pages under ``root``, for every application of this process, compiled once."""
    return Pages(root)
