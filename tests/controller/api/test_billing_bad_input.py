"""Bad input about who sells, who pays and what it costs: refused by its field, nothing changed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.controller.api.billing import CONTRACT, TARIFF, made, money, posted, refused
from tests.support.office import Office, a_plan, a_site, a_subscriber, caller

SUBSCRIBER = {"phone": "0722000001", "name": "Otieno"}
BRANCH = {"id": "nakuru", "name": "Nakuru"}
PRICE = {"amount": money("2500")}
RATE = {"tax": "vat", "from_day": "2027-01-01", "basis_points": 1_600}

PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "operator": ("operator", {"name": "Kahawa Net"}),
    "logo": ("operator/logo", {"logo": None}),
    "rate": ("tax-rates", RATE),
    "branch": ("branches", BRANCH),
    "site": ("sites/estate-1/branch", {"branch_id": "main"}),
    "plan": ("plans", {**CONTRACT, "id": "lte"}),
    "hotspot": ("plans", {**CONTRACT, "id": "day", "price": money("50"), "audience": "hotspot"}),
    "price": ("plans/home-20/prices", PRICE),
    "subscriber": ("subscribers", SUBSCRIBER),
    "known": ("subscribers/0712345678", {}),
}


def tariff(**but: Any) -> dict[str, Any]:
    return {**TARIFF, **but}


def tiers(*of: tuple[Any, str]) -> dict[str, Any]:
    return tariff(tiers=[{"upto_units": upto, "price": money(price)} for upto, price in of])


BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("operator", "name", {"name": ""}),
    ("operator", "name", {"name": "x" * 81}),
    ("operator", "name", {"name": "two\nlines"}),
    ("operator", "kra_pin", {"kra_pin": "P05123456X"}),
    ("operator", "kra_pin", {"kra_pin": "B051234567X"}),
    ("operator", "kra_pin", {"kra_pin": "P0512345678"}),
    ("operator", "kra_pin", {"vat_registered": True}),
    ("operator", "name", {"name": None, "kra_pin": "P051234567X", "excise_registered": True}),
    ("operator", "vat_registered", {"vat_registered": "yes"}),
    ("operator", "colour", {"colour": "red"}),
    ("operator", "colour", {"colour": "#12345"}),
    ("operator", "pay_to", {"pay_to": "x" * 201}),
    ("operator", "support_phone", {"support_phone": "0712 345 67"}),
    ("operator", "support_phone", {"support_phone": "+254 7123 456 789"}),
    ("operator", "support_phone", {"support_phone": "ring the bell"}),
    ("operator", "support_phone", {"support_phone": "020 1234 5678 9012 3456"}),
    ("operator", "languages", {"languages": ""}),
    ("operator", "languages", {"languages": "en,en"}),
    ("operator", "languages", {"languages": "en,fr"}),
    ("operator", "logo", {"logo": "x"}),
    ("logo", "logo", {"logo": "!"}),
    ("logo", "logo", {"logo": "aGVsbG8="}),
    ("logo", "logo", {"logo": "A" * 270_000}),
    ("logo", "logo", {"logo": "A" * 280_001}),
    ("rate", "tax", {"tax": "income"}),
    ("rate", "from_day", {"from_day": "2020-12-31"}),
    ("rate", "from_day", {"from_day": "2021-01-01", "basis_points": 1_700}),
    ("rate", "from_day", {"from_day": "2027-02-30"}),
    ("rate", "from_day", {"from_day": "soon"}),
    ("rate", "basis_points", {"basis_points": -1}),
    ("rate", "basis_points", {"basis_points": 10_001}),
    ("rate", "basis_points", {"basis_points": 10**30}),
    ("rate", "basis_points", {"basis_points": 16.5}),
    ("branch", "id", {"id": "Nakuru"}),
    ("branch", "id", {"id": ""}),
    ("branch", "name", {"name": "  "}),
    ("branch", "email", {"email": "nakuru"}),
    ("branch", "email", {"email": "a@b"}),
    ("branch", "kra_branch", {"kra_branch": "1"}),
    ("branch", "phone", {"phone": "0" * 21}),
    ("branch", "colour", {"colour": "red"}),
    ("site", "branch_id", {"branch_id": "nowhere"}),
    ("plan", "price", {"price": money("-0.01")}),
    ("plan", "price", {"price": money("10000000.01")}),
    ("plan", "amount", {"price": money("5.005")}),
    ("plan", "currency", {"price": money("50", "XXX")}),
    ("plan", "currency", {"price": money("50", "USD")}),
    ("plan", "audience", {"audience": "friends"}),
    ("plan", "tax_class", {"tax_class": "none"}),
    ("plan", "tax_included", {"tax_included": 1}),
    ("plan", "down_bps", {"down_bps": 10**30}),
    ("plan", "validity_s", {"validity_s": -1}),
    ("plan", "validity_s", {"validity_s": 0}),
    ("plan", "tariff.formula", {"tariff": tariff(formula="best")}),
    ("plan", "tariff.unit_bytes", {"tariff": tariff(unit_bytes=0)}),
    ("plan", "tariff.unit_bytes", {"tariff": tariff(unit_bytes=10**30)}),
    ("plan", "tariff.tiers", {"tariff": tariff(tiers=[])}),
    ("plan", "tariff.tiers", {"tariff": tiers((50, "20"), (50, "15"), (None, "10"))}),
    ("plan", "tariff.tiers", {"tariff": tiers(*[(n + 1, "1") for n in range(20)], (None, "1"))}),
    ("plan", "tariff.tiers[0].upto_units", {"tariff": tiers((50, "20"))}),
    ("plan", "tariff.tiers[0].upto_units", {"tariff": tiers((-5, "20"), (None, "15"))}),
    ("plan", "tariff.tiers[0].upto_units", {"tariff": tiers((None, "20"), (None, "15"))}),
    ("plan", "tariff.tiers[0].price", {"tariff": tiers((None, "-1"))}),
    ("plan", "tariff.tiers[0].price", {"tariff": tiers((None, "1e3"))}),
    ("plan", "tariff.tiers[0].price", {"tariff": tiers((None, "99999999"))}),
    ("plan", "tariff.tiers.0.upto_units", {"tariff": tiers(("50", "20"))}),
    ("hotspot", "price", {"price": money("50.50")}),
    ("hotspot", "price", {"price": money("250001")}),
    ("hotspot", "tax_included", {"tax_included": False}),
    ("hotspot", "tariff", {"tariff": TARIFF}),
    ("price", "amount", {"amount": money("-1")}),
    ("price", "amount", {"amount": money("10000000.01")}),
    ("price", "amount", {"amount": money("1,2")}),
    ("price", "amount", {"amount": money("9" * 24)}),
    ("price", "amount.amount", {"amount": money("9" * 25)}),
    ("price", "currency", {"amount": money("5", "XXX")}),
    ("price", "currency", {"amount": money("5", "USD")}),
    ("price", "segment", {"segment": "friends"}),
    ("price", "branch_id", {"branch_id": "nowhere"}),
    ("price", "from_day", {"from_day": "2026-11-22"}),
    ("price", "from_day", {"from_day": "2027-05-01"}),
    ("price", "from_day", {"until_day": "2027-05-01"}),
    ("price", "until_day", {"from_day": "2027-01-01", "until_day": "2027-01-01"}),
    ("price", "until_day", {"from_day": "2027-01-01", "until_day": "2026-12-01"}),
    ("subscriber", "phone", {"phone": "12345"}),
    ("subscriber", "phone", {"phone": "+1 202 555 0100"}),
    ("subscriber", "phone", {"phone": None}),
    ("subscriber", "name", {"name": "x" * 81}),
    ("subscriber", "email", {"email": "me at home"}),
    ("subscriber", "email", {"email": "a@b.co\n"}),
    ("subscriber", "kra_pin", {"kra_pin": "X"}),
    ("subscriber", "segment", {"segment": "friends"}),
    ("subscriber", "branch_id", {"branch_id": "nowhere"}),
    ("subscriber", "language", {"language": "fr"}),
    ("subscriber", "referred_by", {"referred_by": "0799999999"}),
    ("subscriber", "referred_by", {"referred_by": "0722000001"}),
    ("subscriber", "balance", {"balance": money("5")}),
    ("known", "referred_by", {"referred_by": "0712345678"}),
    ("known", "phone", {"phone": "0722000001"}),
]


async def furnish(office: Office) -> None:
    """A site, a subscriber, a plan for contracts with a price from May 2027 on."""
    await office.keep(a_site(), a_subscriber())
    await made(office, "plans", CONTRACT)
    later = {"amount": money("2000"), "from_day": "2027-04-01", "until_day": "2027-06-01"}
    await made(office, "plans/home-20/prices", later)


@pytest.mark.parametrize(("what", "field", "content"), BAD)
async def test_a_bad_field_is_named_and_nothing_changes(
    office: Office, what: str, field: str, content: dict[str, Any]
) -> None:
    await furnish(office)
    path, good = PATHS[what]
    answer = await refused(office, path, {**good, **content})

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("what", PATHS)
async def test_good_input_is_taken(office: Office, what: str) -> None:
    await furnish(office)
    path, good = PATHS[what]
    if what == "price":
        good = {**good, "until_day": "2027-04-01"}
    answer = await posted(office, path, good, "key-of-good-input")

    assert answer.is_success, answer.text


async def test_a_refused_change_changes_no_field(office: Office) -> None:
    await office.keep(a_subscriber())
    async with caller(office) as client:
        before = (await client.get("/api/v1/subscribers/0712345678")).json()
        await client.post(
            "/api/v1/subscribers/0712345678", json={"name": "New", "branch_id": "nowhere"}
        )
        after = (await client.get("/api/v1/subscribers/0712345678")).json()

    assert after == before


async def test_prices_that_overlap_do_not_both_come_in_at_once(office: Office) -> None:
    await made(office, "plans", CONTRACT)
    prices = [{"amount": money(f"{n}"), "from_day": f"2027-01-0{n}"} for n in range(1, 5)]
    answers = await asyncio.gather(
        *(
            posted(office, "plans/home-20/prices", price, f"key-of-{n:04}")
            for n, price in enumerate(prices)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]


@pytest.mark.parametrize(
    ("until_day", "price", "field"),
    [
        ("2026-11-22", "later", "until_day"),
        ("2027-07-01", "later", None),
        ("2027-09-02", "later", "from_day"),
        ("2027-02-30", "later", "until_day"),
    ],
)
async def test_a_price_ends_neither_in_the_past_nor_within_another(
    office: Office, until_day: str, price: str, field: str | None
) -> None:
    await furnish(office)
    page = await made(
        office,
        "plans/home-20/prices",
        {"amount": money("1"), "from_day": "2027-09-01"},
        "key-of-september",
    )
    ids = {one["from_day"]: one["id"] for one in page["data"]}
    path = f"plans/home-20/prices/{ids['2027-04-01']}/end"
    answer = await posted(office, path, {"until_day": until_day})

    assert price == "later"
    assert (answer.json()["errors"][0]["field"] if answer.is_error else None) == field


async def test_a_price_that_is_over_stays_as_it_was(office: Office) -> None:
    await made(office, "plans", CONTRACT)
    page = await made(office, "plans/home-20/prices", {**PRICE, "until_day": "2026-11-24"})
    office.clock.forward(days=2)
    path = f"plans/home-20/prices/{page['data'][0]['id']}/end"
    answer = await posted(office, path, {"until_day": "2027-01-01"})

    assert answer.json()["errors"][0]["field"] == "until_day"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "branches/nowhere"),
        ("POST", "branches/nowhere"),
        ("GET", "operator/logo"),
        ("POST", "sites/nowhere/branch"),
        ("GET", "plans/nothing/prices"),
        ("POST", "plans/nothing/prices"),
        ("GET", "plans/nothing/prices/holding"),
        ("POST", "plans/home-20/prices/none/end"),
        ("GET", "subscribers/0799999999"),
        ("GET", "subscribers/none"),
        ("POST", "subscribers/none"),
    ],
)
async def test_what_is_not_there_is_not_found(office: Office, method: str, path: str) -> None:
    await office.keep(a_plan("home-20"))
    bodies = {
        "sites/nowhere/branch": {"branch_id": "main"},
        "plans/nothing/prices": PRICE,
    }
    async with caller(office) as client:
        answer = await client.request(
            method, f"/api/v1/{path}", json=bodies.get(path, {}) if method == "POST" else None
        )

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["branches", "subscribers"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "WzEsMl0"}, "cursor"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_bad_page_is_refused(
    office: Office, path: str, query: dict[str, str], field: str
) -> None:
    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}", params=query)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("key", ["", "short"])
async def test_a_subscriber_is_made_with_a_key_only(office: Office, key: str) -> None:
    answer = await posted(office, "subscribers", SUBSCRIBER, key)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")
