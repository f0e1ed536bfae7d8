"""Screens to bytes: templates, compression, content security policy.

One page is one response: the style sheet and the script stand in it, named in the policy by their
hash, and nothing else may load but the operator's picture, which a browser keeps. Equal screens are
rendered and compressed once.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import jinja2
from markupsafe import Markup

from portal.captive import colours, screens, units, wallets

if TYPE_CHECKING:
    from portal.captive.screens import Screen
    from portal.captive.text import Tongue

PAGES_KEPT_MAX = 128
"""Rendered pages kept (about 12 KB each); the least recently used goes first."""

HOSTS_MAX = 8
DRESSED_KEPT_MAX = 8
GZIP_LEVEL = 6
TEMPLATES = Path(__file__).parent / "templates"

_FILES: dict[type[Screen], str] = {
    screens.Shop: "shop.html",
    screens.Waiting: "waiting.html",
    screens.Failed: "failed.html",
    screens.Online: "online.html",
    screens.Voucher: "voucher.html",
    screens.PhoneNumber: "phone.html",
    screens.PhoneCode: "phone_code.html",
    screens.Places: "places.html",
    screens.Screenless: "screenless.html",
    screens.Suspended: "suspended.html",
    screens.Joined: "joined.html",
    screens.Help: "help.html",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page, plain and compressed, and what it may load."""

    plain: bytes
    zipped: bytes
    policy: str


class Pages:
    """The portal's pages at ``host``. Thread-safe; reads its templates once."""

    def __init__(self, host: str) -> None:
        js = (TEMPLATES / "page.js").read_text("utf-8").strip()
        self._dressed = dressing((TEMPLATES / "style.css").read_text("utf-8").strip(), js)
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        # Invariant: only these two files, shipped with the package, enter a page unescaped, and the
        # colours that `colours.style` made.
        self._templates.globals.update(
            js=Markup(js),  # noqa: S704 - see the invariant above
            units=units,
            wallets=wallets,
            portal_url=f"http://{host}",
            cards_shown=screens.CARDS_SHOWN,
            prompt_s=screens.PROMPT_S,
            join_wait_s=screens.JOIN_WAIT_S,
            status_refresh_s=screens.STATUS_REFRESH_S,
            full_refresh_s=screens.FULL_REFRESH_S,
            active_s=screens.ACTIVE_S,
        )
        self.page = lru_cache(maxsize=PAGES_KEPT_MAX)(self._rendered)

    def _rendered(self, screen: Screen, tongue: Tongue) -> Page:
        template = self._templates.get_template(_FILES[type(screen)])
        css, policy = self._dressed(screen.face.colour, has_logo=bool(screen.face.logo))
        face = screen.face
        plain = template.render(screen=screen, face=face, t=tongue, css=css).encode("utf-8")
        return Page(plain, gzip.compress(plain, GZIP_LEVEL, mtime=0), policy)


@lru_cache(maxsize=HOSTS_MAX)
def pages_at(host: str) -> Pages:
    """The pages at ``host``, for every site of this process: templates are compiled once."""
    return Pages(host)


class Dressing(Protocol):
    """The style sheet in an operator's colour, and the policy of pages that it stands in."""

    def __call__(self, colour: str, *, has_logo: bool) -> tuple[Markup, str]:
        """The style sheet, ready to stand in a page, and the policy."""
        ...


def dressing(css: str, js: str) -> Dressing:
    """What dresses pages that have this style sheet and this script."""

    @lru_cache(maxsize=DRESSED_KEPT_MAX)
    def dressed(colour: str, *, has_logo: bool) -> tuple[Markup, str]:
        whole = css + colours.style(colour)
        return Markup(whole), policy_for(whole, js, has_logo=has_logo)  # noqa: S704 - our own

    return dressed


def policy_for(css: str, js: str, *, has_logo: bool = False) -> str:
    """A page's policy: nothing but our one style sheet, our one script and our own forms."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_source_hash(css)}'",
            f"script-src '{_source_hash(js)}'",
            "img-src 'self' data:" if has_logo else "img-src data:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def styled(page: str) -> tuple[str, str]:
    """The style sheet and the script that stand in a page of ours."""
    found = re.search(r"<style>(.*?)</style>.*<script>(.*?)</script>", page, re.DOTALL)
    assert found is not None, "every page of ours has both"
    return found[1], found[2]


def _source_hash(source: str) -> str:
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
