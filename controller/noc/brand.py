"""The operator's name and colour around every page of the dashboard, and on the sign-in.

The colour is a style sheet of its own after the dashboard's, by a name that changes with it; the
shades in it can be read on light and on dark (`portal.captive.colours`).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api.needs import deps_of
from controller.noc.page import FOREVER
from controller.store import operators
from controller.usecases.faces import OWN_COLOUR
from portal.captive.colours import Shade, shade

PRODUCT = "Lango"
KEPT_S = 2.0
LIGHT = ("#f4f6f5", "#edf1ef", "#ffffff")
DARK = ("#0e1413", "#1d2724", "#161e1c")
"""The grounds of ``noc.css``: of the page, of what is pressed, of cards."""

_DIGITS = re.compile(r"[0-9a-f]{6}")

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Brand:
    """What the frame shows of the operator; ``style`` "" is the dashboard's own colours."""

    name: str = PRODUCT
    style: str = ""


OURS = Brand()


async def read_brand(request: Request) -> None:
    """Let the page that is asked for know whose it is: see `brand_of`.

    Looked up once in `KEPT_S`, however many pages are asked for.
    """
    now, kept = asyncio.get_running_loop().time(), request.app.state
    at, brand = getattr(kept, "brand", (0.0, None))
    if brand is None or now - at > KEPT_S:
        async with deps_of(request).db.read() as tx:
            row = await operators.operator(tx)
        style = "" if row.colour == OWN_COLOUR else f"/noc/brand.css?c={row.colour[1:]}"
        brand = Brand(row.name or PRODUCT, style)
        kept.brand = (now, brand)
    request.state.brand = brand


def look_again(request: Request) -> None:
    """The next page looks anew: the operator was changed just now."""
    request.app.state.brand = (0.0, None)


def brand_of(request: Request) -> Brand:
    """Whose dashboard it is, as far as anybody has looked."""
    found = getattr(request.state, "brand", OURS)
    assert isinstance(found, Brand)
    return found


@router.get("/noc/brand.css")
async def style_sheet(c: str = "") -> Response:
    """The dashboard's colours for a colour, which is no secret."""
    if not _DIGITS.fullmatch(c):
        return Response("c: want six hexadecimal digits\n", HTTPStatus.UNPROCESSABLE_ENTITY)
    return Response(style(f"#{c}"), media_type="text/css", headers={"Cache-Control": FOREVER})


def style(colour: str) -> str:
    """The style sheet that puts the dashboard into a colour."""
    light = _values(shade(colour, grounds=LIGHT))
    dark = _values(shade(colour, grounds=DARK, dark=True))
    return (
        f":root{{{light}}}"
        f'@media (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{{dark}}}}}'
        f':root[data-theme="dark"]{{{dark}}}'
    )


def _values(one: Shade) -> str:
    return f"--accent:{one.go};--on-accent:{one.on_go};--soft:{one.tint}"
