"""Operator, taxes, branches, prices, plans for contracts and subscribers: when all is well."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from controller.store.billing_rows import DebtRow, DocumentRow, SubscriptionRow
from controller.store.site_rows import SiteItemRow
from tests.controller.api.billing import CONTRACT, TARIFF, got, made, money, posted
from tests.controller.test_png import a_png
from tests.support.office import NOON, Office, a_day, a_site, caller

SELLER = {
    "name": "Kahawa Net",
    "kra_pin": "p051234567x",
    "vat_registered": True,
    "excise_registered": True,
}
THIKA = {"id": "thika", "name": "Thika", "kra_branch": "01"}


async def test_the_operator_is_nobody_until_it_is_said(office: Office) -> None:
    shown = await got(office, "operator")

    assert (shown["name"], shown["vat_registered"], shown["has_logo"]) == ("", False, False)


async def test_what_is_not_said_of_the_operator_stays(office: Office) -> None:
    await made(office, "operator", SELLER)
    shown = await made(office, "operator", {"colour": "#AA00ff", "vat_registered": False})

    assert shown == {
        "name": "Kahawa Net",
        "kra_pin": "P051234567X",
        "vat_registered": False,
        "excise_registered": True,
        "colour": "#aa00ff",
        "pay_to": "",
        "support_phone": None,
        "languages": "",
        "has_logo": False,
    }


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("0712 345 678", "+254712345678"),
        ("+254 (112) 345-678", "+254112345678"),
        ("020 1234567", "020 1234567"),
        ("0800 723 253", "0800 723 253"),
        ("+44 20 7946 0000", "+44 20 7946 0000"),
        ("  ", None),
    ],
)
async def test_customers_call_the_number_that_the_operator_says(
    office: Office, typed: str, kept: str | None
) -> None:
    await made(office, "operator", {"support_phone": "0722 000 001"})
    shown = await made(office, "operator", {"support_phone": typed})

    assert shown["support_phone"] == kept


async def test_the_first_language_is_the_default(office: Office) -> None:
    shown = await made(office, "operator", {"languages": "SW, en"})

    assert shown["languages"] == "sw,en"


async def test_a_logo_of_200_kilobytes_is_kept_shown_and_taken_away(office: Office) -> None:
    picture = a_png(noise=True)
    assert 190_000 < len(picture) <= 200_000
    sent = await made(office, "operator/logo", {"logo": base64.b64encode(picture).decode()})

    async with caller(office) as client:
        shown = await client.get("/api/v1/operator/logo")
    taken = await made(office, "operator/logo", {"logo": None})

    assert (sent["has_logo"], shown.content, taken["has_logo"]) == (True, picture, False)
    assert shown.headers["content-type"] == "image/png"


async def test_todays_rates_are_marked(office: Office) -> None:
    await made(office, "tax-rates", {"tax": "vat", "from_day": "2027-01-01", "basis_points": 1_800})
    rates = (await got(office, "tax-rates"))["data"]

    held = [(r["tax"], r["from_day"], r["basis_points"]) for r in rates if r["holds"]]
    assert held == [("excise", "2023-07-01", 1_500), ("vat", "2021-01-01", 1_600)]
    assert rates[3]["from_day"] == "2027-01-01"


async def test_the_same_rate_again_changes_nothing(office: Office) -> None:
    rate = {"tax": "vat", "from_day": "2027-01-01", "basis_points": 1_800}
    first = await made(office, "tax-rates", rate)
    again = await made(office, "tax-rates", rate)

    assert again == first


async def test_branches_are_made_changed_and_listed(office: Office) -> None:
    await made(office, "branches", THIKA)
    await made(office, "branches", THIKA)
    changed = await made(office, "branches/thika", {"phone": "0712 345 678"})
    listed = await got(office, "branches", limit="1")
    rest = await got(office, "branches", cursor=listed["next_cursor"])

    assert (changed["name"], changed["phone"], changed["kra_branch"]) == (
        "Thika",
        "0712 345 678",
        "01",
    )
    assert [one["id"] for one in (*listed["data"], *rest["data"])] == ["main", "thika"]


async def test_another_branch_of_the_same_id_is_a_conflict(office: Office) -> None:
    await made(office, "branches", THIKA)
    answer = await posted(office, "branches", {**THIKA, "name": "Nakuru"})

    assert (answer.status_code, answer.json()["code"]) == (409, "branch_exists")


async def test_a_site_moves_to_a_branch(office: Office) -> None:
    await office.keep(a_site())
    await made(office, "branches", THIKA)
    moved = await made(office, "sites/estate-1/branch", {"branch_id": "thika"})

    assert moved["branch_id"] == "thika"
    assert (await got(office, "sites/estate-1"))["branch_id"] == "thika"


async def test_a_plan_for_contracts_may_have_cents_taxes_on_top_and_a_tariff(
    office: Office,
) -> None:
    plan = {**CONTRACT, "tax_class": "standard", "tax_included": False, "tariff": TARIFF}
    answer = await made(office, "plans", plan)
    again = await posted(office, "plans", plan)

    assert {name: answer[name] for name in plan} == plan
    assert again.status_code == 201


async def test_a_plan_for_contracts_is_offered_nowhere(office: Office) -> None:
    await made(office, "sites", {"id": "early", "name": "Early"})
    await made(office, "plans", CONTRACT)
    await made(office, "sites", {"id": "late", "name": "Late"})

    async with office.deps.db.read() as tx:
        held = [await tx.get(SiteItemRow, (one, "plan/home-20")) for one in ("early", "late")]
    assert held == [None, None]


async def test_codes_of_a_plan_for_contracts_are_not_made(office: Office) -> None:
    await office.keep(a_site())
    await made(office, "plans", CONTRACT)
    voucher = await posted(office, "vouchers", {"plan_id": "home-20", "count": 1}, "key-of-codes")
    token = {"site_id": "estate-1", "plan_id": "home-20"}
    answers = [voucher, await posted(office, "tokens", token, "key-of-token")]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {
        (409, "plan_for_contracts")
    }


async def test_a_grant_of_a_plan_for_contracts_reaches_its_site(office: Office) -> None:
    await made(office, "sites", {"id": "estate-9", "name": "Estate 9"})
    await made(office, "plans", CONTRACT)
    given = await made(
        office,
        "grants",
        {"site_id": "estate-9", "plan_id": "home-20", "device_mac": "02:00:00:00:00:01"},
    )

    async with office.deps.db.read() as tx:
        item = await tx.get(SiteItemRow, ("estate-9", f"grant/{given['id']}"))
    assert item is not None
    assert b"home-20" in (item.body or b"")


def for_whom(holding: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(one["segment"], one["branch_id"]): one["amount"]["amount"] for one in holding["data"]}


async def test_the_most_specific_price_holds_on_its_days(office: Office) -> None:
    await made(office, "branches", THIKA)
    await made(office, "plans", CONTRACT)
    for n, price in enumerate(
        (
            {"amount": money("2500"), "branch_id": "thika", "until_day": "2026-12-01"},
            {"amount": money("4500"), "segment": "business"},
            {"amount": money("4000"), "segment": "business", "branch_id": "thika"},
        )
    ):
        await made(office, "plans/home-20/prices", price, f"key-of-price-{n}")
    today = for_whom(await got(office, "plans/home-20/prices/holding"))
    later = for_whom(await got(office, "plans/home-20/prices/holding", day="2026-12-01"))

    assert today == {
        ("residential", "main"): "2999.50",
        ("residential", "thika"): "2500.00",
        ("business", "main"): "4500.00",
        ("business", "thika"): "4000.00",
        ("enterprise", "main"): "2999.50",
        ("enterprise", "thika"): "2500.00",
    }
    assert later["residential", "thika"] == "2999.50"


async def states(office: Office) -> list[tuple[str, str | None, str]]:
    prices = (await got(office, "plans/home-20/prices"))["data"]
    return [(one["from_day"], one["until_day"], one["state"]) for one in prices]


async def test_a_price_ends_and_one_that_never_held_is_removed(office: Office) -> None:
    await made(office, "plans", CONTRACT)
    page = await made(office, "plans/home-20/prices", {"amount": money("2500")})
    first = page["data"][0]["id"]
    later = {"amount": money("2600"), "segment": "business", "from_day": "2027-01-01"}
    page = await made(office, "plans/home-20/prices", later, "key-of-later")
    second = next(one["id"] for one in page["data"] if one["segment"])
    await made(office, f"plans/home-20/prices/{first}/end", {"until_day": "2026-11-24"})
    await made(office, f"plans/home-20/prices/{second}/end", {})

    assert await states(office) == [("2026-11-23", "2026-11-24", "holds")]
    office.clock.forward(days=1)
    assert await states(office) == [("2026-11-23", "2026-11-24", "over")]


async def test_the_same_price_again_changes_nothing(office: Office) -> None:
    await made(office, "plans", CONTRACT)
    price = {"amount": money("2500"), "from_day": "2027-01-01"}
    first = await made(office, "plans/home-20/prices", price)
    again = await made(office, "plans/home-20/prices", price)

    assert again == first


WANJIKU = {"phone": "0712 345 678", "name": "Wanjiku Kamau", "segment": "business"}


async def test_a_subscriber_is_made_once_for_a_key(office: Office) -> None:
    first = await made(office, "subscribers", WANJIKU)
    again = await made(office, "subscribers", WANJIKU)

    assert again == first
    assert (first["phone"], first["branch_id"], first["wallet"], first["owed"]) == (
        "254712345678",
        "main",
        money("0.00"),
        money("0.00"),
    )


async def test_a_second_subscriber_with_a_phone_is_a_conflict(office: Office) -> None:
    await made(office, "subscribers", WANJIKU)
    answer = await posted(office, "subscribers", WANJIKU, "another-key")

    assert (answer.status_code, answer.json()["code"]) == (409, "subscriber_exists")


@pytest.mark.parametrize("named", ["0712345678", "254712345678", "id"])
async def test_a_subscriber_is_shown_and_changed_by_phone_and_by_id(
    office: Office, named: str
) -> None:
    first = await made(office, "subscribers", WANJIKU)
    path = f"subscribers/{first['id'] if named == 'id' else named}"
    changed = await made(office, path, {"email": "w@example.co.ke", "language": "sw"})
    shown = await got(office, path)

    assert (changed["name"], changed["email"]) == ("Wanjiku Kamau", "w@example.co.ke")
    assert {**changed, "to_pay": None, "subscriptions": [], "documents": []} == shown


async def test_who_brought_a_subscriber_is_known(office: Office) -> None:
    first = await made(office, "subscribers", WANJIKU)
    second = {"phone": "0722000001", "referred_by": "0712345678"}
    brought = await made(office, "subscribers", second, "key-of-second")

    assert brought["referred_by"] == first["id"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("kamau", ["254712345678"]),
        ("0712 345", ["254712345678"]),
        ("+254722", ["254722000001"]),
        ("%", []),
        ("", ["254722000001", "254712345678"]),
    ],
)
async def test_subscribers_are_found_by_a_part_of_name_or_phone(
    office: Office, search: str, found: list[str]
) -> None:
    await made(office, "subscribers", WANJIKU)
    office.clock.forward(minutes=1)
    await made(office, "subscribers", {"phone": "0722000001", "name": "Otieno"}, "key-of-second")
    page = await got(office, "subscribers", search=search)

    assert [one["phone"] for one in page["data"]] == found


async def test_subscribers_are_paged_and_narrowed_to_a_branch(office: Office) -> None:
    await made(office, "branches", THIKA)
    for n in range(3):
        body = {"phone": f"072200000{n}", "branch_id": "thika" if n else "main"}
        await made(office, "subscribers", body, f"key-of-number-{n}")
    first = await got(office, "subscribers", branch_id="thika", limit="1")
    second = await got(office, "subscribers", branch_id="thika", cursor=first["next_cursor"])

    phones = {one["phone"] for one in (*first["data"], *second["data"])}
    assert phones == {"254722000001", "254722000002"}


def a_document(**fields: Any) -> DocumentRow:
    """An invoice of KES 29, of which 25 are without taxes."""
    usual: dict[str, Any] = {
        "kind": "invoice",
        "series": "INV-main",
        "number": 42,
        "subscriber_id": "5" * 32,
        "branch_id": "main",
        "cause": "sale:1",
        "issued_at": NOON,
        "due_at": NOON,
        "currency": "KES",
        "net_minor": 2_500,
        "excise_minor": 0,
        "vat_minor": 400,
        "total_minor": 2_900,
        "refers_to": None,
        "frozen": "{}",
    }
    return DocumentRow(**{"id": "d" * 32, **usual, **fields})


async def test_a_subscriber_is_shown_with_money_subscriptions_and_documents(
    office: Office,
) -> None:
    await office.keep(*a_day())
    await made(office, "plans", CONTRACT)
    await office.keep(
        SubscriptionRow(
            id="e" * 32,
            subscriber_id="5" * 32,
            plan_id="home-20",
            site_id="estate-1",
            devices="02:00:00:00:00:01",
            mode="advance",
            cycle_unit="month",
            cycle_count=1,
            anchor_day=5,
            anchor_at=NOON,
            state="suspended",
            hold="debt",
            state_at=NOON,
            created_at=NOON,
        ),
        a_document(),
        DebtRow(document_id="d" * 32, subscriber_id="5" * 32, due_at=NOON, open_minor=1_900),
    )
    shown = await got(office, "subscribers/0712345678")

    assert shown["owed"] == money("19.00")
    (subscription,), (document,) = shown["subscriptions"], shown["documents"]
    assert (subscription["hold"], subscription["cycle"]["anchor_day"]) == ("debt", 5)
    assert (document["number"], document["open"]) == ("INV-main-000042", money("19.00"))
