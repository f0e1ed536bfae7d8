"""Bad input about subscriptions and money: refused by its field, and nothing is half done."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from tests.controller.api.billing import CONTRACT, made, money, posted, refused
from tests.support.office import Office, a_plan, a_site, a_subscriber, caller

PHONE = "0712345678"
START: dict[str, Any] = {
    "subscriber": PHONE,
    "plan_id": "home-20",
    "site_id": "estate-1",
    "mode": "advance",
}
STARTED = sha256(b"/api/v1/subscriptions:key-of-start").hexdigest()[:32]
"""The subscription that the key of its start has made."""

INVOICE = "documents/INV-main-000001"
DISCOUNT = {"basis_points": 2_000}
POLICY: dict[str, Any] = {"terms_days": 7, "steps": [{"kind": "suspend", "after_days": 7}]}
PARTS = {"count": 3, "first_due": "2026-12-05T00:00:00+03:00"}

PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "start": ("subscriptions", START),
    "receive": ("received", {"subscriber": PHONE, "amount": money("100")}),
    "pause": (f"subscriptions/{STARTED}/pause", {"until": "2027-01-31T00:00:00+03:00"}),
    "place": (f"subscriptions/{STARTED}", {"devices": ["02:00:00:00:00:01"]}),
    "adjust": (f"subscribers/{PHONE}/adjust", {"amount": money("100"), "reason": "sorry"}),
    "transfer": (
        f"subscribers/{PHONE}/transfer",
        {"target": "0722000001", "amount": money("50")},
    ),
    "credit": (f"{INVOICE}/credit", {"reason": "billed twice"}),
    "promise": (f"{INVOICE}/promise", {"day": "2026-12-05"}),
    "parts": (f"{INVOICE}/instalments", PARTS),
    "loss": (f"{INVOICE}/write-off", {"reason": "moved away"}),
    "policy": ("dunning-policies", POLICY),
    "promotion": ("promotions", {"id": "karibu", "name": "Karibu", "discount": DISCOUNT}),
    "take": (f"subscribers/{PHONE}/promotions", {"promotion_id": "always"}),
}


def cycle(unit: str = "month", count: Any = 1, **more: Any) -> dict[str, Any]:
    return {"cycle": {"unit": unit, "count": count, **more}}


def step(kind: str, after_days: Any, **more: Any) -> dict[str, Any]:
    return {"steps": [{"kind": kind, "after_days": after_days, **more}]}


def off(**terms: Any) -> dict[str, Any]:
    return {"discount": {"basis_points": None, **terms}}


BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("start", "subscriber", {"subscriber": "0799999999"}),
    ("start", "plan_id", {"plan_id": "nothing"}),
    ("start", "plan_id", {"plan_id": "hours-2"}),
    ("start", "site_id", {"site_id": "nowhere"}),
    ("start", "mode", {"mode": "later"}),
    ("start", "begins_at", {"begins_at": "9999-12-31T23:59:59-14:00"}),
    ("start", "begins_at", {"begins_at": "2029-01-01T00:00:00Z"}),
    ("start", "devices", {"devices": ["zz"]}),
    ("start", "cycle.unit", {"cycle": {"unit": "minute", "count": 30}}),
    ("receive", "at", {"at": "0001-01-01T00:00:00+14:00"}),
    ("receive", "at", {"at": "1969-01-01T00:00:00Z"}),
    ("pause", "until", {"until": "9999-12-31T23:59:59-14:00"}),
    ("place", "site_id", {"site_id": "nowhere"}),
    ("place", "site_id", {"site_id": 5}),
    ("place", "devices", {"devices": ["01:00:5e:00:00:01"]}),
    ("place", "devices", {"devices": ["02:00:00:00:00:01"] * 51}),
    ("place", "plan_id", {"plan_id": "home-20"}),
    ("start", "cycle.count", cycle(count=0)),
    ("start", "cycle.count", cycle(count=-1)),
    ("start", "cycle.count", cycle("day", 1_001)),
    ("start", "cycle.count", cycle(count=10**30)),
    ("start", "cycle.count", cycle(count=1.5)),
    ("start", "cycle.count", cycle(count=121)),
    ("start", "cycle.unit", cycle("year")),
    ("start", "cycle.anchor_day", cycle(anchor_day=0)),
    ("start", "cycle.anchor_day", cycle(anchor_day=32)),
    ("start", "cycle.anchor_day", cycle("week", anchor_day=5)),
    ("start", "plan_id", cycle(count=60)),
    ("start", "devices", {"devices": ["x"]}),
    ("start", "devices", {"devices": ["02:00:00:00:00:01"] * 51}),
    ("start", "begins_at", {"begins_at": "2020-01-01T00:00:00Z"}),
    ("start", "begins_at", {"begins_at": "2027-01-01T00:00:00"}),
    ("start", "price", {"price": money("-1")}),
    ("start", "price", {"price": money("10000000.01")}),
    ("start", "currency", {"price": money("100", "USD")}),
    ("start", "currency", {"price": money("100", "XXX")}),
    ("receive", "subscriber", {"subscriber": "0799999999"}),
    ("receive", "amount", {"amount": money("0")}),
    ("receive", "amount", {"amount": money("-100")}),
    ("receive", "amount", {"amount": money("1e3")}),
    ("receive", "amount", {"amount": money("9" * 20)}),
    ("receive", "amount", {"amount": money("100", "USD")}),
    ("receive", "currency", {"amount": money("100", "XXX")}),
    ("receive", "rail", {"rail": "M-PESA!"}),
    ("receive", "receipt", {"receipt": "two words"}),
    ("receive", "place", {"place": "here and there"}),
    ("receive", "at", {"at": "2099-01-01T00:00:00Z"}),
    ("receive", "note", {"note": "x" * 201}),
    ("adjust", "amount", {"amount": money("0")}),
    ("adjust", "amount", {"amount": money("1000000.01")}),
    ("adjust", "amount", {"amount": money("-1000")}),
    ("adjust", "reason", {"reason": " "}),
    ("transfer", "amount", {"amount": money("-50")}),
    ("transfer", "amount", {"amount": money("5000")}),
    ("transfer", "target", {"target": PHONE}),
    ("transfer", "target", {"target": "0799999999"}),
    ("credit", "amount", {"amount": money("0")}),
    ("credit", "amount", {"amount": money("-1")}),
    ("credit", "amount", {"amount": money("2999.51")}),
    ("credit", "amount", {"amount": money("1", "USD")}),
    ("credit", "reason", {"reason": ""}),
    ("promise", "day", {"day": "2026-11-22"}),
    ("promise", "day", {"day": "2027-11-22"}),
    ("promise", "day", {"day": "2027-02-30"}),
    ("parts", "count", {"count": 1}),
    ("parts", "count", {"count": 37}),
    ("parts", "count", {"count": -3}),
    ("parts", "first_due", {"first_due": "2026-11-01T00:00:00Z"}),
    ("parts", "first_due", {"first_due": "2028-11-01T00:00:00Z"}),
    ("parts", "cycle.count", cycle(count=0)),
    ("loss", "reason", {"reason": "  "}),
    ("policy", "segment", {"segment": "friends"}),
    ("policy", "policy.terms_days", {"terms_days": -1}),
    ("policy", "policy.terms_days", {"terms_days": 121}),
    ("policy", "steps.0.kind", step("shout", 1)),
    ("policy", "policy.steps[0].after_days", step("suspend", -1)),
    ("policy", "policy.steps[0].after_days", step("remind", 10**9)),
    ("policy", "policy.steps[0].fee", step("fee", 5)),
    ("policy", "policy.steps[0].fee", step("fee", 5, fee=money("-5"))),
    ("policy", "policy.steps[0].fee", step("suspend", 5, fee=money("5"))),
    ("promotion", "id", {"id": "Karibu!"}),
    ("promotion", "name", {"name": ""}),
    ("promotion", "amount", off()),
    ("promotion", "basis_points", off(basis_points=0)),
    ("promotion", "basis_points", off(basis_points=10_001)),
    ("promotion", "amount", off(amount=money("-5"))),
    ("promotion", "amount", off(basis_points=1, amount=money("5"))),
    ("promotion", "currency", off(amount=money("5", "XXX"))),
    ("promotion", "periods", off(basis_points=1, periods=0)),
    ("promotion", "scope.plans", off(basis_points=1, scope={"plans": ["A B"]})),
    ("promotion", "ends_at", {"ends_at": "2020-01-01T00:00:00Z"}),
    ("promotion", "discount", {"discount": None}),
    ("promotion", "discount", {"coupon": {"code": "XMAS26", "discount": DISCOUNT}}),
    ("promotion", "code", {"discount": None, "coupon": {"code": "x", "discount": DISCOUNT}}),
    (
        "promotion",
        "referrer",
        {"discount": None, "referral": {"referrer": money("-1"), "referred": money("1")}},
    ),
    ("promotion", "every_invoices", {"discount": None, "loyalty": {"reward": money("1")}}),
    ("take", "promotion", {"promotion_id": "nothing"}),
    ("take", "promotion", {"promotion_id": "", "code": "NOTHING"}),
    ("take", "promotion_id", {"promotion_id": ""}),
    ("take", "promotion_id", {"code": "XMAS26"}),
    ("take", "code", {"promotion_id": "", "code": "!"}),
]


async def furnish(office: Office) -> None:
    """Two subscribers, one with an open invoice of KES 2,999.50 and KES 100 in the other wallet."""
    await office.keep(a_site(), a_plan(), a_subscriber(), a_subscriber("6" * 32, "254722000001"))
    await made(office, "plans", CONTRACT)
    await made(office, "subscriptions", START, "key-of-start")
    always = {"id": "always", "name": "Always", "discount": DISCOUNT}
    await made(office, "promotions", always)


@pytest.mark.parametrize(("what", "field", "content"), BAD)
async def test_a_bad_field_is_named_and_nothing_changes(
    office: Office, what: str, field: str, content: dict[str, Any]
) -> None:
    await furnish(office)
    path, good = PATHS[what]
    answer = await refused(office, path, {**good, **content})

    assert answer.status_code in {404, 409, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("what", PATHS)
async def test_good_input_is_taken(office: Office, what: str) -> None:
    await furnish(office)
    if what == "transfer":
        gift = {"amount": money("5000"), "reason": "sorry"}
        await made(office, f"subscribers/{PHONE}/adjust", gift, "key-of-gift")
    path, good = PATHS[what]
    answer = await posted(office, path, good, "key-of-good-input")

    assert answer.is_success, answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "subscriptions/none", None),
        ("GET", "subscriptions/none/quote?plan_id=home-20", None),
        ("POST", "subscriptions/none/change", {"plan_id": "home-20"}),
        ("POST", "subscriptions/none/pause", {}),
        ("POST", "subscriptions/none/resume", None),
        ("POST", "subscriptions/none/suspend", None),
        ("POST", "subscriptions/none/end", {}),
        ("GET", "subscriptions?subscriber=0799999999", None),
        ("GET", "documents/INV-main-000001", None),
        ("GET", "documents/-", None),
        ("GET", "documents?subscriber=0799999999", None),
        ("POST", "documents/none/credit", {"reason": "billed twice"}),
        ("POST", "documents/none/promise", {"day": "2026-12-05"}),
        ("POST", "documents/none/instalments", PARTS),
        ("POST", "documents/none/write-off", {"reason": "moved away"}),
        ("GET", "debts?subscriber=0799999999", None),
        ("GET", "received/none", None),
        ("GET", "received?subscriber=0799999999", None),
        ("POST", "received/none/reverse", {"reason": "bounced"}),
        ("POST", "subscribers/none/adjust", {"amount": money("1"), "reason": "sorry"}),
        ("POST", "subscribers/none/transfer", {"target": PHONE, "amount": money("1")}),
        ("POST", "subscribers/none/promotions", {"code": "XMAS26"}),
        ("POST", "promotions/none/withdraw", None),
    ],
)
async def test_what_is_not_there_is_not_found(
    office: Office, method: str, path: str, body: dict[str, Any] | None
) -> None:
    async with caller(office) as client:
        answer = await client.request(
            method, f"/api/v1/{path}", json=body, headers={"Idempotency-Key": "key-of-nothing"}
        )

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["subscriptions", "documents", "debts", "received", "billing-runs"]
)
@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": "0"}, "limit"), ({"cursor": "x"}, "cursor"), ({"colour": "red"}, "colour")],
)
async def test_a_bad_page_is_refused(
    office: Office, path: str, query: dict[str, str], field: str
) -> None:
    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}", params=query)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("subscriptions?state=lost", "state"),
        ("documents?kind=letter", "kind"),
        ("billing-runs/preview?upto=2020-01-01T00:00:00Z", "upto"),
        ("billing-runs/preview?upto=2099-01-01T00:00:00Z", "upto"),
        ("billing-runs/preview?upto=soon", "upto"),
    ],
)
async def test_a_question_that_cannot_be_is_refused(office: Office, path: str, field: str) -> None:
    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    "what", ["start", "receive", "adjust", "transfer", "credit", "loss", "take"]
)
async def test_what_makes_something_wants_a_key(office: Office, what: str) -> None:
    path, good = PATHS[what]
    answer = await posted(office, path, good, "")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")
