"""What providers answer, as JSON that is not trusted. PURE.

Numbers are read as text so that no amount ever passes through binary fractions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from controller.payments.mpesa_wire import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_BYTES_MAX = 262_144
TOO_MANY_REQUESTS = 429
UNAUTHORISED = 401
_REQUEST_TIMEOUT = 408
_CODE = re.compile(r"[!-~]{1,32}")


def object_in(body: bytes) -> dict[str, Any]:
    """The members of a JSON object; empty for anything that is not one, or is too large."""
    if len(body) > ANSWER_BYTES_MAX:
        return {}
    try:
        parsed = parse_json(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def inner(fields: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The object that lies in ``fields`` under those names; empty when something else does."""
    found: Any = fields
    for name in names:
        found = found.get(name)
        if not isinstance(found, dict):
            return {}
    return dict(found)


def code_in(value: object) -> str:
    """A provider's code in one form: upper case, no spaces around it; "" when there is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    text = str(value).strip().upper()
    return text if _CODE.fullmatch(text) else ""


def is_fine(status: int) -> bool:
    """Whether an HTTP status is a success."""
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own ranges


def turned_away(status: int) -> bool:
    """Whether an HTTP status says that the request was not taken, for certain."""
    return 300 <= status < 500 and status != _REQUEST_TIMEOUT  # noqa: PLR2004 - HTTP's own ranges
