"""Money that came in, its owners, refunds and requests for money, by the routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.payment import Evidence
from controller.payments.seen import Road
from controller.rights import Role
from tests.controller.api.billing import CONTRACT, got, made, money, posted, refused
from tests.support.incoming import bought, came, paid, payers
from tests.support.office import Office, a_plan, a_site, a_subscriber, caller
from tests.support.staff import a_token

if TYPE_CHECKING:
    import httpx2

PHONE = "0712345678"
FRIEND = "6" * 32
START: dict[str, Any] = {
    "subscriber": PHONE,
    "plan_id": "home-20",
    "site_id": "estate-1",
    "mode": "advance",
}
WHY = {"reason": "typed the house for the account"}


@pytest.fixture
async def desk(office: Office) -> Office:
    """A site, a hotspot plan, a plan for contracts at KES 500, and two subscribers."""
    await office.keep(a_site(), a_plan(), a_subscriber(), a_subscriber(FRIEND, "254722000001"))
    await made(office, "plans", {**CONTRACT, "price": money("500")})
    return office


async def asked_of(office: Office, path: str, query: dict[str, str]) -> httpx2.Response:
    async with caller(office) as client:
        return await client.get(f"/api/v1/{path}", params=query)


async def test_money_is_shown_without_the_payers_number(desk: Office) -> None:
    await came(desk, payer="254799123456")
    await came(desk, "HASHED1", payer="a3f0" * 16)
    await came(desk, "MASKED1", payer="2547 ***** 126")
    shown = {one["receipt"]: one for one in (await got(desk, "arrivals"))["data"]}

    assert shown["SGH7K2Q0XD"]["payer"] == "2547••••456"
    assert (shown["HASHED1"]["payer"], shown["MASKED1"]["payer"]) == ("hashed", "2547 ***** 126")
    assert shown["SGH7K2Q0XD"]["amount"] == money("500.00")
    assert shown["SGH7K2Q0XD"]["roads"] == ["pull"]


async def test_arrivals_are_paged_and_found_by_state_rail_receipt_reference_and_name(
    desk: Office,
) -> None:
    for n in range(3):
        desk.clock.forward(seconds=1)
        await came(desk, f"RECEIPT{n}", reference=f"house {n}")
    await came(desk, "CREDITED1", reference=PHONE)
    first = await got(desk, "arrivals", limit="2")
    second = await got(desk, "arrivals", limit="2", cursor=first["next_cursor"])

    async def found(**query: str) -> list[str]:
        return sorted(one["receipt"] for one in (await got(desk, "arrivals", **query))["data"])

    seen = [one["receipt"] for one in (*first["data"], *second["data"])]
    assert sorted(seen) == ["CREDITED1", "RECEIPT0", "RECEIPT1", "RECEIPT2"]
    assert await found(state="credited") == ["CREDITED1"]
    assert await found(rail="airtel") == []
    assert await found(q="receipt1") == ["RECEIPT1"]
    assert await found(q="HOUSE 2") == ["RECEIPT2"]
    assert len(await found(q="kamau")) == 4
    assert await found(q="%") == []


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("state", {"state": "lost"}),
        ("rail", {"rail": "M-PESA!"}),
        ("q", {"q": "x" * 65}),
        ("q", {"q": "two\nlines"}),
        ("cursor", {"cursor": "x"}),
        ("limit", {"limit": "0"}),
        ("colour", {"colour": "red"}),
    ],
)
async def test_an_odd_question_is_refused_by_its_field(
    desk: Office, field: str, query: dict[str, str]
) -> None:
    answer = await asked_of(desk, "arrivals", query)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_what_waits_for_staff_is_listed_the_oldest_first(desk: Office) -> None:
    await came(desk, "FIRST1", 300)
    desk.clock.forward(minutes=1)
    await came(desk, "SECOND1", 9_000, road=Road.CONFIRMATION)
    desk.clock.forward(minutes=1)
    await came(desk, "FOUND1", reference=PHONE)
    page = await got(desk, "arrivals/unmatched", limit="1")
    rest = await got(desk, "arrivals/unmatched", cursor=page["next_cursor"])

    lines = [*page["data"], *rest["data"]]
    assert [(one["receipt"], one["state"]) for one in lines] == [
        ("FIRST1", "suspense"),
        ("SECOND1", "doubted"),
    ]
    assert all(one["for_staff"] for one in lines)


async def test_money_is_assigned_once_and_pays_what_is_open(desk: Office) -> None:
    await made(desk, "subscriptions", START, "key-of-start")
    arrived = await came(desk)
    path = f"arrivals/{arrived.arrival_id}"
    body = {"subscriber": PHONE, **WHY}
    done = await made(desk, f"{path}/assign", body)
    again = await made(desk, f"{path}/assign", body)
    other = await posted(desk, f"{path}/assign", {"subscriber": "0722000001", **WHY})
    (invoice,) = (await got(desk, "documents", kind="invoice"))["data"]

    assert (done["state"], done["phone"], done["for_staff"]) == ("credited", "254712345678", False)
    assert [(deed["what"], deed["detail"]) for deed in done["deeds"]] == [
        ("assigned", WHY["reason"])
    ]
    assert again == done
    assert (other.status_code, other.json()["code"]) == (409, "already_placed")
    assert invoice["open"] == money("0.00")
    assert (await got(desk, "arrivals/unmatched"))["data"] == []


async def test_money_that_is_not_confirmed_is_assigned_by_staffs_word(desk: Office) -> None:
    arrived = await came(desk, shillings=9_000, road=Road.CONFIRMATION)
    body = {"subscriber": PHONE, **WHY}
    done = await made(desk, f"arrivals/{arrived.arrival_id}/assign", body)

    assert done["state"] == "credited"
    assert (await got(desk, f"subscribers/{PHONE}"))["wallet"] == money("9000.00")


@pytest.mark.parametrize(
    ("field", "status", "body"),
    [
        ("reason", 422, {"subscriber": PHONE, "reason": " "}),
        ("reason", 422, {"subscriber": PHONE}),
        ("subscriber", 422, {"reason": "x"}),
        ("subscriber", 404, {"subscriber": "0799999999", "reason": "x"}),
        ("colour", 422, {"subscriber": PHONE, "reason": "x", "colour": "red"}),
    ],
)
async def test_a_wrong_assignment_changes_nothing(
    desk: Office, field: str, status: int, body: dict[str, str]
) -> None:
    arrived = await came(desk)
    answer = await refused(desk, f"arrivals/{arrived.arrival_id}/assign", body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert (await got(desk, f"arrivals/{arrived.arrival_id}"))["state"] == "suspense"


@pytest.mark.parametrize("verb", ["", "/suggestions", "/assign", "/refund"])
async def test_money_that_never_came_is_not_found(desk: Office, verb: str) -> None:
    path = f"arrivals/{'0' * 32}{verb}"
    body = {"reason": "x"} if verb == "/refund" else {"subscriber": PHONE, "reason": "x"}
    asking = verb in {"", "/suggestions"}
    answer = await (asked_of(desk, path, {}) if asking else posted(desk, path, body))

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_who_it_may_be_is_suggested(desk: Office) -> None:
    await made(desk, f"subscribers/{PHONE}", {"name": "Wanjiku Mwangi"})
    one_off = await came(desk, "TYPO1", reference="0712 354 678")
    by_name = await came(desk, "NAME1", reference="", payer_name="WANJIKU MWANGI")
    nobody = await came(desk, "NOBODY1", reference="", payer_name="")

    async def suggested(arrival_id: str) -> list[str]:
        found = await got(desk, f"arrivals/{arrival_id}/suggestions")
        return [one["phone"] for one in found["data"]]

    assert await suggested(one_off.arrival_id) == ["254712345678"]
    assert await suggested(by_name.arrival_id) == ["254712345678"]
    assert await suggested(nobody.arrival_id) == []


async def test_money_of_an_order_goes_back_with_its_access(desk: Office) -> None:
    order = await bought(desk)
    (arrival,) = (await got(desk, "arrivals"))["data"]
    path = f"arrivals/{arrival['id']}/refund"
    first = await made(desk, path, WHY, "key-of-refund")
    again = await posted(desk, path, WHY, "key-of-refund")
    twice = await posted(desk, path, WHY, "key-of-another")
    shown = await got(desk, f"arrivals/{arrival['id']}")
    (grant,) = (await got(desk, "grants"))["data"]

    assert again.json() == first
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (twice.status_code, twice.json()["code"]) == (409, "not_to_refund")
    assert (first["state"], first["amount"], first["phone"]) == (
        "pending",
        money("10.00"),
        "2547••••678",
    )
    assert (shown["state"], shown["order"]["order_id"]) == ("returned", order)
    assert [one["id"] for one in shown["refunds"]] == [first["id"]]
    assert grant["ended_reason"] == "revoked"
    assert await got(desk, f"refunds/{first['id']}") == first
    assert (await got(desk, "refunds", state="settled"))["data"] == []
    assert (await got(desk, "refunds", arrival_id=arrival["id"]))["data"] == [first]
    assert len(payers(desk).refunds) == 1


async def test_a_part_of_an_accounts_money_goes_back(desk: Office) -> None:
    arrived = await came(desk, reference=PHONE)
    path = f"arrivals/{arrived.arrival_id}/refund"
    body = {"amount": money("200"), **WHY}
    await made(desk, path, body, "key-of-refund")
    too_much = await posted(desk, path, {"amount": money("301"), **WHY}, "key-of-more")
    differs = await posted(desk, path, {"amount": money("201"), **WHY}, "key-of-refund")

    assert (await got(desk, f"subscribers/{PHONE}"))["wallet"] == money("300.00")
    assert (too_much.status_code, too_much.json()["code"]) == (409, "not_to_refund")
    assert too_much.json()["errors"][0]["field"] == "amount"
    assert differs.json()["code"] == "idempotency_key_reused"


async def test_what_the_provider_will_not_give_back_is_the_subscribers_again(desk: Office) -> None:
    payers(desk).refund_evidence = Evidence.NOT_SENT
    arrived = await came(desk, reference=PHONE)
    done = await made(desk, f"arrivals/{arrived.arrival_id}/refund", WHY)

    assert done["state"] == "refused"
    assert (await got(desk, f"subscribers/{PHONE}"))["wallet"] == money("500.00")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("reason", {"reason": ""}),
        ("reason", {}),
        ("amount", {"reason": "x", "amount": money("-1")}),
        ("amount", {"reason": "x", "amount": money("0")}),
        ("amount", {"reason": "x", "amount": money("1e3")}),
        ("currency", {"reason": "x", "amount": money("1", "XXX")}),
        ("amount", {"reason": "x", "amount": money("1", "USD")}),
        ("arrival_id", {"reason": "x", "arrival_id": "1"}),
    ],
)
async def test_a_wrong_refund_changes_nothing(
    desk: Office, field: str, body: dict[str, Any]
) -> None:
    arrived = await came(desk, reference=PHONE)
    answer = await refused(desk, f"arrivals/{arrived.arrival_id}/refund", body)

    assert answer.status_code in {409, 422}
    assert answer.json()["errors"][0]["field"] == field
    assert payers(desk).refunds == {}


async def test_refunds_are_paged(desk: Office) -> None:
    for n in range(3):
        desk.clock.forward(seconds=1)
        arrived = await came(desk, f"RECEIPT{n}", reference=PHONE)
        await made(desk, f"arrivals/{arrived.arrival_id}/refund", WHY, f"key-of-refund-{n}")
    first = await got(desk, "refunds", limit="2")
    second = await got(desk, "refunds", limit="2", cursor=first["next_cursor"])

    receipts = [one["of_receipt"] for one in (*first["data"], *second["data"])]
    assert (receipts, second["next_cursor"]) == (["RECEIPT2", "RECEIPT1", "RECEIPT0"], None)


async def test_a_friend_is_asked_to_pay_into_an_account_once(desk: Office) -> None:
    body = {"subscriber": PHONE, "amount": money("500"), "payer": "0722 000 001"}
    asked = await made(desk, "account-payments", body, "key-of-friend")
    again = await posted(desk, "account-payments", body, "key-of-friend")
    path = f"account-payments/{asked['order_id']}"
    await paid(desk)
    done = await got(desk, path)
    listed = await got(desk, "payments")
    account = await got(desk, f"subscribers/{PHONE}")

    assert (asked["stage"], asked["payer"]) == ("prompted", "2547••••001")
    assert again.json() == asked
    assert [push.msisdn for push in payers(desk).pushes] == ["254722000001"]
    assert (done["stage"], done["receipt"]) == ("paid", "SIM0000001")
    assert account["wallet"] == money("500.00")
    assert [(one["purpose"], one["plan_name"]) for one in listed["data"]] == [("account", "")]


@pytest.mark.parametrize(
    ("field", "status", "but"),
    [
        ("subscriber", 404, {"subscriber": "0799999999"}),
        ("amount", 422, {"amount": money("0")}),
        ("amount", 422, {"amount": money("10.50")}),
        ("amount", 422, {"amount": money("250001")}),
        ("amount", 422, {"amount": money("10", "USD")}),
        ("payer", 422, {"payer": "12"}),
        ("payer", 422, {"payer": ""}),
        ("rail", 422, {"rail": "pigeon"}),
        ("colour", 422, {"colour": "red"}),
    ],
)
async def test_a_wrong_request_rings_no_phone(
    desk: Office, field: str, status: int, but: dict[str, Any]
) -> None:
    body = {"subscriber": PHONE, "amount": money("500"), **but}
    answer = await refused(desk, "account-payments", body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert payers(desk).pushes == []


async def test_a_hotspot_order_is_no_payment_for_an_account(desk: Office) -> None:
    order = await bought(desk)
    answer = await asked_of(desk, f"account-payments/{order}", {})

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["arrivals", "refunds", "arrivals/unmatched", "payments/waiting"])
async def test_an_empty_list_is_a_page(office: Office, path: str) -> None:
    assert await got(office, path) == {"data": [], "next_cursor": None}


async def test_a_customer_who_paid_and_is_not_connected_is_shown_with_the_reason(
    desk: Office,
) -> None:
    order = await bought(desk)
    desk.clock.forward(seconds=30)
    (line,) = (await got(desk, "payments/waiting"))["data"]
    desk.clock.forward(minutes=10)
    (later,) = (await got(desk, "payments/waiting"))["data"]

    assert (line["order_id"], line["phone"], line["plan_name"]) == (order, "2547••••678", "2 hours")
    assert (line["receipt"], line["site_id"], line["why"]) == (
        "SIM0000001",
        "estate-1",
        "not_applied",
    )
    assert line["paid_at"] == "2026-11-23T09:00:00Z"
    assert (later["why"], later["waiting"]) == (
        "site_offline",
        "waiting for site, last seen 11:59",
    )


@pytest.mark.parametrize("road", [Road.PULL, Road.CONFIRMATION], ids=["suspense", "doubted"])
@pytest.mark.parametrize(
    ("role", "code"), [(Role.CASHIER, "receipt_used"), (Role.SUPPORT, "receipt_used"),
                       (Role.BILLING, None)],
)  # fmt: skip
async def test_whose_the_money_is_that_is_nobodys_is_said_by_who_books_money(
    desk: Office, road: Road, role: Role, code: str | None
) -> None:
    await came(desk, "000123", rail="cheque", road=road)
    body = {"subscriber": PHONE, "amount": money("500"), "rail": "cheque", "receipt": "000123"}
    async with caller(desk, await a_token(desk, role)) as client:
        headers = {"Idempotency-Key": "key-of-cheque"}
        answer = await client.post("/api/v1/received", json=body, headers=headers)
    kept = (await got(desk, "received"))["data"]

    assert answer.json().get("code") == code
    assert [one["receipt"] for one in kept] == ([] if code else ["000123"])
