"""Any carrier that takes one message by one HTTP request, as its settings describe it. PURE.

Sources: the SMS pages of Celcom Africa, Advanta and TextSMS (one platform: HTTP 200 also for
errors, the code in ``respose-code``, misspelt on most hosts and not on all, as number or as text);
HostPinnacle and others differ in names alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.notify.gsm7 import parts
from controller.notify.sms import SmsNotSent, SmsRefused, SmsSent, SmsUnsure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.msisdn import Msisdn
    from controller.notify.sms import SmsError

ANSWER_BYTES_MAX = 65_536
BLANKS = ("phone", "plus_phone", "local_phone", "text", "id", "key", "sender")
"""What may stand in braces in a field: 254…, +254…, 0…, the words, our id, the key, our name."""

_BLANK = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(r"[^.\s]+(\.[^.\s]+)*")
_NAME = re.compile(r"[!-~]{1,64}")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NOT_TAKEN = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422, 429})
_UNAUTHORISED = frozenset({401, 403})


class Form(StrEnum):
    """How the fields of a request are written."""

    JSON = "json"
    FORM = "form"
    QUERY = "query"  # in the address itself, where proxies may note it: the last choice


@dataclass(frozen=True, slots=True)
class HttpSmsSettings:
    """How one carrier is asked, and how its answer is read. Its ``repr`` shows no secret.

    ``fields`` and ``headers`` are templates with the `BLANKS`. ``code_at`` and ``name_at`` are
    paths into the answer (``responses.0.respose-code``), tried in order; without ``code_at`` the
    HTTP status alone decides. ``taken``, ``refused`` and ``later`` are the codes of what was taken,
    of what would be refused again, and of what may be tried later; every other code is doubt.
    ``part_cost_e4`` is what the contract says that each part costs.
    """

    url: str
    fields: Mapping[str, str]
    form: Form = Form.JSON
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_key: str = field(default="", repr=False)
    sender_id: str = ""
    code_at: Sequence[str] = ()
    name_at: Sequence[str] = ()
    taken: frozenset[str] = frozenset({"200"})
    refused: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    part_cost_e4: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to go."""

    headers: Mapping[str, str] = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)


def template_fault(template: str) -> str | None:
    """What is wrong with a field's template, or None."""
    for blank in _BLANK.findall(template):
        if blank not in BLANKS:
            return f"{{{blank}}} is not one of {', '.join(BLANKS)}"
    left = _BLANK.sub("", template)
    return "a brace stands alone" if "{" in left or "}" in left else None


def path_fault(path: str) -> str | None:
    """What is wrong with a path into an answer, or None."""
    return None if _PATH.fullmatch(path) else "want names and places, like responses.0.code"


def request_of(settings: HttpSmsSettings, msisdn: Msisdn, text: str, sms_id: str) -> Request:
    """The request of one message to one phone."""
    values = {
        "phone": str(msisdn),
        "plus_phone": f"+{msisdn}",
        "local_phone": f"0{msisdn[3:]}",
        "text": text,
        "id": sms_id,
        "key": settings.api_key,
        "sender": settings.sender_id,
    }
    return Request(
        headers={"Accept": "application/json"} | _filled(settings.headers, values),
        fields=_filled(settings.fields, values),
    )


def read_answer(settings: HttpSmsSettings, status: int, body: bytes, *, text: str) -> SmsSent:
    """The carrier's name for the message. Raises `SmsNotSent`, `SmsUnsure`, `SmsRefused`.

    Where the answer has a code, that decides, whatever the HTTP status says.
    """
    told = _told(body)
    code = _text(_first(told, settings.code_at))
    if code is None:
        if settings.code_at or not _is_success(status):
            raise _without_code(status)
    elif code not in settings.taken:
        raise _trouble(settings, code)
    name = _text(_first(told, settings.name_at)) or ""
    each = settings.part_cost_e4
    cost = None if each is None else each * parts(text)
    return SmsSent(name if _NAME.fullmatch(name) else "", cost)


def _filled(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Each blank once, from left to right: what stands in a value is no template."""
    return {
        name: _BLANK.sub(lambda blank: values[blank.group(1)], template)
        for name, template in templates.items()
    }


def _trouble(settings: HttpSmsSettings, code: str) -> SmsError:
    # Only words and figures: a longer text could repeat what was sent.
    shown = code if _CODE.fullmatch(code) else "odd-code"
    if code in settings.refused:
        return SmsRefused(shown)
    return SmsNotSent(shown) if code in settings.later else SmsUnsure(shown)


def _without_code(status: int) -> SmsError:
    if status in _UNAUTHORISED:
        return SmsNotSent("unauthorised")
    return SmsNotSent(f"http-{status}") if status in _NOT_TAKEN else SmsUnsure(f"http-{status}")


def _is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own figures


def _told(body: bytes) -> Any:
    if len(body) > ANSWER_BYTES_MAX:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _first(told: Any, paths: Sequence[str]) -> Any:
    """What stands at the first of these paths at which anything does."""
    return next((found for path in paths if (found := _at(told, path)) is not None), None)


def _at(told: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(told, list) and step.isascii() and step.isdigit():
            place = int(step)
            told = told[place] if place < len(told) else None
        else:
            told = told.get(step) if isinstance(told, dict) else None
    return told


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value.strip() if isinstance(value, str) else None
