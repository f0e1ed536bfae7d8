"""An ``Idempotency-Key``: the same request twice is done once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from controller.store.code_rows import VoucherRow
from controller.store.rows import GrantRow, InboxRow
from tests.support.office import Office, a_day, caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

KEY = "order-of-codes-1"
VOUCHERS = {"plan_id": "hours-2", "count": 3}
GRANT = {"site_id": "estate-1", "plan_id": "hours-2", "device_mac": "02:00:00:00:00:02"}


async def made(
    office: Office, body: Mapping[str, object], *, path: str = "vouchers", key: str = KEY
) -> httpx2.Response:
    async with caller(office) as client:
        headers = {"Idempotency-Key": key} if key else {}
        return await client.post(f"/api/v1/{path}", json=body, headers=headers)


async def vouchers(office: Office) -> int:
    async with office.deps.db.read() as tx:
        return (await tx.execute(select(func.count()).select_from(VoucherRow))).scalar_one()


async def test_a_repeat_gets_the_first_answer(office: Office) -> None:
    await office.keep(*a_day())
    first, second = await made(office, VOUCHERS), await made(office, VOUCHERS)

    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert await vouchers(office) == 3


async def test_another_key_makes_another(office: Office) -> None:
    await office.keep(*a_day())
    await made(office, VOUCHERS)
    await made(office, VOUCHERS, key="order-of-codes-2")

    assert await vouchers(office) == 6


async def test_the_same_key_with_another_request_is_refused(office: Office) -> None:
    await office.keep(*a_day())
    await made(office, VOUCHERS)
    answer = await made(office, {**VOUCHERS, "count": 4})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await vouchers(office) == 3


async def test_two_at_once_make_one(office: Office) -> None:
    await office.keep(*a_day())
    answers = await asyncio.gather(*(made(office, VOUCHERS) for _ in range(4)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert await vouchers(office) == 3


async def test_a_key_whose_request_was_refused_is_spent(office: Office) -> None:
    first = await made(office, VOUCHERS)
    await office.keep(*a_day())
    second = await made(office, VOUCHERS)

    assert (first.status_code, second.status_code) == (404, 409)
    assert await vouchers(office) == 0


@pytest.mark.parametrize("key", ["", "short", "with space 1", "x" * 65, "nul\0nul\0nul"])
@pytest.mark.parametrize(("path", "body"), [("vouchers", VOUCHERS), ("grants", GRANT)])
async def test_what_makes_something_wants_a_key(
    office: Office, path: str, body: Mapping[str, object], key: str
) -> None:
    await office.keep(*a_day())
    answer = await made(office, body, path=path, key=key)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


async def test_the_codes_are_sealed_where_they_are_kept(office: Office) -> None:
    await office.keep(*a_day())
    code = (await made(office, VOUCHERS)).json()["codes"][0]

    async with office.deps.db.read() as tx:
        (row,) = await tx.scalars(select(InboxRow))
    assert code.encode() not in row.body


async def test_a_grant_is_given_once(office: Office) -> None:
    await office.keep(*a_day())
    answers = [await made(office, GRANT, path="grants") for _ in range(2)]

    assert answers[0].json()["id"] == answers[1].json()["id"]
    async with office.deps.db.read() as tx:
        assert len(list(await tx.scalars(select(GrantRow)))) == 2
