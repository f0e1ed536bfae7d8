"""The simulated Airtel Money as a stranger's client finds it: shapes, words, faults."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from controller.sandbox.airtel.faults import SWITCHES, Faults
from controller.sandbox.airtel.settings import AirtelSimSettings, sim_faults
from tests.support.airtel import AirtelWorld, an_airtel, sim_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PUSH = "/merchant/v1/payments/"
REFUND = "/standard/v1/payments/refund"
NAME = "INT7Qm3vX9dT2"


@pytest.fixture
async def airtel() -> AsyncIterator[AirtelWorld]:
    async with an_airtel() as made:
        yield made


async def a_token(airtel: AirtelWorld) -> str:
    told = {
        "client_id": airtel.settings.client_id,
        "client_secret": airtel.settings.client_secret,
        "grant_type": "client_credentials",
    }
    answer = await airtel.http.post(f"{airtel.url}/auth/oauth2/token", json=told)
    return str(answer.json()["access_token"])


async def headers(airtel: AirtelWorld) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {await a_token(airtel)}",
        "X-Country": "KE",
        "X-Currency": "KES",
    }


def a_body(**changes: object) -> dict[str, Any]:
    where: dict[str, object] = {"country": "KE", "currency": "KES"}
    money = {**where, "amount": 50, "id": NAME}
    payer = {**where, "msisdn": "733123456"}
    for name, value in changes.items():
        (payer if name == "msisdn" else money)[name] = value
    return {"reference": "ISP10023", "subscriber": payer, "transaction": money}


async def pushed(airtel: AirtelWorld, **changes: object) -> Any:
    answer = await airtel.http.post(
        airtel.url + PUSH, json=a_body(**changes), headers=await headers(airtel)
    )
    return answer.json()


async def enquired(airtel: AirtelWorld, name: str = NAME) -> Any:
    answer = await airtel.http.get(
        f"{airtel.url}/standard/v1/payments/{name}", headers=await headers(airtel)
    )
    return answer.json()


async def given_back(airtel: AirtelWorld, receipt: str) -> Any:
    answer = await airtel.http.post(
        airtel.url + REFUND,
        json={"transaction": {"airtel_money_id": receipt}},
        headers=await headers(airtel),
    )
    return answer.json()


@pytest.mark.parametrize(("as_number", "life"), [(False, "180"), (True, 7_200)])
async def test_a_token_lives_180_seconds_as_a_text(
    airtel: AirtelWorld, *, as_number: bool, life: object
) -> None:
    await airtel.set_faults(token_as_number=as_number)
    told = {
        "client_id": airtel.settings.client_id,
        "client_secret": airtel.settings.client_secret,
        "grant_type": "client_credentials",
    }
    answer = await airtel.http.post(f"{airtel.url}/auth/oauth2/token", json=told)

    assert answer.json()["expires_in"] == life


async def test_nothing_opens_without_a_living_token(airtel: AirtelWorld) -> None:
    told = await headers(airtel)
    await airtel.told("tokens/kill", {})
    answer = await airtel.http.post(airtel.url + PUSH, json=a_body(), headers=told)

    assert answer.status_code == 401


async def test_a_push_that_was_taken_says_success_and_in_process(airtel: AirtelWorld) -> None:
    answer = await pushed(airtel)

    assert answer["data"]["transaction"] == {"id": NAME, "status": "SUCCESS"}
    assert answer["status"]["success"] is True
    assert answer["status"]["response_code"] == "DP00800001006"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"msisdn": "254733123456"}, "ESB000033"),
        ({"msisdn": "0733123456"}, "ESB000033"),
        ({"msisdn": "733-12345"}, "ESB000036"),
        ({"msisdn": "233123456"}, "ESB000036"),
        ({"amount": "50"}, "ESB000008"),
        ({"amount": 0}, "ESB000008"),
        ({"amount": 50.5}, "ESB000008"),
        ({"currency": "UGX"}, "ESB000008"),
        ({"id": "a b"}, "ESB000008"),
    ],
)
async def test_what_cannot_be_is_refused_by_code(
    airtel: AirtelWorld, changes: dict[str, object], code: str
) -> None:
    answer = await pushed(airtel, **changes)

    assert (answer["status"]["success"], answer["status"]["result_code"]) == (False, code)
    assert await airtel.look("prompts") == []


async def test_another_country_is_turned_away_at_the_gate(airtel: AirtelWorld) -> None:
    told = {**await headers(airtel), "X-Country": "UG"}
    answer = await airtel.http.post(airtel.url + PUSH, json=a_body(), headers=told)

    assert answer.json()["status"]["result_code"] == "ROUTER114"


async def test_a_name_is_good_once(airtel: AirtelWorld) -> None:
    await pushed(airtel)
    answer = await pushed(airtel)

    assert answer["status"]["result_code"] == "ESB000041"
    assert len(await airtel.look("prompts")) == 1


@pytest.mark.parametrize(("as_400", "status"), [(False, 200), (True, 400)])
async def test_a_refusal_may_come_with_either_status(
    airtel: AirtelWorld, *, as_400: bool, status: int
) -> None:
    await airtel.set_faults(refusals_as_400=as_400)
    answer = await airtel.http.post(
        airtel.url + PUSH, json=a_body(amount=0), headers=await headers(airtel)
    )

    assert answer.status_code == status


async def test_an_enquiry_walks_from_in_progress_to_paid(airtel: AirtelWorld) -> None:
    await pushed(airtel)
    before = (await enquired(airtel))["data"]["transaction"]
    await airtel.type_pin()
    await airtel.done()
    after = (await enquired(airtel))["data"]["transaction"]

    assert (before["status"], "airtel_money_id" in before) == ("TIP", False)
    assert (after["status"], after["airtel_money_id"][:2]) == ("TS", "MP")


async def test_what_was_never_pushed_is_not_found(airtel: AirtelWorld) -> None:
    assert (await enquired(airtel))["status"]["response_code"] == "DP00800001025"


async def test_a_prompt_that_nobody_answers_expires() -> None:
    settings = AirtelSimSettings(prompt_life_s=1, working_ms=0)
    async with an_airtel(settings) as airtel:
        await pushed(airtel)
        done = await airtel.done()

        assert (done["status"], done["code"]) == ("TE", "DP00800001029")


async def test_money_moves_once_and_the_sums_agree(airtel: AirtelWorld) -> None:
    await pushed(airtel)
    await airtel.type_pin()
    receipt = (await airtel.done())["receipt"]
    first = await given_back(airtel, receipt)
    second = await given_back(airtel, receipt)
    settled = await airtel.look("settled")

    assert (first["data"]["transaction"]["status"], first["status"]["success"]) == (
        "SUCCESS",
        False,
    )
    assert second["status"]["result_code"] == "ESB000011"
    assert [row["kind"] for row in settled["settled"]] == ["push", "refund"]
    assert settled["shillings_total"] == 0


async def test_a_callback_has_a_code_of_its_own_name(airtel: AirtelWorld) -> None:
    await pushed(airtel)
    await airtel.type_pin()
    told = json.loads((await airtel.shop.received())[0])

    assert set(told) == {"transaction"}
    assert told["transaction"]["status_code"] == "TS"
    assert "status" not in told["transaction"]


async def test_a_callback_may_carry_a_hash_of_its_transaction(airtel: AirtelWorld) -> None:
    await airtel.set_faults(callback_hashed=True)
    await pushed(airtel)
    await airtel.type_pin()
    told = json.loads((await airtel.shop.received())[0])
    covered = json.dumps(told["transaction"], separators=(",", ":")).encode()
    made = hmac.new(airtel.settings.hash_key.encode(), covered, hashlib.sha256).digest()

    assert told["hash"] == base64.b64encode(made).decode()


async def test_a_callback_may_come_twice(airtel: AirtelWorld) -> None:
    await airtel.set_faults(callback_doubled=True)
    await pushed(airtel)
    await airtel.type_pin()
    first, second = await airtel.shop.received(2)

    assert first == second


async def test_a_lost_callback_is_remembered_and_never_sent(airtel: AirtelWorld) -> None:
    await airtel.set_faults(callback_lost=True)
    await pushed(airtel)
    await airtel.type_pin()
    deliveries = await airtel.seen("callbacks", lambda told: told)

    assert (deliveries[0]["kind"], airtel.shop.bodies) == ("lost", [])


async def test_version_1_is_closed_where_signing_is_demanded() -> None:
    async with an_airtel(sim_settings(signed=True)) as airtel:
        answer = await pushed(airtel)

        assert answer["status"]["response_code"] == "DP00800001026"


async def test_a_signature_over_other_bytes_is_refused() -> None:
    async with an_airtel(sim_settings(signed=True)) as airtel:
        told = {**await headers(airtel), "x-signature": "AAAA", "x-key": "AAAA"}
        answer = await airtel.http.post(
            f"{airtel.url}/merchant/v2/payments/", json=a_body(), headers=told
        )

        assert answer.json()["status"]["response_code"] == "DP00800001026"


async def test_every_switch_is_explained(airtel: AirtelWorld) -> None:
    told = await airtel.look("switches")

    assert {switch["name"] for switch in told} == set(Faults.__dataclass_fields__)
    assert {switch.name for switch in SWITCHES if switch.seconds} == {
        name for name, f in Faults.__dataclass_fields__.items() if f.type == "int"
    }


@pytest.mark.parametrize(
    "wanted",
    [{"callback_late_s": -1}, {"callback_late_s": True}, {"callback_lost": 1}, {"no_such": True}],
)
async def test_a_switch_that_cannot_be_is_named(
    airtel: AirtelWorld, wanted: dict[str, object]
) -> None:
    answer = await airtel.http.post(f"{airtel.url}/sim/faults", json=wanted)

    assert (answer.status_code, list(answer.json()["faults"])) == (422, list(wanted))


@pytest.mark.parametrize("url", ["https://isp.example/x", "http://10.0.0.1/", "ftp://127.0.0.1/"])
async def test_callbacks_stay_on_this_machine(airtel: AirtelWorld, url: str) -> None:
    answer = await airtel.http.post(f"{airtel.url}/sim/callback-url", json={"url": url})

    assert answer.status_code == 422


def test_settings_that_cannot_be_are_named() -> None:
    bad = AirtelSimSettings(client_id="", prompt_life_s=0, working_ms=-1, opening_shillings=-1)

    assert [fault.partition(":")[0] for fault in sim_faults(bad)] == [
        "client_id",
        "prompt_life_s",
        "working_ms",
        "opening_shillings",
    ]
