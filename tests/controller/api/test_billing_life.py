"""A subscription from its start to its end, with its money, by the routes; when all is well."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controller.api.billing import CONTRACT, got, made, money, posted
from tests.support.office import Office, a_site, a_subscriber, caller

PHONE = "0712345678"
START: dict[str, Any] = {
    "subscriber": PHONE,
    "plan_id": "home-20",
    "site_id": "estate-1",
    "mode": "advance",
    "cycle": {"unit": "month", "count": 1},
    "devices": ["02-00-00-00-00-01"],
}


@pytest.fixture
async def home(office: Office) -> Office:
    """A site, a subscriber, and plans for contracts at KES 3,000 and 6,000."""
    await office.keep(a_site(), a_subscriber())
    await made(office, "plans", {**CONTRACT, "price": money("3000")})
    dear = {**CONTRACT, "id": "home-50", "name": "Home 50", "price": money("6000")}
    await made(office, "plans", dear)
    return office


async def started(office: Office, **but: Any) -> dict[str, Any]:
    return await made(office, "subscriptions", {**START, **but}, "key-of-start")


async def the_invoice(office: Office) -> dict[str, Any]:
    page = await got(office, "documents", kind="invoice")
    assert len(page["data"]) == 1
    line: dict[str, Any] = page["data"][0]
    return line


async def test_a_subscription_starts_once_and_is_billed(home: Office) -> None:
    first = await started(home)
    again = await started(home)
    invoice = await the_invoice(home)

    assert again == first
    assert (first["state"], first["phone"], first["devices"]) == (
        "active",
        "254712345678",
        ["02:00:00:00:00:01"],
    )
    assert (invoice["total"], invoice["open"]) == (money("3000.00"), money("3000.00"))
    assert await got(home, f"subscriptions/{first['id']}") == first


async def test_a_prepaid_one_waits_for_money_and_goes_on_when_it_comes(home: Office) -> None:
    waiting = await started(home, mode="prepaid")
    await made(home, "received", {"subscriber": PHONE, "amount": money("3500")}, "key-of-cash")
    serving = await got(home, f"subscriptions/{waiting['id']}")
    account = await got(home, f"subscribers/{PHONE}")

    assert (waiting["state"], waiting["hold"]) == ("suspended", "unpaid")
    assert serving["state"] == "active"
    assert (account["wallet"], account["owed"]) == (money("500.00"), money("0.00"))


async def test_what_brings_service_back_is_said_to_the_cent(home: Office) -> None:
    await made(home, "received", {"subscriber": PHONE, "amount": money("0.50")}, "key-of-coins")
    await started(home, mode="prepaid")
    waiting = await got(home, f"subscribers/{PHONE}")
    await made(home, "received", {"subscriber": PHONE, "amount": waiting["to_pay"]}, "key-of-cash")
    serving = await got(home, f"subscribers/{PHONE}")

    assert waiting["to_pay"] == money("2999.50")
    assert serving["to_pay"] is None
    assert [line["state"] for line in serving["subscriptions"]] == ["active"]


async def test_site_and_devices_of_a_running_one_are_changed_and_its_grant_follows(
    home: Office,
) -> None:
    await home.keep(a_site("estate-2"))
    line = await started(home)
    path = f"subscriptions/{line['id']}"
    await made(home, path, {"devices": ["02:00:00:00:00:0B"]})
    moved = await made(home, path, {"site_id": "estate-2"})
    grant = await got(home, f"grants/{line['grant_id']}")

    assert (moved["site_id"], moved["devices"]) == ("estate-2", ["02:00:00:00:00:0b"])
    assert moved["grant_id"] == line["grant_id"]
    assert grant["devices"] == ["02:00:00:00:00:0b"]
    assert {share["site_id"] for share in grant["sites"]} == {"estate-1", "estate-2"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 1),
        ({"subscriber": PHONE}, 1),
        ({"state": "active"}, 1),
        ({"state": "paused"}, 0),
        ({"site_id": "estate-1"}, 1),
    ],
)
async def test_subscriptions_are_listed(home: Office, query: dict[str, str], found: int) -> None:
    await started(home)

    assert len((await got(home, "subscriptions", **query))["data"]) == found


async def test_a_change_costs_what_was_quoted(home: Office) -> None:
    at = f"subscriptions/{(await started(home))['id']}"
    home.clock.forward(days=10)
    quote = await got(home, f"{at}/quote", plan_id="home-50")
    changed = await made(
        home, f"{at}/change", {"plan_id": "home-50", "quoted": quote["to_pay"]}, "key-of-change"
    )

    assert (quote["credited"], quote["charged"], quote["to_pay"]) == (
        money("2000.00"),
        money("4000.00"),
        money("2000.00"),
    )
    assert quote["next_price"] == money("6000.00")
    assert changed["plan_id"] == "home-50"
    assert (await got(home, f"subscribers/{PHONE}"))["owed"] == money("5000.00")


async def test_a_quote_that_has_changed_is_not_taken(home: Office) -> None:
    at = f"subscriptions/{(await started(home))['id']}"
    answer = await posted(
        home, f"{at}/change", {"plan_id": "home-50", "quoted": money("1")}, "key-of-change"
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "quote_changed")
    assert (await got(home, at))["plan_id"] == "home-20"


async def test_a_change_at_renewal_waits_for_it(home: Office) -> None:
    at = f"subscriptions/{(await started(home))['id']}"
    body = {"plan_id": "home-50", "at_renewal": True}
    changed = await made(home, f"{at}/change", body, "key-of-change")

    assert (changed["plan_id"], changed["next_plan_id"]) == ("home-20", "home-50")


async def test_it_is_paused_resumed_suspended_and_ended(home: Office) -> None:
    at = f"subscriptions/{(await started(home))['id']}"
    states = []
    for verb in ("pause", "resume", "suspend", "resume", "end", "end"):
        body: dict[str, Any] | None = {} if verb in ("pause", "end") else None
        states.append((await made(home, f"{at}/{verb}", body))["state"])

    assert states == ["paused", "active", "suspended", "active", "ended", "ended"]


@pytest.mark.parametrize("verb", ["resume", "suspend"])
@pytest.mark.parametrize("state", ["suspended", "paused", "active"])
async def test_the_grant_of_a_subscription_goes_with_it_and_not_by_itself(
    home: Office, state: str, verb: str
) -> None:
    at = f"subscriptions/{(await started(home))['id']}"
    if state != "active":
        await made(home, f"{at}/{'suspend' if state == 'suspended' else 'pause'}", {})
    (before,) = (await got(home, "grants"))["data"]
    answer = await posted(home, f"grants/{before['id']}/{verb}")

    assert (answer.status_code, answer.json()["code"]) == (409, "grant_of_subscription")
    assert f"{verb} the subscription" in answer.json()["detail"]
    assert (await got(home, "grants"))["data"] == [before]


async def test_what_a_state_cannot_do_is_a_conflict(home: Office) -> None:
    at = f"subscriptions/{(await started(home))['id']}"
    await made(home, f"{at}/end", {})
    answer = await posted(home, f"{at}/resume")

    assert (answer.status_code, answer.json()["code"]) == (409, "subscription_ended")


async def test_money_is_received_once_for_a_key_and_reversed(home: Office) -> None:
    await started(home)
    body = {"subscriber": PHONE, "amount": money("1000"), "rail": "bank", "receipt": "FT1"}
    first = await made(home, "received", body, "key-of-money")
    again = await made(home, "received", body, "key-of-money")
    other = await posted(home, "received", {**body, "amount": money("2000")}, "key-of-other")
    partly = (await the_invoice(home))["open"]
    back = await made(home, f"received/{first['id']}/reverse", {"reason": "bounced"})

    assert again == first
    assert (other.status_code, other.json()["code"]) == (409, "receipt_used")
    assert other.json()["errors"][0]["field"] == "receipt"
    assert partly == money("2000.00")
    assert back["reversed_at"] is not None
    assert (await the_invoice(home))["open"] == money("3000.00")
    assert [one["id"] for one in (await got(home, "received"))["data"]] == [first["id"]]


async def test_an_invoice_is_shown_by_its_number_with_all_that_became_of_it(home: Office) -> None:
    await made(
        home,
        "operator",
        {
            "name": "Kahawa Net",
            "kra_pin": "P051234567X",
            "vat_registered": True,
            "excise_registered": True,
        },
    )
    await started(home)
    note = await made(
        home,
        "documents/INV-main-000001/credit",
        {"amount": money("333.33"), "reason": "no service on Monday"},
        "key-of-credit",
    )
    shown = await got(home, "documents/INV-main-000001")

    (line,) = shown["lines"]
    assert (line["net"], line["excise"], line["vat"], line["total"]) == (
        money("2248.88"),
        money("337.33"),
        money("413.79"),
        money("3000.00"),
    )
    assert shown["printed"]["seller"]["pin"] == "P051234567X"
    assert shown["open"] == money("2666.67")
    assert [one["number"] for one in shown["credit_notes"]] == [note["number"]]
    assert (note["number"], note["total"]) == ("CRN-main-000001", money("333.33"))
    assert (note["refers_to"], note["lines"][0]["text"]) == (
        shown["id"],
        "Credit: no service on Monday",
    )


async def test_a_credit_of_all_ends_a_debt_and_gives_back_what_was_paid(home: Office) -> None:
    await started(home)
    await made(home, "received", {"subscriber": PHONE, "amount": money("1000")}, "key-of-cash")
    body = {"reason": "billed twice"}
    first = await made(home, "documents/INV-main-000001/credit", body, "key-of-credit")
    again = await made(home, "documents/INV-main-000001/credit", body, "key-of-credit")
    account = await got(home, f"subscribers/{PHONE}")

    assert again == first
    assert first["total"] == money("3000.00")
    assert (account["wallet"], account["owed"]) == (money("1000.00"), money("0.00"))


async def test_a_credit_lets_a_service_go_on_that_a_debt_had_stopped(home: Office) -> None:
    subscription = await started(home)
    home.clock.forward(days=20)
    await made(home, "billing-runs/now")
    stopped = await got(home, f"subscriptions/{subscription['id']}")
    invoices = (await got(home, "documents", kind="invoice"))["data"]
    for n, invoice in enumerate(invoices):
        path = f"documents/{invoice['number']}/credit"
        await made(home, path, {"reason": "our fault"}, f"key-of-credit-{n}")
    serving = await got(home, f"subscriptions/{subscription['id']}")

    assert (stopped["state"], stopped["hold"], serving["state"]) == ("suspended", "debt", "active")


async def test_a_debt_is_promised_paid_in_parts_and_written_off(home: Office) -> None:
    await started(home)
    at = "documents/INV-main-000001"
    promised = await made(home, f"{at}/promise", {"day": "2026-12-05"})
    parts = {"count": 3, "first_due": "2026-12-05T00:00:00+03:00"}
    agreed = await made(home, f"{at}/instalments", parts)
    lost = await made(home, f"{at}/write-off", {"reason": "moved away"}, "key-of-loss")

    assert promised["promised_until"] == "2026-12-05T21:00:00Z"
    assert [part["amount"] for part in agreed["instalments"]] == [money("1000.00")] * 3
    assert lost["open"] == money("0.00")
    assert (await got(home, "debts"))["data"] == []


async def test_debts_are_listed_the_oldest_first(home: Office) -> None:
    await started(home)
    other = {**START, "cycle": {"unit": "day", "count": 20}}
    home.clock.forward(days=1)
    await made(home, "subscriptions", other, "key-of-other")
    first = await got(home, "debts", limit="1")
    second = await got(home, "debts", cursor=first["next_cursor"])
    overdue = await got(home, "debts", overdue="true")
    home.clock.forward(days=40)
    await made(home, "billing-runs/now")
    late = await got(home, "debts", subscriber=PHONE, branch_id="main", recovery="true")

    numbers = [one["number"] for one in (*first["data"], *second["data"])]
    assert numbers == ["INV-main-000001", "INV-main-000002"]
    assert (first["data"][0]["bucket"], overdue["data"]) == ("not_due", [])
    assert (late["data"][0]["bucket"], late["data"][0]["in_recovery"]) == ("31-60", True)


async def test_wallets_are_put_right_and_money_moves_to_a_friend(home: Office) -> None:
    await made(home, "subscribers", {"phone": "0722000001"}, "key-of-friend")
    gift = {"amount": money("200"), "reason": "sorry for Monday"}
    held = await made(home, f"subscribers/{PHONE}/adjust", gift, "key-of-gift")
    sent = {"target": "0722000001", "amount": money("150")}
    left = await made(home, f"subscribers/{PHONE}/transfer", sent, "key-of-transfer")
    short = await posted(home, f"subscribers/{PHONE}/transfer", sent, "key-of-second")

    assert (held["wallet"], left["wallet"]) == (money("200.00"), money("50.00"))
    assert (await got(home, "subscribers/0722000001"))["wallet"] == money("150.00")
    assert (short.status_code, short.json()["code"]) == (409, "wallet_too_low")


DISCOUNT = {"id": "karibu", "name": "Karibu", "discount": {"basis_points": 2_000, "periods": 3}}
COUPON = {
    "name": "Krismasi",
    "coupon": {"code": "XMAS26", "uses_max": 1, "discount": {"amount": money("500")}},
}
REFERRAL = {
    "id": "friends",
    "name": "Friends",
    "referral": {"referrer": money("200"), "referred": money("100")},
}
LOYALTY = {
    "id": "loyal",
    "name": "Loyal",
    "loyalty": {"every_invoices": 12, "reward": money("500"), "scope": {"plans": ["home-20"]}},
}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (DISCOUNT, "discount"),
        (COUPON, "coupon"),
        (REFERRAL, "referral"),
        (LOYALTY, "loyalty"),
    ],
)
async def test_promotions_of_every_kind_are_made_once_and_withdrawn(
    office: Office, body: dict[str, Any], kind: str
) -> None:
    first = await made(office, "promotions", body)
    again = await made(office, "promotions", body)
    gone = await made(office, f"promotions/{first['id']}/withdraw")

    assert (first["kind"], again["id"]) == (kind, first["id"])
    assert gone["withdrawn_at"] is not None
    assert (await got(office, "promotions"))["data"] == [gone]


async def test_a_discount_lowers_the_next_invoice(home: Office) -> None:
    await made(home, "promotions", DISCOUNT)
    body = {"promotion_id": "karibu"}
    taken = await made(home, f"subscribers/{PHONE}/promotions", body, "key-of-taking")
    await started(home)

    assert taken["periods_left"] == 3
    assert (await the_invoice(home))["total"] == money("2400.00")


async def test_a_coupon_is_used_up(home: Office) -> None:
    await made(home, "promotions", COUPON)
    await made(home, "subscribers", {"phone": "0722000001"}, "key-of-friend")
    body = {"code": "xmas-26"}
    await made(home, f"subscribers/{PHONE}/promotions", body, "key-of-taking")
    late = await posted(home, "subscribers/0722000001/promotions", body, "key-of-late")

    assert (late.status_code, late.json()["code"]) == (409, "promotion_used_up")


async def test_a_policy_of_dunning_is_set_and_listed(office: Office) -> None:
    policy = {
        "segment": "business",
        "terms_days": 30,
        "steps": [
            {"kind": "remind", "after_days": -3, "fee": None},
            {"kind": "fee", "after_days": 5, "fee": money("100.00")},
        ],
    }
    await made(office, "dunning-policies", policy)
    listed = (await got(office, "dunning-policies"))["data"]

    assert [one["segment"] for one in listed] == ["", "business"]
    assert listed[1] == policy


async def test_a_run_is_previewed_done_and_listed(home: Office) -> None:
    await started(home, begins_at="2026-11-24T00:00:00+03:00")
    ahead = await got(home, "billing-runs/preview")
    untouched = (await got(home, "documents"))["data"]
    home.clock.forward(days=1)
    done = await made(home, "billing-runs/now")
    runs = (await got(home, "billing-runs"))["data"]

    assert (ahead["invoices"], ahead["amount"]) == (1, money("3000.00"))
    assert ahead["billed"]["named"][0]["phone"] == "254712345678"
    assert "1 subscriber will be billed" in ahead["sentences"]
    assert untouched == []
    assert done["billed"] == 1
    assert [one["done"]["invoices"] for one in runs] == [1]


async def test_another_segment_keeps_how_far_dunning_has_come(home: Office) -> None:
    policy = {
        "segment": "business",
        "terms_days": 7,
        "steps": [{"kind": "suspend", "after_days": 30}],
    }
    await made(home, "dunning-policies", policy)
    subscription = await started(home)
    home.clock.forward(days=12)
    await made(home, "billing-runs/now")
    await made(home, f"subscribers/{PHONE}", {"segment": "business"})
    home.clock.forward(days=8)
    await made(home, "billing-runs/now")
    still = await got(home, f"subscriptions/{subscription['id']}")
    home.clock.forward(days=20)
    await made(home, "billing-runs/now")
    then = await got(home, f"subscriptions/{subscription['id']}")

    assert (still["state"], then["state"]) == ("active", "suspended")


async def test_a_document_is_asked_for_by_staff_only(home: Office) -> None:
    await started(home)
    async with caller(home, None) as client:
        answer = await client.get("/api/v1/documents/INV-main-000001")

    assert answer.status_code == 401
