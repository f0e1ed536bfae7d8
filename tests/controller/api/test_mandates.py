"""Auto-pay over HTTP: a card that is agreed to, its consent shown and ended; standing orders."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.period import day_of
from controller.payments.gateway import StoredCard, Trust
from controller.payments.memory import MemoryGateway
from controller.usecases.settle import take_callback
from tests.controller.api.billing import got, made, money, posted, refused
from tests.support.builders import token_in
from tests.support.cards import EMAIL, TOKEN
from tests.support.charges import ANNE, a_subscriber
from tests.support.daraja import a_world
from tests.support.office import NOON, Office, caller
from tests.support.standing_orders import an_account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.daraja import World as Network

PHONE = "254700000001"
CARD: dict[str, Any] = {"amount": money("100.00"), "consent": "signed the form"}
ORDER: dict[str, Any] = {
    "amount": money("300.00"),
    "frequency": "monthly",
    "starts_on": day_of(NOON).isoformat(),
    "ends_on": (day_of(NOON) + timedelta(days=300)).isoformat(),
    "consent": "asked for it by phone",
}


@pytest.fixture
async def anne(office: Office) -> Office:
    """Anne, who has an account and an address, and a controller with a rail for cards."""
    await a_subscriber(office.deps, msisdn=PHONE, email=EMAIL)
    cards = MemoryGateway(rail="card", place="LANGO", trust=Trust.SIGNED)
    return replace(office, deps=replace(office.deps, more_gateways=(cards,), cards=cards))


@pytest.fixture
async def phone(anne: Office) -> AsyncIterator[tuple[Office, Network]]:
    """Anne's phone in a simulated network."""
    async with a_world(now=anne.clock) as network:
        account = an_account(network, "http://127.0.0.1:9")
        yield replace(anne, deps=replace(anne.deps, mpesa=account)), network


async def paid(office: Office, consent: str) -> None:
    """The first payment is made with a card that may be charged again."""
    cards = office.deps.cards
    assert isinstance(cards, MemoryGateway)
    cards.cards[consent] = StoredCard(TOKEN, EMAIL, "visa …4081, 12/2030")
    (name,) = cards.asked
    cards.pay(name, office.clock())
    await take_callback(
        office.deps,
        token=token_in(cards.asked[name].push.callback_url),
        body=cards.callback(name),
        source="52.31.139.75",
    )


async def test_a_card_is_agreed_to_shown_and_cancelled(anne: Office) -> None:
    asked = await made(anne, "subscribers/0700000001/mandates/card", CARD)
    await paid(anne, asked["id"])
    (listed,) = (await got(anne, f"subscribers/{ANNE}/mandates"))["data"]
    ended = await made(anne, f"mandates/{asked['id']}/cancel", {"reason": "moves away"})
    again = await made(anne, f"mandates/{asked['id']}/cancel", {"reason": "another"})

    assert (asked["state"], asked["stage"], asked["order_id"]) == ("asked", "prompted", asked["id"])
    assert (listed["state"], listed["label"]) == ("active", "visa …4081, 12/2030")
    assert (listed["amount"], listed["next_at"]) == (None, "2026-11-24T05:00:00Z")
    assert (ended["state"], ended["end_reason"], ended["next_at"]) == (
        "cancelled",
        "moves away",
        None,
    )
    assert again == ended == await got(anne, f"mandates/{asked['id']}")


async def test_the_card_itself_is_in_no_answer(anne: Office) -> None:
    asked = await made(anne, f"subscribers/{PHONE}/mandates/card", CARD)
    await paid(anne, asked["id"])
    told = await got(anne, f"subscribers/{PHONE}/mandates")

    assert TOKEN not in str(told)
    assert "sealed" not in str(told)


async def test_the_same_key_opens_one_page(anne: Office) -> None:
    body = {**CARD, "most": money("500.00")}
    first = await posted(anne, f"subscribers/{PHONE}/mandates/card", body)
    again = await posted(anne, f"subscribers/{PHONE}/mandates/card", body)
    other = await posted(anne, f"subscribers/{PHONE}/mandates/card", CARD)
    cards = anne.deps.cards

    assert first.json() == again.json()
    assert first.json()["amount"] == money("500.00")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert isinstance(cards, MemoryGateway)
    assert len(cards.pushes) == 1


async def test_a_page_to_pay_at_is_told(anne: Office) -> None:
    class Paged(MemoryGateway):
        """Whose payers go on at a page."""

        async def push(self, push: Any, now: Any) -> Any:
            """Taken, at that page."""
            return replace(await super().push(push, now), pay_at="https://pay.example/abc")

    cards = Paged(rail="card", place="LANGO", trust=Trust.SIGNED)
    paged = replace(anne, deps=replace(anne.deps, more_gateways=(cards,), cards=cards))
    asked = await made(paged, f"subscribers/{PHONE}/mandates/card", CARD)

    assert asked["pay_at"] == "https://pay.example/abc"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("amount", {"amount": money("0.00")}),
        ("amount", {"amount": money("10.50")}),
        ("amount", {"amount": money("250001.00")}),
        ("currency", {"amount": money("10.00", "XXX")}),
        ("most", {"most": money("0.50")}),
        ("consent", {"consent": ""}),
        ("consent", {"consent": "two\nlines"}),
        ("consent", {"consent": "x" * 201}),
        ("colour", {"colour": "red"}),
    ],
)
async def test_a_card_that_cannot_be_names_its_field_and_changes_nothing(
    anne: Office, field: str, change: dict[str, Any]
) -> None:
    answer = await refused(anne, f"subscribers/{PHONE}/mandates/card", {**CARD, **change})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("amount", {"amount": money("10.50")}),
        ("frequency", {"frequency": "hourly"}),
        ("starts_on", {"starts_on": "2026-11-22"}),
        ("starts_on", {"starts_on": "9999-12-31"}),
        ("starts_on", {"starts_on": "soon"}),
        ("ends_on", {"ends_on": "2026-11-22"}),
        ("ends_on", {"ends_on": "9999-12-31"}),
        ("consent", {"consent": " "}),
    ],
)
async def test_an_order_that_cannot_be_names_its_field_and_asks_nobody(
    phone: tuple[Office, Network], field: str, change: dict[str, Any]
) -> None:
    anne, network = phone
    answer = await refused(anne, f"subscribers/{PHONE}/mandates/order", {**ORDER, **change})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert await network.look("prompts") == []


async def test_a_phone_is_asked_for_a_standing_order(phone: tuple[Office, Network]) -> None:
    anne, network = phone
    asked = await made(anne, f"subscribers/{PHONE}/mandates/order", ORDER)
    again = await made(anne, f"subscribers/{PHONE}/mandates/order", ORDER)
    prompts = await network.look("prompts")

    assert asked == again
    assert (asked["kind"], asked["state"], asked["frequency"]) == ("order", "asked", "monthly")
    assert (asked["amount"], asked["ends_on"]) == (money("300.00"), ORDER["ends_on"])
    assert [prompt["kind"] for prompt in prompts] == ["order"]


async def test_without_its_rail_there_is_no_auto_pay(office: Office) -> None:
    await a_subscriber(office.deps, msisdn=PHONE, email=EMAIL)
    answers = [
        await refused(office, f"subscribers/{PHONE}/mandates/card", CARD),
        await refused(office, f"subscribers/{PHONE}/mandates/order", ORDER),
    ]

    assert [one.status_code for one in answers] == [422, 422]
    assert [one.json()["errors"][0]["field"] for one in answers] == ["rail", "rail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "subscribers/0799999999/mandates", None),
        ("POST", "subscribers/0799999999/mandates/card", CARD),
        ("GET", "mandates/nothing", None),
        ("POST", "mandates/nothing/cancel", {"reason": "moves away"}),
    ],
)
async def test_what_is_not_there_is_not_found(
    anne: Office, method: str, path: str, body: dict[str, Any] | None
) -> None:
    async with caller(anne) as client:
        headers = {"Idempotency-Key": "key-00000001"}
        answer = await client.request(method, f"/api/v1/{path}", json=body, headers=headers)

    assert answer.status_code == 404


async def test_who_has_no_auto_pay_has_an_empty_list(anne: Office) -> None:
    assert await got(anne, f"subscribers/{ANNE}/mandates") == {"data": [], "next_cursor": None}
