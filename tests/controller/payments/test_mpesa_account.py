"""All else that Daraja does, by the real client over a scripted wire."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from structlog.testing import capture_logs

from billing.errors import InvalidField
from billing.money import Money
from billing.msisdn import Msisdn
from controller.payments.gateway import AnswerLostError, GatewayError, ProviderError
from controller.payments.mpesa_account import MpesaAccount
from controller.payments.mpesa_c2b import Registered
from controller.payments.mpesa_initiator import Acked
from controller.payments.mpesa_settings import Initiator
from controller.payments.tokens import MemoryTokenStore
from tests.controller.payments.test_mpesa_client import Wire, error
from tests.controller.payments.test_mpesa_initiator import ACK, RESULT_URL
from tests.controller.payments.test_mpesa_pull import ROW, answered
from tests.controller.payments.test_mpesa_ratiba import ACK as ORDERED
from tests.controller.payments.test_mpesa_ratiba import PNG, an_order
from tests.controller.payments.test_mpesa_settings import SECRETS, an_account, an_initiator
from tests.support.certificates import rsa_keys
from tests.support.daraja import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOUR = timedelta(hours=1)
NONE = json.dumps({"ResponseCode": "1001", "Response": "[[]]"}).encode()


@asynccontextmanager
async def opened(wire: Wire, **told: Any) -> AsyncIterator[MpesaAccount]:
    settings = an_account(**{"initiator": an_initiator(), **told})
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(wire.take)) as http:
        yield MpesaAccount(settings, http=http, tokens=MemoryTokenStore())


def answer(body: object, status: int = 200) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.Response(status, content=content)


def rows(count: int, *, first: int = 0) -> bytes:
    return answered([[{**ROW, "transactionId": f"UGE{first + i:07d}"} for i in range(count)]])


def sent(wire: Wire, n: int = 0) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(wire.posts[n].content)
    return told


async def test_addresses_are_registered_and_once_is_enough() -> None:
    wire = Wire(
        answer({"ResponseCode": "0"}), error(500, "500.003.1001", "Urls are already registered.")
    )
    async with opened(wire) as account:
        told = [await account.register_urls("https://a/c", "https://a/v", NOON) for _ in range(2)]

    assert told == [Registered(is_new=True), Registered(is_new=False)]
    assert wire.posts[0].url.path == "/mpesa/c2b/v2/registerurl"


async def test_a_pull_reads_page_after_page_until_there_is_none() -> None:
    wire = Wire(answer(rows(100)), answer(rows(37, first=100)), answer(NONE))
    async with opened(wire) as account:
        seen = await account.pull(NOON - HOUR, NOON, NOON)

    assert len({s.receipt for s in seen}) == 137
    assert [sent(wire, n)["OffSetValue"] for n in range(3)] == ["0", "100", "137"]


async def test_a_pull_of_nothing_is_one_question() -> None:
    wire = Wire(answer(NONE))
    async with opened(wire) as account:
        assert await account.pull(NOON - HOUR, NOON, NOON) == ()


async def test_a_pull_whose_offset_is_ignored_ends() -> None:
    wire = Wire(answer(rows(3)), answer(rows(3)))
    async with opened(wire) as account:
        assert len(await account.pull(NOON - HOUR, NOON, NOON)) == 3


async def test_an_odd_page_hides_none_after_it() -> None:
    odd = answered([[{**ROW, "amount": None}]])
    wire = Wire(answer(odd), answer(rows(1)), answer(NONE))
    with capture_logs() as logs:
        async with opened(wire) as account:
            seen = await account.pull(NOON - HOUR, NOON, NOON)

    assert len(seen) == 1
    assert [(log["event"], log["rows"], log["read"]) for log in logs] == [
        ("mpesa.pull.odd_rows", 2, 1)
    ]


async def test_a_pull_reaches_back_two_days_and_not_into_the_future() -> None:
    wire = Wire(answer(NONE))
    async with opened(wire) as account:
        await account.pull(NOON - 100 * HOUR, NOON + HOUR, NOON)

    assert (sent(wire)["StartDate"], sent(wire)["EndDate"]) == (
        "2026-07-12 12:30:15",
        "2026-07-14 12:30:15",
    )


async def test_a_pull_of_what_is_too_long_ago_asks_nobody() -> None:
    wire = Wire()
    async with opened(wire) as account:
        assert await account.pull(NOON - 100 * HOUR, NOON - 90 * HOUR, NOON) == ()


@pytest.mark.parametrize(("status", "code"), [(405, "405.001"), (404, "404.001.04")])
async def test_a_pull_is_asked_by_get_where_post_is_refused(status: int, code: str) -> None:
    wire = Wire(error(status, code), answer(rows(1)), answer(NONE), answer(NONE))
    async with opened(wire) as account:
        seen = await account.pull(NOON - HOUR, NOON, NOON)
        await account.pull(NOON - HOUR, NOON, NOON)

    assert len(seen) == 1
    assert [post.method for post in wire.posts] == ["POST", "GET", "GET", "GET"]
    assert sent(wire, 1)["ShortCode"] == "600111"


async def test_a_pull_that_breaks_in_the_middle_is_an_error_and_not_a_short_list() -> None:
    wire = Wire(answer(rows(100)), *[httpx2.Response(502)] * 3)
    async with opened(wire) as account:
        with pytest.raises(GatewayError):
            await account.pull(NOON - HOUR, NOON, NOON)


async def test_money_of_a_till_is_pulled_by_the_store_and_lies_at_the_till() -> None:
    wire = Wire(answer(rows(1)), answer(NONE))
    async with opened(wire, till="5123456") as account:
        seen = await account.pull(NOON - HOUR, NOON, NOON)

    assert (sent(wire)["ShortCode"], seen[0].place) == ("600111", "5123456")


async def test_leave_to_pull_is_asked_with_the_number_in_both_forms() -> None:
    wire = Wire(
        error(400, "400.002.02", "Invalid NominatedNumber"), answer({"ResponseStatus": "1000"})
    )
    async with opened(wire, nominated_number=Msisdn("254700000009")) as account:
        assert await account.register_pull("https://pay.example.co.ke/x", NOON)

    assert [sent(wire, n)["NominatedNumber"] for n in range(2)] == ["254700000009", "0700000009"]


async def test_leave_to_pull_needs_a_number() -> None:
    async with opened(Wire()) as account:
        with pytest.raises(GatewayError, match="no-nominated-number"):
            await account.register_pull("https://pay.example.co.ke/x", NOON)


async def test_leave_to_pull_that_nobody_gives_is_an_error() -> None:
    wire = Wire(*[error(400, "400.002.02", "Invalid NominatedNumber")] * 2)
    async with opened(wire, nominated_number=Msisdn("254700000009")) as account:
        with pytest.raises(ProviderError):
            await account.register_pull("https://pay.example.co.ke/x", NOON)


async def test_a_status_is_asked_with_a_password_that_safaricom_alone_reads() -> None:
    wire = Wire(answer(ACK))
    async with opened(wire) as account:
        acked = await account.ask_status("UGE5L8M3RZ", RESULT_URL, NOON)

    assert acked == Acked("AG_20260714_20100e1d2c3b4a596877", "515-5258779-3")
    assert rsa_keys().read(sent(wire)["SecurityCredential"]) == SECRETS[3]


async def test_a_status_may_be_asked_by_conversation() -> None:
    wire = Wire(answer(ACK))
    async with opened(wire) as account:
        await account.ask_status("", RESULT_URL, NOON, conversation_id="0f" * 16)

    assert sent(wire)["OriginalConversationID"] == "0f" * 16


async def test_a_question_is_asked_again_after_trouble() -> None:
    wire = Wire(httpx2.ReadTimeout, error(500, "500.003.02", "Spike Arrest"), answer(ACK))
    async with opened(wire) as account:
        acked = await account.ask_balance(RESULT_URL, NOON)

    assert (acked.originator_id, len(wire.posts)) == ("515-5258779-3", 3)


async def test_a_question_that_stays_too_much_is_given_up() -> None:
    wire = Wire(*[error(429, "429")] * 3)
    async with opened(wire) as account:
        with pytest.raises(ProviderError):
            await account.ask_balance(RESULT_URL, NOON)

    assert len(wire.posts) == 3


async def test_without_an_initiator_nothing_is_asked() -> None:
    async with opened(Wire(), initiator=None) as account:
        with pytest.raises(GatewayError, match="no-initiator"):
            await account.ask_status("UGE5L8M3RZ", RESULT_URL, NOON)
        with pytest.raises(GatewayError, match="no-initiator"):
            await account.ask_balance(RESULT_URL, NOON)


async def test_a_certificate_that_is_none_is_told_when_it_is_configured() -> None:
    with pytest.raises(InvalidField) as told:
        async with opened(Wire(), initiator=Initiator("apiuser1", "password", "no certificate")):
            pass

    assert told.value.field == "certificate"


async def test_a_code_is_an_image() -> None:
    wire = Wire(answer({"ResponseCode": "00", "QRCode": base64.b64encode(PNG).decode()}))
    async with opened(wire) as account:
        assert await account.qr("ISP10023", Money(150_000), NOON) == PNG


async def test_a_standing_order_is_asked_for() -> None:
    wire = Wire(answer(ORDERED))
    async with opened(wire) as account:
        assert await account.standing_order(an_order(), NOON) == Acked("4dd9b5d9", "")


@pytest.mark.parametrize("broken", [httpx2.ReadTimeout, 500, 502])
async def test_a_standing_order_that_may_have_been_taken_is_asked_for_once(
    broken: type[Exception] | int,
) -> None:
    first = httpx2.Response(broken) if isinstance(broken, int) else broken
    wire = Wire(first, answer(ORDERED))
    async with opened(wire) as account:
        with pytest.raises(AnswerLostError):
            await account.standing_order(an_order(), NOON)

    assert len(wire.posts) == 1


async def test_a_standing_order_that_was_turned_away_is_another_error() -> None:
    wire = Wire(error(400, "400.002.02", "Invalid Frequency"))
    async with opened(wire) as account:
        with pytest.raises(ProviderError):
            await account.standing_order(an_order(), NOON)


async def test_an_account_shows_no_secret() -> None:
    async with opened(Wire()) as account:
        assert repr(account) == "MpesaAccount(600111)"
