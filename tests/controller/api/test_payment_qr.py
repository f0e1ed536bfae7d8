"""A picture to pay with, from M-PESA through our door."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from controller.payments.mpesa_account import MpesaAccount
from controller.payments.mpesa_settings import MpesaSettings
from controller.payments.tokens import MemoryTokenStore
from tests.support.daraja import a_world
from tests.support.office import a_subscriber, an_office, caller

if TYPE_CHECKING:
    from pathlib import Path

    from controller.store.database import Database

PATH = "/api/v1/account-payments/qr"
ASKED: dict[str, str | int] = {"subscriber": "0712345678", "shillings": 1_500}


async def test_an_account_has_a_picture_to_pay_with(sqlite_db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, sqlite_db)
    await office.keep(a_subscriber())
    async with a_world() as world:
        told = MpesaSettings(
            base_url=world.url,
            shortcode=world.settings.shortcode,
            consumer_key=world.settings.consumer_key,
            consumer_secret=world.settings.consumer_secret,
            passkey=world.settings.passkey,
            callback_url=world.shop.url,
        )
        account = MpesaAccount(told, http=world.http, tokens=MemoryTokenStore())
        with_mpesa = replace(office, deps=replace(office.deps, mpesa=account))
        async with caller(with_mpesa) as staff:
            answer = await staff.get(PATH, params=ASKED)
            too_much = await staff.get(PATH, params={**ASKED, "shillings": 250_001})

    assert (answer.status_code, answer.headers["content-type"]) == (HTTPStatus.OK, "image/png")
    assert answer.content.startswith(b"\x89PNG")
    assert too_much.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "shillings" in too_much.text


async def test_without_an_account_there_is_none(sqlite_db: Database, tmp_path: Path) -> None:
    office = an_office(tmp_path, sqlite_db)
    await office.keep(a_subscriber())
    async with caller(office) as staff:
        answer = await staff.get(PATH, params=ASKED)

    assert answer.status_code == HTTPStatus.NOT_FOUND
