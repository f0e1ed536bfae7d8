"""Daraja's three doors as a stranger's client finds them: shapes, words, order of checks."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daraja import World, a_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PUSH = "/mpesa/stkpush/v1/processrequest"
QUERY = "/mpesa/stkpushquery/v1/query"
STAMP = "20260714123015"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


def a_body(world: World, **changes: object) -> dict[str, object]:
    signed = f"600111{world.settings.passkey}{STAMP}".encode()
    body = {
        "BusinessShortCode": 600111,
        "Password": base64.b64encode(signed).decode(),
        "Timestamp": STAMP,
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 50,
        "PartyA": "254712345678",
        "PartyB": 600111,
        "PhoneNumber": "254712345678",
        "CallBackURL": world.shop.url,
        "AccountReference": "ABC123",
        "TransactionDesc": "Day pass",
    }
    return {**body, **changes}


async def posted(
    world: World, path: str, body: object, *, token: str | None = None
) -> tuple[int, Any]:
    bearer = token if token is not None else await world.token()
    answer = await world.http.post(
        world.url + path, json=body, headers={"Authorization": f"Bearer {bearer}"}
    )
    return answer.status_code, answer.json()


async def test_a_token_has_28_characters_and_its_life_is_a_text(world: World) -> None:
    answer = await world.http.get(
        f"{world.url}/oauth/v1/generate?grant_type=client_credentials",
        auth=(world.settings.consumer_key, world.settings.consumer_secret),
    )

    assert len(answer.json()["access_token"]) == 28
    assert answer.json()["expires_in"] == "3599"


async def test_a_wrong_secret_gets_an_empty_400(world: World) -> None:
    answer = await world.http.get(
        f"{world.url}/oauth/v1/generate?grant_type=client_credentials", auth=("simulated-key", "x")
    )

    assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize(
    ("path", "scheme", "code"),
    [
        ("?grant_type=password", "Basic x", "400.008.02"),
        ("", "Basic x", "400.008.02"),
        ("?grant_type=client_credentials", "Bearer x", "400.008.01"),
    ],
)
async def test_a_wrong_way_to_ask_for_a_token_is_named(
    world: World, path: str, scheme: str, code: str
) -> None:
    answer = await world.http.get(
        f"{world.url}/oauth/v1/generate{path}", headers={"Authorization": scheme}
    )

    assert answer.json()["errorCode"] == code


async def test_a_new_token_kills_the_old_one(world: World) -> None:
    old = await world.token()
    await world.token()
    status, answer = await posted(world, PUSH, a_body(world), token=old)

    assert (status, answer["errorCode"], answer["errorMessage"]) == (
        404,
        "404.001.03",
        "Invalid Access Token",
    )


async def test_an_accepted_push_is_answered_in_texts(world: World) -> None:
    status, answer = await posted(world, PUSH, a_body(world))

    assert status == 200
    assert answer["ResponseCode"] == "0"
    assert answer["CheckoutRequestID"].startswith("ws_CO_")
    assert answer["CheckoutRequestID"].endswith("712345678")
    assert all(isinstance(value, str) for value in answer.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"BusinessShortCode": 600112}, "Merchant does not exist"),
        ({"Password": "x"}, "Wrong credentials"),
        ({"Timestamp": "20260714123016"}, "Wrong credentials"),
    ],
)
async def test_a_wrong_signature_is_an_overloaded_500(
    world: World, changes: dict[str, object], message: str
) -> None:
    status, answer = await posted(world, PUSH, a_body(world, **changes))

    assert (status, answer["errorCode"], answer["errorMessage"]) == (500, "500.001.1001", message)


async def test_a_body_that_is_not_json_is_named(world: World) -> None:
    token = await world.token()
    answers = [
        await world.http.post(
            world.url + PUSH,
            content=content,
            headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
        )
        for content, kind in ((b"{", "application/json"), (b"{}", "text/plain"))
    ]

    assert [a.json()["errorCode"] for a in answers] == ["400.002.05", "400.002.02"]


async def test_a_get_is_told_about_its_header(world: World) -> None:
    answer = await world.http.get(world.url + PUSH)

    assert (answer.status_code, answer.json()["errorCode"]) == (404, "404.001.04")


async def test_a_path_that_is_not_there_is_told_so(world: World) -> None:
    answer = await world.http.post(f"{world.url}/mpesa/c2b/v2/register")

    assert (answer.status_code, answer.json()["errorCode"]) == (404, "404.001.01")


async def test_a_second_push_to_one_phone_finds_it_locked(world: World) -> None:
    await posted(world, PUSH, a_body(world))
    status, answer = await posted(world, PUSH, a_body(world))

    assert status == 500
    assert answer["errorMessage"].startswith("Unable to lock subscriber")


async def test_phones_do_not_lock_each_other(world: World) -> None:
    await posted(world, PUSH, a_body(world))
    status, _ = await posted(world, PUSH, a_body(world, PhoneNumber="254110000000"))

    assert status == 200


@pytest.mark.parametrize("field", ["AccountReference", "TransactionDesc"])
async def test_a_text_that_is_too_long_is_taken_and_never_shown(world: World, field: str) -> None:
    status, _ = await posted(world, PUSH, a_body(world, **{field: "A" * 14}))
    prompts = await world.look("prompts")

    assert (status, prompts[0]["stage"]) == (200, "hidden")


async def test_the_three_shapes_of_pending_are_all_seen(world: World) -> None:
    _, pushed = await posted(world, PUSH, a_body(world))
    body = {**a_body(world), "CheckoutRequestID": pushed["CheckoutRequestID"]}
    seen = [await posted(world, QUERY, body) for _ in range(3)]
    shapes = {(status, a.get("errorMessage"), a.get("ResultCode")) for status, a in seen}

    assert shapes == {
        (500, "The transaction is being processed", None),
        (500, "", None),
        (200, None, "4999"),
    }


async def test_a_query_for_nobodys_id_is_a_500(world: World) -> None:
    status, answer = await posted(world, QUERY, {**a_body(world), "CheckoutRequestID": "ws_CO_1"})

    assert (status, answer["errorMessage"]) == (500, "The transaction does not Exist")


async def test_a_query_answers_the_code_as_text_and_no_receipt(world: World) -> None:
    _, pushed = await posted(world, PUSH, a_body(world))
    await world.type_pin()
    await world.shop.received()
    body = {**a_body(world), "CheckoutRequestID": pushed["CheckoutRequestID"]}
    _, answer = await posted(world, QUERY, body)

    assert answer["ResultCode"] == "0"
    assert set(answer) == {
        "ResponseCode",
        "ResponseDescription",
        "MerchantRequestID",
        "CheckoutRequestID",
        "ResultCode",
        "ResultDesc",
    }
