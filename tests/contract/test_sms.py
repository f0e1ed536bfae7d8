"""What every `Sms` does: the fake that ships, and two carriers over real loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest
from structlog.testing import capture_logs

from billing.msisdn import Msisdn
from controller.notify.absent import AbsentSms
from controller.notify.africas_talking import AfricasTalkingSms
from controller.notify.africas_talking_wire import AfricasTalkingSettings
from controller.notify.http_sms import HttpSms
from controller.notify.http_sms_wire import HttpSmsSettings
from controller.notify.memory import MemorySms, Scripted
from controller.notify.sms import SmsNotSent, SmsRefused, SmsUnsure
from tests.support.daraja import PAYER, World, a_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.notify.sms import Sms

TEXT = "0123-4567-8901-2345-6789 is your code & it's 100% good"
FIRST, SECOND = "a" * 32, "b" * 32


class Carrier(Protocol):
    """A carrier, and the phones on the other end of it."""

    @property
    def sms(self) -> Sms: ...
    async def inbox(self) -> list[str]: ...
    async def goes_down(self) -> None: ...
    async def loses_the_answer(self) -> None: ...


@dataclass(slots=True)
class MemoryCarrier:
    sms: MemorySms

    async def inbox(self) -> list[str]:
        return self.sms.to(PAYER)

    async def goes_down(self) -> None:
        self.sms.script(Scripted.DOWN)

    async def loses_the_answer(self) -> None:
        self.sms.script(Scripted.LOSE)


@dataclass(slots=True)
class SimulatedCarrier:
    world: World
    sms: Sms

    async def inbox(self) -> list[str]:
        told = await self.world.look(f"lines/{PAYER}/messages")
        return [str(message["text"]) for message in reversed(told)]

    async def goes_down(self) -> None:
        await self.world.set_faults(sms_bad_sender=True)

    async def loses_the_answer(self) -> None:
        await self.world.set_faults(sms_no_answer=True)


def a_client(world: World, *, api_key: str = "trial-sms-key") -> AfricasTalkingSms:
    """The real client, pointed at the simulated carrier."""
    account = AfricasTalkingSettings(world.url, "sandbox", api_key, "LANGO")
    return AfricasTalkingSms(account, http=world.http, answer_timeout_s=0.5)


ISMS = {
    "apikey": "{key}",
    "partnerID": "123",
    "message": "{text}",
    "shortcode": "{sender}",
    "mobile": "{phone}",
    "clientsmsid": "{id}",
}


def by_http(world: World, *, api_key: str = "trial-sms-key") -> HttpSms:
    """The generic client, told how the resellers' platform is spoken."""
    account = HttpSmsSettings(
        url=f"{world.url}/api/services/sendsms/",
        fields=ISMS,
        api_key=api_key,
        sender_id="LANGO",
        code_at=("responses.0.respose-code", "responses.0.response-code"),
        name_at=("responses.0.messageid",),
        refused=frozenset({"1003"}),
        later=frozenset({"1001", "1004", "1006"}),
        part_cost_e4=6_000,
    )
    return HttpSms(account, http=world.http, answer_timeout_s=0.5)


@asynccontextmanager
async def memory() -> AsyncIterator[Carrier]:
    yield MemoryCarrier(MemorySms())


@asynccontextmanager
async def simulated() -> AsyncIterator[Carrier]:
    async with a_world() as world:
        yield SimulatedCarrier(world, a_client(world))


@asynccontextmanager
async def generic() -> AsyncIterator[Carrier]:
    async with a_world() as world:
        yield SimulatedCarrier(world, by_http(world))


@pytest.fixture(params=[memory, simulated, generic], ids=["memory", "africas-talking", "http"])
async def carrier(request: pytest.FixtureRequest) -> AsyncIterator[Carrier]:
    async with request.param() as made:
        yield made


async def test_a_message_arrives_letter_by_letter_and_has_a_name(carrier: Carrier) -> None:
    sent = await carrier.sms.send(PAYER, TEXT, FIRST)

    assert sent.name
    assert (sent.cost_e4 or 0) > 0
    assert await carrier.inbox() == [TEXT]


async def test_a_message_that_was_not_taken_is_certain_not_to_have_left(carrier: Carrier) -> None:
    await carrier.goes_down()
    with pytest.raises(SmsNotSent):
        await carrier.sms.send(PAYER, TEXT, FIRST)

    assert await carrier.inbox() == []


async def test_a_lost_answer_is_doubt_and_the_message_may_have_left(carrier: Carrier) -> None:
    await carrier.loses_the_answer()
    with pytest.raises(SmsUnsure):
        await carrier.sms.send(PAYER, TEXT, SECOND)

    assert await carrier.inbox() == [TEXT]


async def test_without_an_account_every_message_is_refused_for_good() -> None:
    with pytest.raises(SmsRefused, match="absent"):
        await AbsentSms().send(PAYER, TEXT, FIRST)


async def test_a_wrong_key_is_no_message_and_stands_in_no_error() -> None:
    async with a_world() as world:
        with pytest.raises(SmsNotSent) as refused:
            await a_client(world, api_key="very-wrong").send(PAYER, TEXT, FIRST)

    assert str(refused.value) == "unauthorised"
    assert "very-wrong" not in repr(a_client(world, api_key="very-wrong"))


async def test_a_number_that_cannot_be_is_refused_for_good() -> None:
    async with a_world() as world:
        with pytest.raises(SmsRefused, match="InvalidPhoneNumber"):
            await a_client(world).send(Msisdn("255712345678"), TEXT, FIRST)


async def test_a_carrier_that_nobody_reaches_took_nothing() -> None:
    async with a_world() as world:
        account = AfricasTalkingSettings("http://127.0.0.1:9", "sandbox", "key")
        with pytest.raises(SmsNotSent, match="ConnectError"):
            await AfricasTalkingSms(account, http=world.http).send(PAYER, TEXT, FIRST)


CODES = """
sms_bad_sender  SmsNotSent  1001
sms_no_credit   SmsNotSent  1004
sms_down        SmsUnsure   http-502
"""


@pytest.mark.parametrize("line", CODES.split("\n")[1:-1])
async def test_each_code_of_the_platform_has_its_meaning(line: str) -> None:
    fault, kind, code = line.split()
    async with a_world() as world:
        await world.set_faults(**{fault: True})
        with pytest.raises((SmsNotSent, SmsUnsure)) as trouble:
            await by_http(world).send(PAYER, TEXT, FIRST)

    assert (type(trouble.value).__name__, trouble.value.code) == (kind, code)


@pytest.mark.parametrize("right", [True, False])
async def test_the_code_is_found_however_its_key_is_spelt(right: bool) -> None:  # noqa: FBT001
    async with a_world() as world:
        await world.set_faults(sms_code_spelt_right=right)
        sent = await by_http(world).send(PAYER, TEXT, FIRST)
        with pytest.raises(SmsRefused, match="1003"):
            await by_http(world).send(Msisdn("254212345678"), TEXT, SECOND)

    assert sent.name.isdigit()


async def test_the_platform_drops_a_double_by_our_own_name() -> None:
    async with a_world() as world:
        names = {(await by_http(world).send(PAYER, TEXT, FIRST)).name for _ in range(2)}
        told = await world.look(f"lines/{PAYER}/messages")

    assert (len(names), len(told)) == (1, 1)


async def test_a_wrong_key_of_the_platform_stands_in_no_error() -> None:
    async with a_world() as world:
        client = by_http(world, api_key="very-wrong")
        with capture_logs() as logs, pytest.raises(SmsNotSent, match="1006") as refused:
            await client.send(PAYER, TEXT, FIRST)

    assert "very-wrong" not in f"{client!r} {refused.value!r} {logs}"
    assert PAYER not in f"{refused.value!r} {logs}"
