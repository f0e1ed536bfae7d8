"""The provider's door: kept first, answered quickly, believed later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from billing.ids import OrderId, PlanId, SiteId
from billing.msisdn import parse_msisdn
from controller.api.door import BODY_BYTES_MAX
from controller.payments.memory import MemoryGateway
from controller.store.rows import GrantRow, InboxRow, PaymentRow
from controller.usecases.asking import CALLBACK_PATH
from controller.usecases.purchase import NewOrder, purchase
from tests.support.office import Office, a_plan, caller
from tests.support.office import a_site as an_old_site

if TYPE_CHECKING:
    import httpx2

ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}
ORDER = OrderId("0" * 31 + "1")


async def ordered(office: Office) -> tuple[str, MemoryGateway, str]:
    """An order that the payer was asked for: the callback's path, the gateway, its name there."""
    gateway = office.deps.gateway
    assert isinstance(gateway, MemoryGateway)
    await office.keep(an_old_site(), a_plan())
    order = NewOrder(
        order_id=ORDER,
        plan_id=PlanId("hours-2"),
        msisdn=parse_msisdn("0712345678"),
        device_mac="02:00:00:00:00:01",
        age_s=0,
    )
    await purchase(office.deps, SiteId("estate-1"), order)
    (asked,) = gateway.asked.values()
    path = asked.push.callback_url.removeprefix(office.deps.settings.public_url)
    return path, gateway, asked.provider_id


async def sent(office: Office, path: str, body: bytes, **headers: str) -> httpx2.Response:
    async with caller(office, None) as client:
        return await client.post(path, content=body, headers=headers)


async def state_of(office: Office) -> str:
    async with office.deps.db.read() as tx:
        return (await tx.get_one(PaymentRow, ORDER)).state


async def kept(office: Office) -> int:
    async with office.deps.db.read() as tx:
        return (await tx.execute(select(func.count()).select_from(InboxRow))).scalar_one()


async def test_a_callback_settles_its_payment(office: Office) -> None:
    path, gateway, provider_id = await ordered(office)
    gateway.pay(provider_id, office.clock())
    answer = await sent(office, path, gateway.callback(provider_id))

    assert (answer.status_code, answer.json()) == (200, ACCEPTED)
    assert await state_of(office) == "settled"


async def test_ten_callbacks_at_once_credit_once(office: Office) -> None:
    path, gateway, provider_id = await ordered(office)
    gateway.pay(provider_id, office.clock())
    body = gateway.callback(provider_id)
    answers = await asyncio.gather(*(sent(office, path, body) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    async with office.deps.db.read() as tx:
        assert len(list(await tx.scalars(select(GrantRow)))) == 1


async def test_an_address_that_was_never_given_is_not_found_and_keeps_nothing(
    office: Office,
) -> None:
    await ordered(office)
    for token in ("0" * 48, "x", "%00", "a" * 300):
        answer = await sent(office, f"{CALLBACK_PATH}{token}", b"{}")
        assert 400 <= answer.status_code < 500

    assert await kept(office) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b"{}", b"1" * 5_000])
async def test_what_cannot_be_read_is_kept_and_changes_nothing(office: Office, body: bytes) -> None:
    path, _, _ = await ordered(office)
    answer = await sent(office, path, body, **{"Content-Type": "text/plain"})

    assert (answer.status_code, answer.json()) == (200, ACCEPTED)
    assert (await state_of(office), await kept(office)) == ("pending", 1)


async def test_a_flood_is_cut_off(office: Office) -> None:
    path, _, _ = await ordered(office)
    answer = await sent(office, path, b"x" * (BODY_BYTES_MAX + 1))

    assert (answer.status_code, await kept(office)) == (413, 0)


async def test_a_forwarded_address_is_not_believed(office: Office) -> None:
    path, _, _ = await ordered(office)
    await sent(office, path, b"{}", **{"X-Forwarded-For": "196.201.214.200"})

    async with office.deps.db.read() as tx:
        (row,) = await tx.scalars(select(InboxRow))
    assert "196.201" not in f"{row.source} {row.external_id}"


async def test_looking_is_not_posting(office: Office) -> None:
    path, _, _ = await ordered(office)

    async with caller(office, None) as client:
        assert (await client.get(path)).status_code == 405
