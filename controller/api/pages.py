"""Cursors: an opaque word for the last line of a page, by which the next page begins."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from http import HTTPStatus

from controller.api.errors import Refused
from controller.noc.views import Mark


def written(mark: Mark) -> str:
    """The cursor of a page that ended with ``mark``."""
    return _packed([mark.at.isoformat(), mark.id])


def read(cursor: str) -> Mark | None:
    """The mark behind a cursor; None for the empty one. Raises `Refused` naming the field."""
    if not cursor:
        return None
    try:
        at, key = _unpacked(cursor)
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise _not_ours()
        return Mark(moment.astimezone(UTC), key)
    except (ValueError, TypeError, OverflowError) as strange:
        raise _not_ours() from strange


def written_id(key: str) -> str:
    """The cursor of a page of a list in order of ids."""
    return _packed([key])


def read_id(cursor: str) -> str:
    """The id behind such a cursor; empty for the empty one. Raises `Refused` naming the field."""
    if not cursor:
        return ""
    try:
        (key,) = _unpacked(cursor)
    except (ValueError, TypeError) as strange:
        raise _not_ours() from strange
    return key


def _packed(parts: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _unpacked(cursor: str) -> list[str]:
    parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    if not isinstance(parts, list):
        raise TypeError("not a cursor")
    if not all(isinstance(p, str) and p.isascii() and p.isprintable() for p in parts):
        raise ValueError("not a cursor")
    return parts


def _not_ours() -> Refused:
    return Refused(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_field",
        "want the next_cursor of an earlier page",
        field="cursor",
    )
