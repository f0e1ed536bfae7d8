"""A carrier as its settings describe it: what is asked, and how its answer is judged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from billing.msisdn import Msisdn
from controller.notify.http_sms_wire import (
    HttpSmsSettings,
    path_fault,
    read_answer,
    request_of,
    template_fault,
)
from controller.notify.sms import SmsError

PHONE = Msisdn("254712345678")
ISMS = HttpSmsSettings(
    url="https://sms.example/send",
    fields={"to": "{phone}", "plus": "{plus_phone}", "local": "{local_phone}", "text": "{text}"},
    headers={"Authorization": "Bearer {key}"},
    api_key="hush",
    code_at=("responses.0.respose-code", "responses.0.response-code"),
    name_at=("responses.0.messageid",),
    refused=frozenset({"1003"}),
    later=frozenset({"1004"}),
    part_cost_e4=6_000,
)


def judged(settings: HttpSmsSettings, status: int, told: object, *, text: str = "hi") -> str:
    """The name and the cost of what was taken, or the trouble and its code."""
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    try:
        sent = read_answer(settings, status, body, text=text)
    except SmsError as trouble:
        return f"{type(trouble).__name__} {trouble.code}"
    return f"{sent.name} {sent.cost_e4}"


def an_answer(**fields: object) -> dict[str, object]:
    return {"responses": [fields]}


def test_blanks_are_filled_once() -> None:
    asked = request_of(ISMS, PHONE, "{key} {phone}", "id")

    assert asked.fields == {
        "to": "254712345678",
        "plus": "+254712345678",
        "local": "0712345678",
        "text": "{key} {phone}",
    }
    assert asked.headers == {"Accept": "application/json", "Authorization": "Bearer hush"}
    assert "hush" not in f"{asked!r} {ISMS!r}"


@pytest.mark.parametrize(
    ("status", "told", "what"),
    [
        (200, an_answer(**{"respose-code": 200, "messageid": 8290842}), "8290842 6000"),
        (200, an_answer(**{"response-code": "200", "messageid": "8290842"}), "8290842 6000"),
        (200, an_answer(**{"respose-code": 200}), " 6000"),
        (500, an_answer(**{"respose-code": 200}), " 6000"),
        (200, an_answer(**{"respose-code": 1003}), "SmsRefused 1003"),
        (200, an_answer(**{"respose-code": "1004"}), "SmsNotSent 1004"),
        (200, an_answer(**{"respose-code": 1005}), "SmsUnsure 1005"),
        (200, an_answer(**{"respose-code": "to 254712345678: no"}), "SmsUnsure odd-code"),
        (200, an_answer(), "SmsUnsure http-200"),
        (200, {"responses": []}, "SmsUnsure http-200"),
        (200, [], "SmsUnsure http-200"),
        (200, b"OK", "SmsUnsure http-200"),
        (200, b"[" * 70_000, "SmsUnsure http-200"),
        (401, b"no", "SmsNotSent unauthorised"),
        (429, b"slow down", "SmsNotSent http-429"),
        (502, b"<html>", "SmsUnsure http-502"),
    ],
)
def test_the_code_in_an_answer_decides(status: int, told: object, what: str) -> None:
    assert judged(ISMS, status, told) == what


@pytest.mark.parametrize(
    ("status", "what"), [(200, "7 6000"), (202, "7 6000"), (400, "SmsNotSent http-400")]
)
def test_without_a_code_the_status_decides(status: int, what: str) -> None:
    settings = replace(ISMS, code_at=(), name_at=("id",))

    assert judged(settings, status, {"id": 7}) == what


def test_each_part_costs() -> None:
    told = an_answer(**{"respose-code": 200})

    assert judged(ISMS, 200, told, text="a" * 161) == " 12000"
    assert judged(replace(ISMS, part_cost_e4=None), 200, told) == " None"


@pytest.mark.parametrize("template", ["{nonsense}", "{", "}", "{text", "{{text}}", "{}"])
def test_a_template_that_cannot_be_filled_is_a_fault(template: str) -> None:
    assert template_fault(template) is not None


def test_templates_and_paths_that_can_be_used_have_no_fault() -> None:
    assert template_fault("to {phone}: {text}") is None
    assert path_fault("responses.0.respose-code") is None
    assert path_fault("a..b") is not None
