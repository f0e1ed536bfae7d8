"""Who asks: behind a proxy of ours everybody has an address of their own, and nobody another's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.store.audit_rows import AuditRow
from controller.store.staff_rows import StaffSessionRow
from tests.support.office import caller
from tests.support.staff import PASSWORD, a_member, an_owner, browser, signed_in

if TYPE_CHECKING:
    import httpx2

    from tests.support.office import Office

PROXY, OWNER, STRANGER = "10.9.8.7", "197.232.61.9", "41.90.1.1"
FORWARDED = "X-Forwarded-For"


def behind(office: Office, *proxies: str) -> Office:
    """The office whose settings name these proxies."""
    told = office.deps.settings
    http = told.http.model_copy(update={"proxies": proxies})
    return replace(
        office, deps=replace(office.deps, settings=told.model_copy(update={"http": http}))
    )


async def guessed(client: httpx2.AsyncClient, login: str, times: int = 40) -> None:
    for _ in range(times):
        await client.post("/noc/login", data={"login": login, "password": "not the password"})


@pytest.mark.parametrize(("proxies", "status"), [((PROXY,), 303), ((), 429)])
async def test_a_stranger_behind_the_same_proxy_keeps_nobody_out(
    office: Office, proxies: tuple[str, ...], status: int
) -> None:
    told = behind(office, *proxies)
    owner = await an_owner(told)
    async with browser(told, address=PROXY) as client:
        client.headers[FORWARDED] = STRANGER
        await guessed(client, owner.login)
        client.headers[FORWARDED] = OWNER
        answer = await client.post("/noc/login", data={"login": owner.login, "password": PASSWORD})

    assert answer.status_code == status


async def test_who_is_no_proxy_of_ours_writes_no_other_address(office: Office) -> None:
    told = behind(office, PROXY)
    owner = await an_owner(told)
    async with browser(told, address=STRANGER) as client:
        for n in range(40):
            client.headers[FORWARDED] = f"105.160.0.{n}"
            await guessed(client, owner.login, 1)
        client.headers[FORWARDED] = OWNER
        answer = await client.post("/noc/login", data={"login": owner.login, "password": PASSWORD})

    assert answer.status_code == 429


async def test_a_line_that_a_proxy_of_ours_only_passed_on_is_not_believed(office: Office) -> None:
    told = behind(office, PROXY)
    owner = await an_owner(told)
    async with browser(told, address=PROXY) as client:
        for n in range(40):
            lines = [(FORWARDED, f"105.160.0.{n}"), (FORWARDED, STRANGER)]
            data = {"login": owner.login, "password": "not the password"}
            await client.post("/noc/login", data=data, headers=lines)
        lines = [(FORWARDED, OWNER), (FORWARDED, STRANGER)]
        data = {"login": owner.login, "password": PASSWORD}
        answer = await client.post("/noc/login", data=data, headers=lines)

    assert answer.status_code == 429


@pytest.mark.parametrize(("proxies", "statuses"), [(("127.0.0.1",), [429, 401]), ((), [429, 429])])
async def test_wrong_keys_are_counted_for_whoever_offers_them(
    office: Office, proxies: tuple[str, ...], statuses: list[int]
) -> None:
    async with caller(behind(office, *proxies), "wrong") as client:
        client.headers[FORWARDED] = STRANGER
        for _ in range(10):
            await client.get("/api/v1/sites")
        found = [await client.get("/api/v1/sites")]
        client.headers[FORWARDED] = OWNER
        found.append(await client.get("/api/v1/sites"))

    assert [answer.status_code for answer in found] == statuses


@pytest.mark.parametrize(("proxies", "seen"), [((PROXY,), OWNER), ((), PROXY)])
async def test_sessions_and_the_audit_say_who_asked(
    office: Office, proxies: tuple[str, ...], seen: str
) -> None:
    told = behind(office, *proxies)
    owner = await an_owner(told)
    member = await a_member(told)
    async with browser(told, address=PROXY) as client:
        client.headers[FORWARDED] = f"{STRANGER}, {OWNER}"
        await signed_in(told, client, owner)
        await client.post(f"/noc/staff/{member.id}/disable")
    async with told.deps.db.read() as tx:
        query = select(StaffSessionRow.address).where(StaffSessionRow.staff_id == owner.id)
        addresses = await tx.scalars(query.order_by(StaffSessionRow.created_at.desc()))
        session = addresses.first()
        path = "POST /noc/staff/{staff_id}/disable"
        disabled = await tx.scalar(select(AuditRow.address).where(AuditRow.route == path))

    assert (session, disabled) == (seen, seen)
