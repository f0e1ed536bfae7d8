"""The list of payments that is pulled, as a merchant's client finds it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clock import Clock
from tests.support.daraja import PAYER
from tests.support.merchant import Merchant, a_merchant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REGISTER = "/pulltransactions/v1/register"
QUERY = "/pulltransactions/v1/query"
NAIROBI = timezone(timedelta(hours=3))
TEXT = "%Y-%m-%d %H:%M:%S"


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    async with a_merchant() as made:
        await registered(made)
        yield made


async def registered(merchant: Merchant, **changes: object) -> tuple[int, Any]:
    body = {
        "ShortCode": "600111",
        "RequestType": "Pull",
        "NominatedNumber": "254700000009",
        "CallBackURL": merchant.door("pull"),
    }
    return await merchant.ask(REGISTER, {**body, **changes})


def a_window(*, now: datetime | None = None, hours: int = 1, offset: int = 0) -> dict[str, str]:
    until = (now or datetime.now(UTC)).astimezone(NAIROBI)
    return {
        "ShortCode": "600111",
        "StartDate": (until - timedelta(hours=hours)).strftime(TEXT),
        "EndDate": until.strftime(TEXT),
        "OffSetValue": str(offset),
    }


async def listed(merchant: Merchant, **window: Any) -> list[dict[str, Any]]:
    status, answer = await merchant.ask(QUERY, a_window(**window))
    assert status == 200, answer
    rows = answer["Response"]
    return [] if rows == "[[]]" else rows[0]


async def test_a_network_that_is_started_again_knows_what_was_registered_before(
    merchant: Merchant,
) -> None:
    confirm_url, validate_url = merchant.door("confirm"), merchant.door("validate")
    told = replace(merchant.world.settings, confirm_url=confirm_url, validate_url=validate_url)
    async with a_merchant(told) as again:
        receipt = await again.paid()
        (body,) = await merchant.at("confirm")
        rows = await listed(again)

    assert (body["TransID"], [row["transactionId"] for row in rows]) == (receipt, [receipt])
    assert len(await merchant.at("validate")) == 1


async def test_a_shortcode_is_registered_once_and_told_so_later(merchant: Merchant) -> None:
    status, again = await registered(merchant)

    assert (status, again["ResponseStatus"]) == (200, "1001")


async def test_the_first_registration_is_1000() -> None:
    async with a_merchant() as merchant:
        status, answer = await registered(merchant, NominatedNumber="0700000009")

    assert (status, answer["ResponseStatus"], answer["ShortCode"]) == (200, "1000", "600111")
    assert set(answer) == {"ResponseRefID", "ResponseStatus", "ShortCode", "ResponseDescription"}


async def test_who_has_not_registered_is_told_nothing() -> None:
    async with a_merchant() as merchant:
        status, answer = await merchant.ask(QUERY, a_window())

    assert (status, answer["errorCode"]) == (400, "400.001")


async def test_a_dead_token_is_a_401_here(merchant: Merchant) -> None:
    status, answer = await merchant.ask(QUERY, a_window(), token="dead")

    assert (status, answer["errorCode"]) == (401, "401.001")


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_rows_stand_in_a_list_within_a_list(merchant: Merchant, method: str) -> None:
    receipt = await merchant.paid()
    status, answer = await merchant.ask(QUERY, a_window(), method=method)
    ((row,),) = answer["Response"]

    assert (status, answer["ResponseCode"]) == (200, "1000")
    assert (row["transactionId"], row["billreference"]) == (receipt, "ISP10023")
    assert set(row) == {
        "transactionId",
        "trxDate",
        "msisdn",
        "sender",
        "transactiontype",
        "billreference",
        "amount",
        "organizationname",
    }


async def test_nothing_is_a_text(merchant: Merchant) -> None:
    _, answer = await merchant.ask(QUERY, a_window())

    assert (answer["ResponseCode"], answer["Response"]) == ("1001", "[[]]")


async def test_a_time_is_nairobis_and_says_that_it_is_not(merchant: Merchant) -> None:
    await merchant.paid()
    (row,) = await listed(merchant)
    told = datetime.strptime(row["trxDate"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=NAIROBI)

    assert abs(told - datetime.now(UTC)) < timedelta(minutes=1)


async def test_amounts_are_numbers_and_texts(merchant: Merchant) -> None:
    for _ in range(2):
        await merchant.paid()

    assert [row["amount"] for row in await listed(merchant)] == ["50.00", 50]


async def test_a_number_is_masked_or_whole(merchant: Merchant) -> None:
    await merchant.paid()
    (masked,) = await listed(merchant)
    await merchant.world.set_faults(payer_plain=True)
    (whole,) = await listed(merchant)

    assert (masked["msisdn"], whole["msisdn"]) == ("2547 ***** 678", int(PAYER))


async def test_a_push_is_listed_too(merchant: Merchant) -> None:
    await merchant.world.gateway().push(merchant.world.push(), datetime.now(UTC))
    merchant.token = ""
    await merchant.world.type_pin()
    await merchant.world.shop.received()
    (row,) = await listed(merchant)

    assert row["billreference"] == "ABC123"


async def test_pages_have_a_hundred_rows(merchant: Merchant) -> None:
    for n in range(103):
        await merchant.paid(shillings=1, msisdn=f"254700000{n:03d}")
    first, second = await listed(merchant), await listed(merchant, offset=100)
    beyond = await listed(merchant, offset=103)

    assert (len(first), len(second), beyond) == (100, 3, [])
    assert len({row["transactionId"] for row in first + second}) == 103


async def test_what_is_outside_the_window_is_not_listed(merchant: Merchant) -> None:
    await merchant.paid()

    assert await listed(merchant, now=datetime.now(UTC) - timedelta(minutes=2)) == []


async def test_older_than_48_hours_is_gone() -> None:
    clock = Clock()
    async with a_merchant(now=clock) as merchant:
        await registered(merchant)
        await merchant.paid()
        clock.advance(47 * 3_600)
        merchant.token = ""
        young = await listed(merchant, now=clock(), hours=60)
        clock.advance(2 * 3_600)
        merchant.token = ""
        old = await listed(merchant, now=clock(), hours=60)

    assert (len(young), old) == (1, [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("StartDate", "2026-07-14"),
        ("EndDate", "2026-07-14T10:00:00Z"),
        ("EndDate", "2020-01-01 00:00:00"),
        ("OffSetValue", "-1"),
        ("OffSetValue", None),
    ],
)
async def test_a_field_that_cannot_be_is_named(
    merchant: Merchant, field: str, value: object
) -> None:
    status, answer = await merchant.ask(QUERY, {**a_window(), field: value})

    assert (status, answer["errorMessage"]) == (400, f"Bad Request - Invalid {field}")


async def test_a_payment_may_be_listed_later() -> None:
    clock = Clock()
    async with a_merchant(now=clock) as merchant:
        await registered(merchant)
        await merchant.world.set_faults(pull_lag_s=120)
        await merchant.paid()
        clock.advance(119)
        early = await listed(merchant, now=clock())
        clock.advance(1)
        late = await listed(merchant, now=clock())

    assert (early, len(late)) == ([], 1)


async def test_some_payments_may_never_be_listed(merchant: Merchant) -> None:
    await merchant.world.set_faults(pull_misses_rows=True)
    receipts = [await merchant.paid() for _ in range(4)]

    assert [row["transactionId"] for row in await listed(merchant)] == [
        receipts[n] for n in (0, 1, 3)
    ]


async def test_an_answer_may_name_itself_otherwise(merchant: Merchant) -> None:
    await merchant.world.set_faults(pull_request_id=True)
    await merchant.paid()
    _, answer = await merchant.ask(QUERY, a_window())

    assert "RequestID" in answer
    assert "ResponseRefID" not in answer


async def test_post_may_not_do(merchant: Merchant) -> None:
    await merchant.world.set_faults(pull_only_get=True)
    post, _ = await merchant.ask(QUERY, a_window())
    get, _ = await merchant.ask(QUERY, a_window(), method="GET")

    assert (post, get) == (404, 200)
