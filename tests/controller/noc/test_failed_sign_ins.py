"""Many wrong passwords are an alert that says for whom and from where; nobody is locked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.alerts.texts import TABLES
from controller.noc.alert_board import sentences
from controller.store import alerts as kept
from controller.usecases import alerts
from tests.support.staff import PASSWORD, an_owner, browser

if TYPE_CHECKING:
    from controller.store.alert_rows import AlertRow
    from tests.support.office import Office
    from tests.support.staff import Member

GUESSER, OTHER, ELSEWHERE = "41.90.1.1", "41.90.2.2", "102.5.5.5"
WAIT_S = 300
"""The longest that one who guesses waits."""


async def guess(office: Office, login: str, address: str, *, times: int) -> None:
    """Wrong passwords, each as soon as the last wait is over."""
    async with browser(office, address=address) as client:
        for n in range(times):
            sent = {"login": login, "password": f"wrong {n}"}
            answer = await client.post("/noc/login", data=sent)
            if answer.status_code == 429:
                office.clock.forward(seconds=int(answer.headers["retry-after"]))
                await client.post("/noc/login", data=sent)


async def told(office: Office) -> list[AlertRow]:
    await alerts.look(office.deps)
    async with office.deps.db.read() as tx:
        return [row for row in await kept.open_alerts(tx) if row.rule.startswith("sign_in")]


@pytest.fixture
async def owner(office: Office) -> Member:
    return await an_owner(office)


async def test_a_few_slips_are_nobodys_concern(office: Office, owner: Member) -> None:
    await guess(office, owner.login, GUESSER, times=9)

    assert await told(office) == []


async def test_ten_wrong_passwords_for_one_person_are_told_with_who_and_where(
    office: Office, owner: Member
) -> None:
    await guess(office, owner.login, GUESSER, times=6)
    await guess(office, owner.login, OTHER, times=4)
    (alert,) = await told(office)

    assert alert.rule == "sign_in_person"
    assert alert.text == (
        "10 wrong passwords were tried for Amina Wanjiru (amina@example.co.ke),"
        f" from {GUESSER}, {OTHER}"
    )
    assert GUESSER in sentences(alert)["sw"]
    assert set(sentences(alert)) == set(TABLES)


async def test_one_address_that_tries_many_accounts_is_told(office: Office) -> None:
    for n in range(30):
        await guess(office, f"nobody{n}@example.co.ke", GUESSER, times=1)
    (alert,) = await told(office)

    assert alert.rule == "sign_in_address"
    assert alert.text == f"30 sign-ins failed that came from {GUESSER}"
    assert "nobody" not in alert.told


async def test_the_owner_comes_in_while_somebody_guesses_and_the_alert_ends_by_itself(
    office: Office, owner: Member
) -> None:
    await guess(office, owner.login, GUESSER, times=12)
    raised = await told(office)
    async with browser(office, address=ELSEWHERE) as client:
        sent = {"login": owner.login, "password": PASSWORD}
        first = await client.post("/noc/login", data=sent)
        second = await client.post("/noc/second", data={"code": owner.code(office)})
    for _ in range(2):
        office.clock.forward(seconds=4 * WAIT_S)
        over = await told(office)

    assert len(raised) == 1
    assert (first.status_code, second.status_code) == (303, 303)
    assert over == []


async def test_who_mistypes_and_then_is_right_leaves_nothing_behind(
    office: Office, owner: Member
) -> None:
    async with browser(office, address=ELSEWHERE) as client:
        for n in range(4):
            await client.post("/noc/login", data={"login": owner.login, "password": f"{n}"})
        await client.post("/noc/login", data={"login": owner.login, "password": PASSWORD})
        await client.post("/noc/second", data={"code": owner.code(office)})
    await guess(office, owner.login, GUESSER, times=6)

    assert await told(office) == []
