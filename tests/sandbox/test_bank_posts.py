"""The simulated bank's notices over HTTP, and its files on disk."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from controller.payments.bank_notice import Bank, BankSettings, read_notice
from controller.payments.statements import read_profile, read_statement
from controller.sandbox.bank.movements import Movement, What
from controller.sandbox.bank.notices import SigningBank
from controller.sandbox.bank.post import post_notice

if TYPE_CHECKING:
    from pathlib import Path

    from controller.payments.seen import Seen

BANK = SigningBank()
PAID = Movement(datetime(2026, 11, 23, 9, tzinfo=UTC), What.PAID, 5_000, "UKN1LANGO1", "0712345678")


async def _reading(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
    headers = {n.lower(): v.strip() for n, _, v in (row.partition(":") for row in head if row)}
    return headers, await reader.readexactly(int(headers["content-length"]))


async def test_a_signed_notice_arrives_as_it_was_signed() -> None:
    settings = BankSettings(Bank.KCB, "1100223344", public_key=BANK.public_key)
    seen: list[Seen] = []

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers, body = await _reading(reader)
        seen.append(read_notice(body, headers, settings))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(door, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        notice = BANK.account_notice(PAID, "1100223344")
        answer = await post_notice(f"http://127.0.0.1:{port}/callbacks/bank/x", notice)

    assert answer == (200, "{}")
    assert [(one.receipt, one.amount.minor) for one in seen] == [("UKN1LANGO1", 5_000)]


async def test_a_simulated_bank_posts_to_this_machine_only() -> None:
    with pytest.raises(ValueError, match="this machine only"):
        await post_notice("http://192.0.2.1/x", BANK.till_notice(PAID))


def test_its_command_writes_files_that_are_read(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "controller.sandbox.bank", str(tmp_path / "new")], check=True
    )
    lines = {}
    for path in sorted((tmp_path / "new").iterdir()):
        if path.suffix != ".json":
            told = path.with_suffix(".profile.json")
            profile = read_profile(told.read_text()) if told.exists() else None
            lines[path.name] = len(read_statement(path.read_bytes(), profile=profile).lines)

    assert lines == dict.fromkeys(
        [
            "bank.camt02.xml",
            "bank.camt08.xml",
            "bank.mt940",
            "ledger.csv",
            "portal.csv",
            "teller.csv",
        ],
        4,
    )
