"""By what a customer dials in (PPPoE), on their page: shown without its secret, given anew."""

from __future__ import annotations

import html
import json
import re

import pytest
from sqlalchemy import func, select

from billing.charge import Mode
from billing.ids import PlanId, SiteId
from billing.msisdn import Msisdn
from controller.rights import Role
from controller.store import logins
from controller.store.audit_rows import AuditRow
from controller.store.billing_rows import LoginRow
from controller.store.site_rows import SiteRow
from controller.usecases.agreements import NewSubscription
from controller.usecases.logins import set_credentials
from controller.usecases.placement import place
from controller.usecases.subscribers import SubscriberChange, add_subscriber
from controller.usecases.subscriptions import end, start
from tests.support.contracts import MONTH
from tests.support.desk import at_desk, told_after
from tests.support.office import Office, a_plan, a_site
from tests.support.two_branches import HERE, IDS, THERE, two_branches

PHONE = "254712345678"
TO = f"/noc/customers/{PHONE}"
LINE = "c" * 32
DAYS_100 = 100 * 86_400


async def a_contract(office: Office, line: str = LINE) -> str:
    """Somebody who subscribes at Estate 1; the subscription's id."""
    if line == LINE:
        await office.keep(a_site(), a_plan("home-20", audience="contract", validity_s=DAYS_100))
        await add_subscriber(office.deps, Msisdn(PHONE), SubscriberChange(name="Wanjiku Kamau"))
    new = NewSubscription(
        id=line,
        subscriber=PHONE,
        plan_id=PlanId("home-20"),
        site_id=SiteId("estate-1"),
        mode=Mode.ADVANCE,
        cycle=MONTH,
    )
    return (await start(office.deps, new)).id


def text(page: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", page)).split())


def dialling(page: str) -> str:
    """What a page says of dialling in; "" when it says nothing."""
    found = re.search(r'<section[^>]*"dialling-title".*?</section>', page, re.DOTALL)
    return "" if found is None else text(found[0])


async def shown(office: Office, path: str = TO, role: Role = Role.OWNER) -> str:
    async with at_desk(office, role) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def kept(office: Office) -> LoginRow | None:
    async with office.deps.db.read() as tx:
        return await logins.load(tx, LINE)


async def applied(office: Office, site_id: str) -> None:
    """The site says that it has all it was told."""
    async with office.deps.db.begin() as tx:
        site = await tx.get_one(SiteRow, site_id)
        site.applied_generation = site.generation


async def test_a_login_is_shown_with_its_age_and_its_site_and_never_with_its_secret(
    office: Office,
) -> None:
    await a_contract(office)
    made = await set_credentials(office.deps, LINE, name="wanjiku")
    pages = [await shown(office, path) for path in (TO, f"{TO}/edit")]
    before = dialling(pages[0])
    await applied(office, "estate-1")
    after = dialling(await shown(office))

    assert "home-20" in before
    assert "wanjiku" in before
    assert "12:00" in before
    assert "Estate 1" in before
    assert "on its way" in before
    assert "known" in after
    assert "on its way" not in after
    assert [made.secret in page for page in pages] == [False, False]


async def test_a_site_that_has_not_yet_heard_that_it_knows_it_no_more_is_named(
    office: Office,
) -> None:
    await a_contract(office)
    await set_credentials(office.deps, LINE)
    await applied(office, "estate-1")
    await office.keep(a_site("estate-2", name="Estate 2"))
    await place(office.deps, LINE, site_id=SiteId("estate-2"))
    moved = dialling(await shown(office))
    await applied(office, "estate-1")
    await applied(office, "estate-2")

    assert "Estate 1 still known" in moved
    assert "Estate 2 on its way" in moved
    assert "Estate 1" not in dialling(await shown(office))


async def test_who_subscribes_to_nothing_is_told_nothing_of_dialling_in(office: Office) -> None:
    await a_contract(office)
    await end(office.deps, LINE)

    assert dialling(await shown(office)) == ""
    assert dialling(await shown(office, f"{TO}/edit")) == ""


async def test_a_first_login_is_given_by_a_form_and_shown_this_once(office: Office) -> None:
    await a_contract(office)
    offered = dialling(await shown(office, f"{TO}/edit"))
    sent = {"subscription_id": LINE, "name": "wanjiku"}
    async with at_desk(office) as client:
        given = await client.post(f"{TO}/credentials", data=sent)
    login = await kept(office)

    assert "Give a login" in offered
    assert given.status_code == 201
    assert given.headers["cache-control"] == "no-store"
    assert login is not None
    secret = office.deps.vault.unseal(login.sealed).decode()
    assert (login.name, len(secret)) == ("wanjiku", 14)
    assert re.findall(r'<code class="secret copy"[^>]*>([^<]+)<', given.text) == ["wanjiku", secret]
    assert secret not in await shown(office)


async def test_a_new_password_wants_the_plan_typed_and_ends_the_one_before(office: Office) -> None:
    await a_contract(office)
    first = await set_credentials(office.deps, LINE, name="wanjiku")
    async with at_desk(office) as client:
        unsure = await client.post(
            f"{TO}/credentials", data={"subscription_id": LINE, "sure": "amina"}
        )
        told = await told_after(client, unsure)
        before = await kept(office)
        given = await client.post(
            f"{TO}/credentials", data={"subscription_id": LINE, "sure": "home-20"}
        )
    after = await kept(office)

    assert "Type home-20 to go on" in text(told)
    assert before is not None
    assert office.deps.vault.unseal(before.sealed).decode() == first.secret
    assert given.status_code == 201
    assert first.secret not in given.text
    assert after is not None
    assert office.deps.vault.unseal(after.sealed).decode() in given.text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("Wanjiku K", "want lower-case letters"), ("amina", "is the name of another subscription")],
)
async def test_a_name_that_cannot_be_is_refused_with_why(
    office: Office, name: str, sentence: str
) -> None:
    await a_contract(office)
    await a_contract(office, "d" * 32)
    await set_credentials(office.deps, "d" * 32, name="amina")
    async with at_desk(office) as client:
        told = await told_after(
            client,
            await client.post(f"{TO}/credentials", data={"subscription_id": LINE, "name": name}),
        )

    assert sentence in text(told)
    assert await kept(office) is None


@pytest.mark.parametrize("role", list(Role))
async def test_it_wants_the_right_that_the_api_wants(office: Office, role: Role) -> None:
    await a_contract(office)
    may = role in {Role.OWNER, Role.ADMIN, Role.BILLING, Role.SUPPORT}
    async with at_desk(office, role) as client:
        answer = await client.post(f"{TO}/credentials", data={"subscription_id": LINE})
    page = await shown(office, role=role)
    forms = await shown(office, f"{TO}/edit", role=role)

    assert answer.status_code == (201 if may else 403)
    assert (await kept(office) is not None) is may
    assert "home-20" in dialling(page)
    assert (f"{TO}/edit#dialling" in page) is may
    assert (dialling(forms) != "") is may


async def test_a_subscription_of_somebody_else_is_not_there(office: Office) -> None:
    await two_branches(office)
    ours, theirs = IDS[HERE], IDS[THERE]
    for who, line in ((ours, theirs), (theirs, ours), (theirs, theirs)):
        async with at_desk(office, Role.SUPPORT, frozenset({HERE})) as client:
            answer = await client.post(
                f"/noc/customers/{who['msisdn']}/credentials",
                data={"subscription_id": line["subscription"]},
            )
        assert answer.status_code == 404
    async with at_desk(office) as client:
        nothing = await client.post(f"/noc/customers/{ours['msisdn']}/credentials")
    async with office.deps.db.read() as tx:
        count = await tx.scalar(select(func.count()).select_from(LoginRow))

    assert nothing.status_code == 404
    assert count == 0


async def test_the_deed_is_in_the_audit_log_without_the_secret(office: Office) -> None:
    await a_contract(office)
    async with at_desk(office) as client:
        await client.post(f"{TO}/credentials", data={"subscription_id": LINE})
    login = await kept(office)
    assert login is not None
    secret = office.deps.vault.unseal(login.sealed).decode()
    async with office.deps.db.read() as tx:
        rows = list(await tx.scalars(select(AuditRow).where(AuditRow.route.contains("credent"))))
    told = [json.dumps([row.about_kind, row.about_id, row.changes]) for row in rows]

    assert len(told) == 1
    assert PHONE in told[0]
    assert login.name in told[0]
    assert secret not in told[0]
    assert "What staff did" in text(await shown(office))
    assert "/credentials" in text(await shown(office))


async def test_who_dials_in_and_has_not_yet_is_not_sent_to_the_wi_fi(office: Office) -> None:
    await a_contract(office)
    await set_credentials(office.deps, LINE, name="wanjiku")
    await applied(office, "estate-1")
    why = text((await shown(office)).partition('id="now-panel"')[0])

    assert "Nobody has dialled in as wanjiku yet." in why
    assert "Wi-Fi" not in why
