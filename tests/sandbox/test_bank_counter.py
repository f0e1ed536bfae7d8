"""The counter of the simulated bank, as a browser posts to it, and what is told of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx2
import pytest

from controller.payments.bank_notice import Bank, BankSettings, read_notice
from controller.payments.gateway import CallbackUnreadable
from controller.payments.statements import read_statement
from controller.sandbox.bank.counter import build_app
from controller.sandbox.bank.settings import BankSimSettings
from controller.tls import trusted
from tests.support.daraja import Shop, served
from tests.support.remote import Remote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.payments.seen import Seen

ACCOUNT = "1100223344"


@dataclass(slots=True)
class BankWorld(Remote):
    """A bank's counter, and the owner of the account, whom it tells; everything on loopback."""

    shop: Shop

    async def pay_in(self, **form: str) -> httpx2.Response:
        """Fill in the form."""
        return await self.http.post(f"{self.url}/", data=form)

    async def public_key(self) -> str:
        """What the bank gives to the owner of the account."""
        return str((await self.look("public-key"))["public_key"])

    async def read(self, number: int = 0) -> Seen:
        """The owner reads a notice."""
        settings = BankSettings(Bank.KCB, ACCOUNT, public_key=await self.public_key())
        body = (await self.shop.received(number + 1))[number]
        return read_notice(body, self.shop.headers[number], settings)


@asynccontextmanager
async def a_bank(key_path: str = "") -> AsyncIterator[BankWorld]:
    shop = Shop()
    async with (
        served(shop.app()) as shop_url,
        httpx2.AsyncClient(trust_env=False, verify=trusted()) as http,
    ):
        told = BankSimSettings(ACCOUNT, key_path, f"{shop_url}/callbacks/stk/00ff")
        async with served(build_app(told, now=lambda: datetime.now(UTC))) as url:
            yield BankWorld(url, http, shop)


async def test_who_pays_in_is_told_to_the_owner_by_the_bank() -> None:
    async with a_bank() as bank:
        before = await bank.http.get(f"{bank.url}/")
        await bank.pay_in(typed="0712 345 678", amount="320")
        seen = await bank.read()
        after = await bank.http.get(f"{bank.url}/")

    assert (seen.amount.minor, seen.place, seen.reference) == (32_000, ACCOUNT, "0712 345 678")
    assert ("Nothing yet" in before.text, f"{seen.receipt} KES 320" in after.text) == (True, True)


@pytest.mark.parametrize("amount", ["", "0", "-1", "1.50", "١٢", "1000000"])
async def test_an_amount_that_cannot_be_is_told_and_what_was_typed_stays(amount: str) -> None:
    async with a_bank() as bank:
        answer = await bank.pay_in(typed="<0712>", amount=amount)

        assert answer.status_code == 422
        assert ('value="&lt;0712&gt;"' in answer.text, bank.shop.bodies) == (True, [])


async def test_a_notice_is_told_twice_with_one_receipt() -> None:
    async with a_bank() as bank:
        await bank.set_faults(notice_doubled=True)
        await bank.pay_in(typed="0712345678", amount="20")
        first, second = await bank.read(0), await bank.read(1)

    assert first == second


async def test_a_forged_notice_is_not_the_banks() -> None:
    async with a_bank() as bank:
        await bank.set_faults(notice_forged=True)
        await bank.pay_in(typed="0712345678", amount="20")
        with pytest.raises(CallbackUnreadable) as refused:
            await bank.read()

    assert refused.value.field == "signature"


async def test_a_lost_notice_is_not_posted_and_the_money_stands_in_the_statement() -> None:
    async with a_bank() as bank:
        await bank.set_faults(notice_lost=True)
        await bank.pay_in(typed="0712345678", amount="20")
        (told,) = await bank.seen("callbacks", bool)
        file = await bank.http.get(f"{bank.url}/statement.mt940")
        (line,) = read_statement(file.content).lines

        assert (told["kind"], bank.shop.bodies) == ("lost", [])
        assert (line.receipt, line.amount.minor) == (told["about"], 2_000)


async def test_its_key_outlives_a_restart_where_a_file_is_named(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        async with a_bank(str(tmp_path / "bank.pem")) as bank:
            keys.append(await bank.public_key())

    assert keys[0] == keys[1]
    assert (tmp_path / "bank.pem").stat().st_mode & 0o077 == 0
