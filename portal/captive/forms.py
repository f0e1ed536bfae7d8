"""Bounded forms, and the refusal of whatever cannot be taken.

A form is read by hand: it has two short fields, and a box should not carry a multipart parser.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_BYTES_MAX = 4096
BODY_WAIT_S = 10
"""A phone that has not sent its few bytes by then is refused, so that no request hangs about."""

FIELDS_MAX = 8
FORM_TYPE = "application/x-www-form-urlencoded"


class Unacceptable(Exception):  # noqa: N818 - a refusal, said as a sentence
    """A request that cannot be taken; nothing was changed.

    ``status`` is the HTTP status, ``field`` names what is wrong, ``problem`` what would be right.
    """

    def __init__(self, status: int, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.status = status


def refuse_cross_site(request: Request) -> None:
    """Raise `Unacceptable` for a form that another site made the browser send.

    Browsers say ``Sec-Fetch-Site`` to trustworthy addresses and ``Origin`` with every form; what
    says neither is no current browser, and carries no other site's intent.
    """
    fetched_from = request.headers.get("sec-fetch-site")
    if fetched_from is not None:
        if fetched_from not in {"same-origin", "none"}:
            raise Unacceptable(403, "Sec-Fetch-Site", "forms are taken from this portal's own page")
        return
    origin = request.headers.get("origin")
    if origin is not None and _authority(origin) != request.headers.get("host", "").lower():
        raise Unacceptable(403, "Origin", "forms are taken from this portal's own page")


async def read_form(request: Request, *, wait_s: int = BODY_WAIT_S) -> dict[str, str]:
    """The form's fields by name. Raises `Unacceptable` for what is too big, late or malformed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise Unacceptable(415, "Content-Type", f"want {FORM_TYPE}")
    try:
        async with asyncio.timeout(wait_s):
            body = await _bounded_body(request)
    except TimeoutError as late:
        raise Unacceptable(408, "body", f"want all of it within {wait_s} s") from late
    return fields(body, "body")


def fields(encoded: bytes, where: str) -> dict[str, str]:
    """Urlencoded fields by name. Raises `Unacceptable` naming ``where`` or the field."""
    try:
        pairs = parse_qsl(
            encoded.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as bad:
        raise Unacceptable(400, where, f"want at most {FIELDS_MAX} fields in UTF-8") from bad
    found: dict[str, str] = {}
    for name, value in pairs:
        if not name.isidentifier():
            raise Unacceptable(400, where, "a field's name is made of letters")
        if name in found:
            raise Unacceptable(400, name, "want it once")
        if any(not c.isprintable() for c in value.strip()):
            raise Unacceptable(400, name, "want printable characters")
        found[name] = value.strip()
    return found


def text(form: dict[str, str], name: str, *, length_max: int) -> str:
    """The field ``name``. Raises `Unacceptable` when it is missing or too long."""
    value = form.get(name)
    if value is None:
        raise Unacceptable(400, name, "missing")
    if len(value) > length_max:
        raise Unacceptable(400, name, f"want at most {length_max} characters")
    return value


async def _bounded_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Unacceptable(413, "body", f"want at most {BODY_BYTES_MAX} bytes")
    return body


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin.lower()).netloc or None
    except ValueError:
        return None
