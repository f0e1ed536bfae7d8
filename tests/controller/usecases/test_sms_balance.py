"""The balance of the SMS account is asked for once an hour, and judged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest

from controller.notify.africas_talking import AfricasTalkingSms
from controller.notify.africas_talking_wire import AfricasTalkingSettings, read_balance
from controller.notify.sms import SmsNotSent
from controller.usecases import alerts
from controller.usecases.sms_balance import ask_due
from tests.support.alerts import opened

if TYPE_CHECKING:
    from tests.support.builders import World

TOLD = b'{"UserData": {"balance": "KES 149.5000"}}'


async def test_a_low_balance_is_an_alert_and_is_asked_for_once_an_hour(world: World) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url.path}?{request.url.query.decode()}")
        return httpx2.Response(200, content=TOLD)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        account = AfricasTalkingSettings("https://api.example.co.ke", "mtaa", "key")
        deps = replace(world.deps, sms=AfricasTalkingSms(account, http=http))
        told = [await ask_due(deps), await ask_due(deps)]
        world.clock.advance(3_600)
        told.append(await ask_due(deps))
    await alerts.look(world.deps)
    (row,) = await opened(world)

    assert told == [1, 0, 1]
    assert asked == ["GET /version1/user?username=mtaa"] * 2
    assert (row.rule, row.severity, row.text) == (
        "sms_balance",
        "warn",
        "the SMS account holds KES 149",
    )


async def test_a_carrier_that_tells_nothing_is_not_asked(world: World) -> None:
    assert await ask_due(world.deps) == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{}", b'{"UserData": {"balance": "USD 10.00"}}', b"[1]", b"[" * 100_000],
)
def test_what_is_no_balance_is_none(body: bytes) -> None:
    with pytest.raises(SmsNotSent):
        read_balance(200, body)
